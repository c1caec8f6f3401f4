/*
 * early_keys.c - see early_keys.h. Replies come in the order of the commands: HGETALL and PTTL of each name in turn.
 */
#include "io/mirror/early_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/rkeys.h"
#include "io/mirror/setting_read.h"

#define NAMES_FIRST 8

struct wanted {
	enum setting_kind kind;
	char *name;
};

struct early_keys {
	struct redis *redis;
	struct complaints *complaints;
	early_keys_fn *fn;
	void *arg;
	struct wanted *wanted;
	size_t count, done;
	struct early_keys_events ev; /* or zero */
	void *ev_arg;
	struct settings *settings;
	struct setting value; /* of the name whose PTTL comes next */
	enum setting_read result;
	bool failed;
};

struct early_keys *early_keys_new(struct redis *redis, struct complaints *complaints, early_keys_fn *fn, void *arg)
{
	struct early_keys *e = xcalloc(1, sizeof(*e));

	e->redis = redis;
	e->complaints = complaints;
	e->fn = fn;
	e->arg = arg;
	e->settings = settings_new();
	return e;
}

void early_keys_set_events(struct early_keys *e, const struct early_keys_events *ev, void *arg)
{
	e->ev = *ev;
	e->ev_arg = arg;
}

static void early_keys_free(struct early_keys *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->wanted[i].name);
	free(e->wanted);
	settings_free(&e->settings);
	free(e);
}

void early_keys_abort(struct early_keys **e)
{
	if (!*e)
		return;
	redis_forget((*e)->redis, *e);
	early_keys_free(*e);
	*e = NULL;
}

static void early_keys_finish(struct early_keys *e)
{
	struct settings *settings = e->failed ? NULL : e->settings;
	early_keys_fn *fn = e->fn;
	void *arg = e->arg;

	if (settings)
		e->settings = NULL;
	early_keys_free(e);
	fn(settings, arg);
}

static void early_keys_on_hgetall(const struct redis_reply *reply, void *arg)
{
	struct early_keys *e = arg;
	const struct wanted *w = &e->wanted[e->done];
	unsigned long bad = 0; /* the mirror counts it when it comes to that key */

	e->result = SETTING_READ_FAILED;
	if (reply)
		e->result = setting_read(&e->value, w->kind, w->name, reply, e->complaints, &bad);
	if (reply && e->result == SETTING_READ_FAILED)
		redis_note_error(e->redis, "reading a setting early", reply);
	e->failed = e->failed || e->result == SETTING_READ_FAILED;
}

/* THERE: Redis has it. */
static void early_keys_take(struct early_keys *e, const struct wanted *w, bool there)
{
	if (there && e->ev.found)
		e->ev.found(w->kind, w->name, &e->value, e->ev_arg);
	if (there || (e->ev.last && e->ev.last(w->kind, w->name, &e->value, e->ev_arg)))
		settings_put(e->settings, w->kind, w->name, &e->value);
}

static void early_keys_on_pttl(const struct redis_reply *reply, void *arg)
{
	struct early_keys *e = arg;
	const struct wanted *w = &e->wanted[e->done++];
	enum setting_read end = reply ? setting_read_end(&e->value, reply) : SETTING_READ_FAILED;

	if (reply && end == SETTING_READ_FAILED)
		redis_note_error(e->redis, "reading a setting early", reply);
	if (end == SETTING_READ_FAILED)
		e->failed = true;
	else
		early_keys_take(e, w, e->result == SETTING_READ_OK && end == SETTING_READ_OK);
	if (e->done == e->count)
		early_keys_finish(e);
}

static void remember(struct early_keys *e, enum setting_kind kind, const char *name)
{
	if (e->count % NAMES_FIRST == 0)
		e->wanted = xrealloc(e->wanted, (e->count + NAMES_FIRST) * sizeof(*e->wanted));
	e->wanted[e->count++] = (struct wanted){kind, xstrdup(name)};
}

void early_keys_want(enum setting_kind kind, const char *name, void *early_keys)
{
	struct early_keys *e = early_keys;
	char text[RKEY_SIZE];
	struct sbuf key;

	sbuf_init(&key, text, sizeof(text));
	rkeys_format(&key, redis_prefix(e->redis), rkeys_of_setting(kind), name);
	remember(e, kind, name);
	redis_command(e->redis, early_keys_on_hgetall, e, 2, (const char *[]){"HGETALL", text}, NULL);
	redis_command(e->redis, early_keys_on_pttl, e, 2, (const char *[]){"PTTL", text}, NULL);
}
