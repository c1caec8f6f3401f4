/*
 * probe_settings.c - what Redis holds: its memory policy and all settings, merged as the daemons merge them
 * (probe.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tick.h"
#include "core/rkeys.h"
#include "ctl/probe.h"
#include "io/redis.h"
#include "io/redis_sentinel.h"

#define REDIS_TIMEOUT_S 10

struct reading {
	struct doctor_redis *out;
	const char *prefix;
	redisContext *redis;
	struct settings *settings;
	int64_t now_ms;
};

static bool refused(struct reading *r, const char *command, redisReply *reply)
{
	snprintf(r->out->why, sizeof(r->out->why), "%s: %.180s", command, reply ? reply->str : r->redis->errstr);
	if (reply)
		freeReplyObject(reply);
	return false;
}

/* name ":" value of INFO */
static void take_info(char *out, size_t size, const redisReply *reply, const char *name)
{
	const char *at = strstr(reply->str, name);

	if (at) {
		at += strlen(name);
		snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
	}
}

/* An account that may not ask for INFO leaves them unknown. */
static void read_memory(struct reading *r)
{
	redisReply *reply = redisCommand(r->redis, "INFO memory");

	if (reply && reply->type == REDIS_REPLY_STRING) {
		take_info(r->out->policy, sizeof(r->out->policy), reply, "maxmemory_policy:");
		take_info(r->out->maxmemory, sizeof(r->out->maxmemory), reply, "maxmemory:");
	}
	if (reply)
		freeReplyObject(reply);
}

static void probe_settings_take_fields(struct setting *s, enum setting_kind kind, const redisReply *reply)
{
	char complaint[200];

	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		setting_field(s, kind, reply->element[i]->str, reply->element[i]->len, reply->element[i + 1]->str,
			      reply->element[i + 1]->len, complaint, sizeof(complaint));
}

/* The replies to HGETALL and PTTL of one key. */
static bool take_key(struct reading *r, enum setting_kind kind, const char *raw, size_t len)
{
	char name[SETTING_NAME_SIZE];
	const char *reason;
	struct setting s;
	redisReply *hash, *ttl;

	if (redisGetReply(r->redis, (void **)&hash) != REDIS_OK)
		return refused(r, "HGETALL", NULL);
	if (redisGetReply(r->redis, (void **)&ttl) != REDIS_OK) {
		freeReplyObject(hash);
		return refused(r, "PTTL", NULL);
	}
	setting_init(&s);
	if (hash->type == REDIS_REPLY_ARRAY)
		probe_settings_take_fields(&s, kind, hash);
	else
		s.bad = SETTING_HAS_NOTE; /* another type: nothing of it is read */
	if (ttl->type == REDIS_REPLY_INTEGER && ttl->integer > 0)
		s.ends_at_ms = r->now_ms + ttl->integer;
	if (setting_name_canon(name, kind, raw, len, &reason) && strlen(name) == len && memcmp(name, raw, len) == 0)
		settings_put(r->settings, kind, name, &s);
	else
		doctor_names_add(&r->out->bad, raw);
	freeReplyObject(hash);
	freeReplyObject(ttl);
	return true;
}

static bool split_key(const struct reading *r, const redisReply *key, enum setting_kind *kind, const char **name,
		      size_t *len)
{
	return rkeys_is_setting(rkeys_parse(r->prefix, key->str, key->len, name, len), kind);
}

/* All keys of one page of SCAN, asked for at once. */
static bool read_page(struct reading *r, const redisReply *page)
{
	enum setting_kind kind;
	const char *name;
	size_t len;

	for (size_t i = 0; i < page->elements; i++)
		if (split_key(r, page->element[i], &kind, &name, &len)) {
			redisAppendCommand(r->redis, "HGETALL %b", page->element[i]->str, page->element[i]->len);
			redisAppendCommand(r->redis, "PTTL %b", page->element[i]->str, page->element[i]->len);
		}
	for (size_t i = 0; i < page->elements; i++)
		if (split_key(r, page->element[i], &kind, &name, &len) && !take_key(r, kind, name, len))
			return false;
	return true;
}

