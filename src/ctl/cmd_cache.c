/*
 * cmd_cache.c - tlsmode cache show, refresh, forget: the facts that the daemons share in Redis.
 *
 * A next hop has two: tlsmode:sts:DOMAIN, which all its forms share, and tlsmode:dane:NEXTHOP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tick.h"
#include "core/nexthop.h"
#include "core/rkeys.h"
#include "core/sockmap.h"
#include "ctl/commands.h"
#include "ctl/duration.h"
#include "ctl/table.h"

struct fact_keys {
	struct nexthop nexthop;
	char sts[RKEY_SIZE], dane[RKEY_SIZE];
};

static bool make_keys(const struct ctl *ctl, struct fact_keys *k, const char *raw)
{
	struct sbuf b;

	nexthop_parse(&k->nexthop, raw, strlen(raw));
	if (!nexthop_in_dns(&k->nexthop)) {
		ctl_error(EX_DATAERR, "%s: no domain or next hop that facts are kept of", raw);
		return false;
	}
	sbuf_init(&b, k->sts, sizeof(k->sts));
	rkeys_format(&b, ctl->conf->redis.prefix, RKEY_STS, k->nexthop.domain);
	sbuf_init(&b, k->dane, sizeof(k->dane));
	rkeys_format(&b, ctl->conf->redis.prefix, RKEY_DANE, k->nexthop.key);
	return true;
}

/* Times are unix seconds in Redis; people want to know how far away they are. */
static void add_value(struct table *t, const char *field, const char *value)
{
	static const char *const times[] = {"txt_until", "fetched_at", "fail_at", "until"};
	char text[200], span[40];
	int64_t away;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		if (strcmp(field, times[i]) != 0)
			continue;
		away = strtoll(value, NULL, 10) * 1000 - tick_wall_ms();
		duration_format(span, sizeof(span), away < 0 ? -away : away);
		snprintf(text, sizeof(text), away < 0 ? "%.40s (%s ago)" : "%.40s (in %s)", value, span);
		value = text;
	}
	table_add(t, value);
}

/* A mark in the place of a forgotten policy is no fact. */
static bool is_forgotten(struct redis_list pairs)
{
	struct redis_text field, value;

	return pairs.left == 2 && redis_pair_next(&pairs, &field, &value) && redis_text_is(&field, "forgotten");
}

static void show_pairs(struct redis_list pairs, const char *label, struct table *t, json_t *object)
{
	struct redis_text field, value;
	char quoted_field[200], quoted_value[400];

	if (is_forgotten(pairs))
		return;
	while (redis_pair_next(&pairs, &field, &value)) {
		const char *name = ctl_text(quoted_field, sizeof(quoted_field), &field);

		table_add(t, label);
		table_add(t, name);
		add_value(t, name, ctl_text(quoted_value, sizeof(quoted_value), &value));
		json_object_set_new(object, name, ctl_text_json(&value));
	}
}

/* The hash KEY as rows of T and as an object; -1 when Redis does not say, else how many fields it has. */
static int show_hash(struct ctl *ctl, const char *label, const char *key, struct table *t, json_t *root)
{
	const char *argv[] = {"HGETALL", key};
	struct redis_reply *reply = ctl_command(ctl, 2, argv);
	struct redis_list pairs;
	json_t *object;
	int count = -1;

	if (!reply)
		return -1;
	if (redis_reply_pairs(reply, &pairs)) {
		object = json_object();
		show_pairs(pairs, label, t, object);
		count = (int)json_object_size(object);
		json_object_set_new(root, label, count > 0 ? object : json_null());
		if (count == 0)
			json_decref(object);
	} else {
		ctl_wrong(2, argv, reply);
	}
	freeReplyObject(reply);
	return count;
}

int cmd_cache_show(struct ctl *ctl, int argc, char **args)
{
	struct fact_keys keys;
	struct table table;
	json_t *root;
	int sts, dane;

	(void)argc;
	if (!make_keys(ctl, &keys, args[0]))
		return EX_DATAERR;
	table_init(&table, 3);
	table_add(&table, "FACT");
	table_add(&table, "FIELD");
	table_add(&table, "VALUE");
	root = json_pack("{s:s}", "nexthop", keys.nexthop.key);
	sts = show_hash(ctl, "sts", keys.sts, &table, root);
	dane = sts < 0 ? -1 : show_hash(ctl, "dane", keys.dane, &table, root);
	if (sts >= 0 && dane >= 0 && ctl->json)
		ctl_print_json(json_incref(root));
	else if (sts >= 0 && dane >= 0 && sts + dane > 0)
		table_print(&table);
	table_drop(&table);
	json_decref(root);
	if (sts < 0 || dane < 0)
		return EX_TEMPFAIL;
	if (sts + dane == 0 && !ctl->json)
		ctl_error(EX_NOTFOUND, "no facts of %s in Redis", keys.nexthop.key);
	return sts + dane > 0 ? EX_OK : EX_NOTFOUND;
}

