/*
 * probe_settings.c - what Redis holds: its memory policy and all settings, merged as the daemons merge them
 * (probe.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/tick.h"
#include "core/rkeys.h"
#include "ctl/key_scan.h"
#include "ctl/probe.h"
#include "io/redis/redis_blocking.h"
#include "io/redis/redis_advice.h"
#include "io/mirror/setting_read.h"

#define REDIS_TIMEOUT_S 10

struct reading {
	struct doctor_redis *out;
	const char *prefix;
	redisContext *redis;
	struct settings *settings;
	int64_t now_ms;
};

static bool refused(struct reading *r, const char *command, const struct redis_reply *reply)
{
	if (reply)
		redis_reply_why(r->out->why, sizeof(r->out->why), command, reply);
	else
		redis_advice_format(r->out->why, sizeof(r->out->why), command, r->redis->errstr);
	return false;
}

/* An account that may not ask for INFO leaves them unknown. */
static bool read_memory(struct reading *r)
{
	struct redis_reply *reply = redisCommand(r->redis, "INFO memory");
	bool ok = reply && (redis_reply_is_error(reply, NULL) ||
			    (redis_reply_info(reply, "maxmemory_policy:", r->out->policy, sizeof(r->out->policy)) &&
			     redis_reply_info(reply, "maxmemory:", r->out->maxmemory, sizeof(r->out->maxmemory))));

	if (!ok)
		refused(r, "INFO memory", reply);
	if (reply)
		freeReplyObject(reply);
	return ok;
}

static bool take_hash(struct reading *r, enum setting_kind kind, const struct redis_reply *reply, struct setting *s)
{
	struct redis_text field, value;
	struct redis_list pairs;
	char complaint[200];

	if (redis_reply_is_error(reply, "WRONGTYPE"))
		s->bad = SETTING_HAS_NOTE; /* another type: nothing of it is read */
	else if (!redis_reply_pairs(reply, &pairs))
		return refused(r, "HGETALL", reply);
	else
		while (redis_pair_next(&pairs, &field, &value))
			setting_field(s, kind, field.text, field.len, value.text, value.len, complaint,
				      sizeof(complaint));
	return true;
}

static bool take_end(struct reading *r, const struct redis_reply *reply, struct setting *s)
{
	return setting_read_end(s, reply) != SETTING_READ_FAILED || refused(r, "PTTL", reply);
}

static void keep(struct reading *r, enum setting_kind kind, const char *raw, size_t len, const struct setting *s)
{
	char name[SETTING_NAME_SIZE];
	const char *reason;

	if (setting_name_canon(name, kind, raw, len, &reason) && strlen(name) == len && memcmp(name, raw, len) == 0)
		settings_put(r->settings, kind, name, s);
	else
		doctor_names_add(&r->out->bad, raw);
}

/* The next reply, of those asked for at once. NULL: there is none. */
static struct redis_reply *next_reply(struct reading *r, const char *command)
{
	struct redis_reply *reply;

	if (redisGetReply(r->redis, (void **)&reply) == REDIS_OK)
		return reply;
	refused(r, command, NULL);
	return NULL;
}

/* The replies to HGETALL and PTTL of one key. */
static bool take_key(struct reading *r, enum setting_kind kind, const char *raw, size_t len)
{
	struct redis_reply *hash = next_reply(r, "HGETALL"), *ttl = hash ? next_reply(r, "PTTL") : NULL;
	struct setting s;
	bool ok;

	setting_init(&s);
	ok = ttl && take_hash(r, kind, hash, &s) && take_end(r, ttl, &s);
	if (ok)
		keep(r, kind, raw, len, &s);
	if (hash)
		freeReplyObject(hash);
	if (ttl)
		freeReplyObject(ttl);
	return ok;
}

static bool split_key(const struct reading *r, const struct redis_text *key, enum setting_kind *kind, const char **name,
		      size_t *len)
{
	return rkeys_is_setting(rkeys_parse(r->prefix, key->text, key->len, name, len), kind);
}

/* All keys of one page of SCAN, asked for at once. */
static bool read_page(struct reading *r, struct redis_list page)
{
	struct redis_list again = page;
	enum setting_kind kind;
	struct redis_text key;
	const char *name;
	size_t len;

	while (redis_list_next(&page, &key))
		if (split_key(r, &key, &kind, &name, &len)) {
			redisAppendCommand(r->redis, "HGETALL %b", key.text, key.len);
			redisAppendCommand(r->redis, "PTTL %b", key.text, key.len);
		}
	while (redis_list_next(&again, &key))
		if (split_key(r, &key, &kind, &name, &len) && !take_key(r, kind, name, len))
			return false;
	return true;
}

static bool read_keys(struct reading *r)
{
	char glob[RKEY_SIZE];
	struct redis_list keys;
	struct key_scan scan;
	struct sbuf b;
	bool ok = true;

	sbuf_init(&b, glob, sizeof(glob));
	rkeys_settings_glob(&b, r->prefix);
	key_scan_begin(&scan, r->redis, glob);
	while (ok && key_scan_next(&scan, &keys, r->out->why, sizeof(r->out->why)))
		ok = read_page(r, keys);
	key_scan_end(&scan);
	return ok && scan.walk.done;
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

/* As io/redis/redis_address.h has it; the host is an IP address. */
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

		if (!redis_blocking_ask_sentinel(conf, sentinel, address, why, sizeof(why)))
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

	r.redis = redis_blocking_connect(&conf->redis, REDIS_TIMEOUT_S, f->redis.why, sizeof(f->redis.why));
	if (!r.redis)
		return;
	take_address(&f->redis, &conf->redis, r.redis);
	ask_sentinels(&f->redis, &conf->redis);
	r.settings = settings_new();
	f->redis.known = read_memory(&r) && read_keys(&r);
	if (f->redis.known)
		settings_each(r.settings, sum, &r);
	settings_free(&r.settings);
	redisFree(r.redis);
}