static bool read_keys(struct reading *r)
{
	char glob[RKEY_SIZE], cursor[32] = "0";
	struct sbuf b;
	bool ok;

	sbuf_init(&b, glob, sizeof(glob));
	rkeys_settings_glob(&b, r->prefix);
	do {
		redisReply *reply = redisCommand(r->redis, "SCAN %s MATCH %s COUNT 1000", cursor, glob);

		if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
			return refused(r, "SCAN", reply && reply->type == REDIS_REPLY_ERROR ? reply : NULL);
		snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
		ok = read_page(r, reply->element[1]);
		freeReplyObject(reply);
	} while (ok && strcmp(cursor, "0") != 0);
	return ok;
}

static struct doctor_via *via_of(struct doctor_redis *out, const char *name)
{
	for (size_t i = 0; i < out->vias; i++)
		if (strcmp(out->via[i].name, name) == 0)
			return &out->via[i];
	if (out->vias == DOCTOR_VIAS_MAX) {
		out->vias_cut = true;
		return NULL;
	}
	snprintf(out->via[out->vias].name, sizeof(out->via[0].name), "%s", name);
	return &out->via[out->vias++];
}

/* What a sender of that key gets, with all keys above it. */
static void sum_sender(struct reading *r, const char *name)
{
	struct sender_setting merged;
	struct doctor_via *via;

	settings_sender(r->settings, strcmp(name, "*") == 0 ? "" : name, r->now_ms, &merged);
	if (merged.via[0] == '\0') {
		doctor_names_add(&r->out->senders[merged.mode], name);
		return;
	}
	via = via_of(r->out, merged.via);
	if (!via)
		return;
	via->used[merged.mode] = true;
	if (via->who[0] == '\0')
		snprintf(via->who, sizeof(via->who), "%s", name);
}

static void sum(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct reading *r = arg;
	char key[SETTING_NAME_SIZE + 16];

	snprintf(key, sizeof(key), "%s:%s", names_name(setting_kind_names, (int)kind), name);
	if (value->bad != 0 || value->unknown > 0)
		doctor_names_add(&r->out->bad, key);
	if (kind == SETTING_EXCEPT && value->ends_at_ms == 0)
		doctor_names_add(&r->out->endless, key);
	if (kind != SETTING_EXCEPT && value->ends_at_ms != 0)
		doctor_names_add(&r->out->ending, key);
	if (kind == SETTING_SENDER)
		sum_sender(r, name);
}

/* As io/redis_address.h has it; the host is an IP address. */
static void take_address(struct doctor_redis *out, const struct conf_redis *conf, const redisContext *c)
{
	bool six = c->connection_type == REDIS_CONN_TCP && strchr(c->tcp.host, ':');

	if (conf->sentinels.count == 0)
		snprintf(out->address, sizeof(out->address), "%s", conf->address);
	else
		snprintf(out->address, sizeof(out->address), six ? "[%s]:%d" : "%s:%d", c->tcp.host, c->tcp.port);
}

/* The one that led us to the master is asked once more with the others. */
static void ask_sentinels(struct doctor_redis *out, const struct conf_redis *conf)
{
	char address[SENTINEL_ADDRESS_SIZE], why[DOCTOR_WHY_SIZE], text[DOCTOR_WHY_SIZE + 80];

	for (size_t i = 0; i < conf->sentinels.count; i++) {
		const char *sentinel = conf->sentinels.item[i];

		if (!redis_sentinel_ask_blocking(conf, sentinel, address, why, sizeof(why)))
			doctor_names_add(&out->deaf, why);
		else if (strcmp(address, out->address) != 0) {
			snprintf(text, sizeof(text), "%s: names %s", sentinel, address);
			doctor_names_add(&out->deaf, text);
		}
	}
}

void probe_settings(struct doctor_facts *f, const struct conf *conf)
{
	struct reading r = {.out = &f->redis, .prefix = conf->redis.prefix, .now_ms = tick_wall_ms()};

	r.redis = redis_connect_blocking(&conf->redis, REDIS_TIMEOUT_S, f->redis.why, sizeof(f->redis.why));
	if (!r.redis)
		return;
	take_address(&f->redis, &conf->redis, r.redis);
	ask_sentinels(&f->redis, &conf->redis);
	r.settings = settings_new();
	read_memory(&r);
	f->redis.known = read_keys(&r);
	settings_each(r.settings, sum, &r);
	settings_free(&r.settings);
	redisFree(r.redis);
}