/* DEL of a key; how many there were, or -1. */
static int delete_key(struct ctl *ctl, const char *key)
{
	const char *argv[] = {"DEL", key};
	int64_t removed;

	return ctl_count(ctl, 2, argv, &removed) ? removed > 0 : -1;
}

static bool succeeds(struct ctl *ctl, int argc, const char **argv)
{
	int64_t any;

	return ctl_count(ctl, argc, argv, &any);
}

#define FORGET_TTL "60" /* seconds: long enough for every node to have read the mark */

/* Puts a mark in the place of the policy: where Redis may evict facts, a plain DEL would look like an eviction, and a
 * policy that was merely lost stays in force. How many keys there were, or -1. */
static int forget_policy(struct ctl *ctl, const struct fact_keys *keys)
{
	const char *mark[] = {"HSET", keys->sts, "forgotten", "1"};
	const char *expire[] = {"EXPIRE", keys->sts, FORGET_TTL};
	int removed = delete_key(ctl, keys->sts);

	return removed >= 0 && succeeds(ctl, 4, mark) && succeeds(ctl, 3, expire) ? removed : -1;
}

int cmd_cache_forget(struct ctl *ctl, int argc, char **args)
{
	struct fact_keys keys;
	int sts, dane;

	(void)argc;
	if (!make_keys(ctl, &keys, args[0]))
		return EX_DATAERR;
	dane = delete_key(ctl, keys.dane); /* first: nodes are told by the other, and then read both */
	sts = dane < 0 ? -1 : forget_policy(ctl, &keys);
	if (sts < 0 || dane < 0)
		return EX_TEMPFAIL;
	if (ctl->json)
		ctl_print_json(json_pack("{s:s, s:b, s:b}", "nexthop", keys.nexthop.key, "sts", sts, "dane", dane));
	else if (sts + dane == 0)
		ctl_error(EX_NOTFOUND, "no facts of %s in Redis; the nodes forget what they remember themselves",
			  keys.nexthop.key);
	return sts + dane > 0 ? EX_OK : EX_NOTFOUND;
}

#define REFRESH_WAIT_MS 10000
#define REFRESH_POLL_US 50000

/* A number in a field of the sts hash; 0 when it is not there, -1 when Redis does not say. */
static int64_t sts_number(struct ctl *ctl, const struct fact_keys *keys, const char *field)
{
	const char *argv[] = {"HGET", keys->sts, field};
	struct redis_reply *reply = ctl_command(ctl, 3, argv);
	struct redis_text t;
	int64_t n = -1;

	if (!reply)
		return -1;
	if (redis_reply_string(reply, &t))
		n = strtoll(t.text, NULL, 10);
	else if (redis_reply_is_nil(reply))
		n = 0;
	else
		ctl_wrong(3, argv, reply);
	freeReplyObject(reply);
	return n;
}

/* Marks the policy as to be fetched anew (it stays in force meanwhile) and what is known of MX and TLSA as to be found
 * anew. THERE: there is such a policy. False: Redis did not answer. */
static bool mark_refresh(struct ctl *ctl, const struct fact_keys *keys, int64_t now, bool *there)
{
	char text[32];
	const char *exists[] = {"EXISTS", keys->sts};
	const char *mark[] = {"HSET", keys->sts, "refresh", text};
	const char *expire[] = {"EXPIRE", keys->sts, FORGET_TTL};
	int64_t count;

	if (!ctl_count(ctl, 2, exists, &count))
		return false;
	*there = count > 0;
	snprintf(text, sizeof(text), "%lld", (long long)now);
	return succeeds(ctl, 4, mark) && (*there || succeeds(ctl, 3, expire));
}

/* Waits until a fetch that began after NOW has ended either way, if there is a policy to fetch. */
static bool await_refresh(struct ctl *ctl, const struct fact_keys *keys, int64_t now)
{
	int64_t until = tick_mono_ms() + REFRESH_WAIT_MS;
	int64_t marked;

	do {
		marked = sts_number(ctl, keys, "refresh");
		if (marked < 0)
			return false;
		if (marked == 0 || sts_number(ctl, keys, "fail_at") >= now)
			return true;
		usleep(REFRESH_POLL_US);
	} while (tick_mono_ms() < until);
	ctl_error(EX_TEMPFAIL, "%s: the policy fetch has not ended yet; it goes on", keys->nexthop.domain);
	return true;
}

int cmd_cache_refresh(struct ctl *ctl, int argc, char **args)
{
	struct fact_keys keys;
	int64_t now = tick_wall_ms() / 1000;
	bool there;
	char *text;
	int status;

	if (!make_keys(ctl, &keys, args[0]))
		return EX_DATAERR;
	if (delete_key(ctl, keys.dane) < 0 || !mark_refresh(ctl, &keys, now, &there))
		return EX_TEMPFAIL;
	status = ctl_ask(ctl, "opportunistic", keys.nexthop.key, &text);
	free(text);
	if (status < 0 || (there && !await_refresh(ctl, &keys, now)))
		return EX_TEMPFAIL;
	return cmd_cache_show(ctl, argc, args);
}
