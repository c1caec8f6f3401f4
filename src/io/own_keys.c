/*
 * own_keys.c - see own_keys.h. Replies come in the order of the commands: HGETALL and PTTL of each name in turn.
 */
#include "io/own_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/rkeys.h"
#include "io/mirror_priv.h"
#include "io/setting_read.h"

#define NAMES_FIRST 8

struct wanted {
	enum setting_kind kind;
	char *name;
};

struct own_keys {
	struct mirror *mirror;
	own_keys_fn *fn;
	void *arg;
	struct wanted *wanted;
	size_t count, done;
	struct settings *settings;
	struct setting value; /* of the name whose PTTL comes next */
	enum setting_read result;
	bool failed;
};

struct own_keys *own_keys_new(struct mirror *m, own_keys_fn *fn, void *arg)
{
	struct own_keys *o = xcalloc(1, sizeof(*o));

	o->mirror = m;
	o->fn = fn;
	o->arg = arg;
	o->settings = settings_new();
	return o;
}

static void own_keys_free(struct own_keys *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->wanted[i].name);
	free(o->wanted);
	settings_free(&o->settings);
	free(o);
}

void own_keys_abort(struct own_keys **o)
{
	if (!*o)
		return;
	redis_forget((*o)->mirror->redis, *o);
	own_keys_free(*o);
	*o = NULL;
}

static void finish(struct own_keys *o)
{
	struct settings *settings = o->failed ? NULL : o->settings;
	own_keys_fn *fn = o->fn;
	void *arg = o->arg;

	if (settings)
		o->settings = NULL;
	own_keys_free(o);
	fn(settings, arg);
}

static void on_hgetall(const redisReply *reply, void *arg)
{
	struct own_keys *o = arg;
	const struct wanted *w = &o->wanted[o->done];
	unsigned long bad = 0; /* the mirror counts it when it comes to that key */

	o->result = SETTING_READ_FAILED;
	if (reply)
		o->result = setting_read(&o->value, w->kind, w->name, reply, &o->mirror->complaints, &bad);
	o->failed = o->failed || o->result == SETTING_READ_FAILED;
}

static void on_pttl(const redisReply *reply, void *arg)
{
	struct own_keys *o = arg;
	const struct wanted *w = &o->wanted[o->done++];

	if (!reply || reply->type != REDIS_REPLY_INTEGER)
		o->failed = true;
	else if (o->result == SETTING_READ_OK && reply->integer != -2) { /* -2: it went between the two replies */
		o->value.ends_at_ms = setting_read_end_ms(reply->integer);
		settings_put(o->settings, w->kind, w->name, &o->value);
	}
	if (o->done == o->count)
		finish(o);
}

static void remember(struct own_keys *o, enum setting_kind kind, const char *name)
{
	if (o->count % NAMES_FIRST == 0)
		o->wanted = xrealloc(o->wanted, (o->count + NAMES_FIRST) * sizeof(*o->wanted));
	o->wanted[o->count++] = (struct wanted){kind, xstrdup(name)};
}

void own_keys_want(enum setting_kind kind, const char *name, void *own_keys)
{
	static const enum rkey_kind rkey[SETTING_KINDS] = {RKEY_SENDER, RKEY_RCPT, RKEY_EXCEPT};
	struct own_keys *o = own_keys;
	char text[RKEY_SIZE];
	struct sbuf key;

	sbuf_init(&key, text, sizeof(text));
	rkeys_format(&key, redis_prefix(o->mirror->redis), rkey[kind], name);
	remember(o, kind, name);
	redis_command(o->mirror->redis, on_hgetall, o, 2, (const char *[]){"HGETALL", text}, NULL);
	redis_command(o->mirror->redis, on_pttl, o, 2, (const char *[]){"PTTL", text}, NULL);
}
