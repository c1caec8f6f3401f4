/*
 * redis_setup.c - from two open connections to a tracking pair (redis_setup.h).
 *
 * RESP2 tracking: invalidations go to the connection named by REDIRECT, on the channel __redis__:invalidate. BCAST with
 * our prefixes: Redis remembers nothing of what we read, and keys that do not exist yet are announced too. NOLOOP: not
 * what we write ourselves.
 */
#include "io/redis/redis_setup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "core/rkeys.h"
#include "io/redis/redis_greeting.h"

#define ARGS_MAX 24

struct args {
	int argc;
	const char *argv[ARGS_MAX];
	char text[RKEY_SIZE * 2]; /* what is not constant */
	struct sbuf buf;
};

struct setup_step {
	bool on_push;
	bool optional; /* a refusal is logged, and that is all */
	const char *name;
	bool (*put)(const struct redis_setup *s, struct args *a); /* false: nothing to say here */
	/* False: the reply is of the wrong kind; it may say more in WHY (REDIS_WHY_SIZE), which is "". */
	bool (*take)(struct redis_setup *s, const struct redis_reply *reply, char *why);
};

static void put_words(struct args *a, int count, const char *const *words)
{
	for (int i = 0; i < count; i++)
		a->argv[a->argc++] = words[i];
}
#define PUT(a, ...) put_words(a, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static bool put_auth(const struct redis_setup *s, struct args *a)
{
	a->argc = redis_greeting_auth(s->conf, a->argv);
	return a->argc > 0;
}

/* Sentinels may be behind, and a master that was cut off comes back as what it was until they have told it. */
static bool put_role(const struct redis_setup *s, struct args *a)
{
	if (s->conf->sentinels.count == 0)
		return false;
	PUT(a, "ROLE");
	return true;
}

static bool put_select(const struct redis_setup *s, struct args *a)
{
	if (s->conf->database == 0)
		return false;
	sbuf_addf(&a->buf, "%d", s->conf->database);
	PUT(a, "SELECT", a->text);
	return true;
}

static bool put_name(const struct redis_setup *s, struct args *a)
{
	(void)s;
	PUT(a, "CLIENT", "SETNAME", "tlsmode");
	return true;
}

static bool put_info_server(const struct redis_setup *s, struct args *a)
{
	(void)s;
	PUT(a, "INFO", "server");
	return true;
}

static bool put_info_memory(const struct redis_setup *s, struct args *a)
{
	(void)s;
	PUT(a, "INFO", "memory");
	return true;
}

static bool put_id(const struct redis_setup *s, struct args *a)
{
	(void)s;
	PUT(a, "CLIENT", "ID");
	return true;
}

static bool put_subscribe(const struct redis_setup *s, struct args *a)
{
	(void)s;
	PUT(a, "SUBSCRIBE", "__redis__:invalidate");
	return true;
}

/* A harmless reading: LOADING, MASTERDOWN and a missing right show here, and not in the middle of a full reading. */
static bool put_probe(const struct redis_setup *s, struct args *a)
{
	rkeys_format(&a->buf, s->conf->prefix, RKEY_ACCEPT, "settings");
	PUT(a, "PTTL", a->text);
	return true;
}

/* Redis tells every node of every change of what is tracked, and pays for each. So nothing is tracked that changes
 * often and concerns few: not the locks, and not the facts of MX and TLSA, which have their own ends and are read when
 * one is asked for. */
static bool put_tracking(const struct redis_setup *s, struct args *a)
{
	static const enum rkey_kind tracked[] = {RKEY_SENDER, RKEY_RCPT, RKEY_EXCEPT, RKEY_ACCEPT, RKEY_STS};
	size_t count = sizeof(tracked) / sizeof(tracked[0]) - (s->facts ? 0 : 1);

	PUT(a, "CLIENT", "TRACKING", "ON", "REDIRECT", s->push_id, "BCAST", "NOLOOP");
	for (size_t i = 0; i < count; i++) {
		PUT(a, "PREFIX", a->text + a->buf.len);
		rkeys_format(&a->buf, s->conf->prefix, tracked[i], "");
		sbuf_addc(&a->buf, '\0');
	}
	return sbuf_ok(&a->buf);
}

static bool take_role(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	(void)s;
	return redis_greeting_is_master(reply, why, REDIS_WHY_SIZE);
}

static bool take_server(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	(void)why;
	return redis_reply_info(reply, "redis_version:", s->version, sizeof(s->version));
}

static bool take_memory(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	(void)why;
	return redis_reply_info(reply, "maxmemory_policy:", s->policy, sizeof(s->policy));
}

static bool take_id(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	int64_t id;

	(void)why;
	if (!redis_reply_integer(reply, &id) || id <= 0)
		return false;
	snprintf(s->push_id, sizeof(s->push_id), "%" PRId64, id);
	return true;
}

static bool take_subscribed(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	struct redis_text head;

	(void)s;
	(void)why;
	return redis_reply_head(reply, &head) && redis_text_is(&head, "subscribe");
}

static bool take_ok(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	(void)s;
	(void)why;
	return redis_reply_is_status(reply, "OK");
}

static bool take_integer(struct redis_setup *s, const struct redis_reply *reply, char *why)
{
	int64_t any;

	(void)s;
	(void)why;
	return redis_reply_integer(reply, &any);
}

/* Tracking last: what it announces must already have a way to us. */
static const struct setup_step steps[] = {
    {true, false, "AUTH", put_auth, take_ok},
    {true, true, "CLIENT SETNAME", put_name, take_ok},
    {true, false, "CLIENT ID", put_id, take_id},
    {true, false, "SUBSCRIBE", put_subscribe, take_subscribed},
    {false, false, "AUTH", put_auth, take_ok},
    {false, true, "CLIENT SETNAME", put_name, take_ok},
    {false, false, "ROLE", put_role, take_role},
    {false, false, "SELECT", put_select, take_ok},
    {false, true, "INFO server", put_info_server, take_server},
    {false, true, "INFO memory", put_info_memory, take_memory},
    {false, false, "PTTL", put_probe, take_integer},
    {false, false, "CLIENT TRACKING", put_tracking, take_ok},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void next(struct redis_setup *s);

static void log_refused_step(const struct setup_step *step, const struct redis_reply *reply)
{
	char quoted[240];
	struct redis_text error;

	if (redis_reply_error(reply, &error))
		log_warn("event=redis_refused command=\"%s\" error=%s", step->name,
			 log_quote(quoted, sizeof(quoted), error.text, error.len));
}

/* Takes one answer; false: the setup has ended, and S may be gone. */
static bool take_reply(struct redis_setup *s, const struct setup_step *step, const struct redis_reply *reply)
{
	char why[REDIS_WHY_SIZE] = "";
	bool refused = redis_reply_is_error(reply, NULL);

	if (!refused && step->take(s, reply, why))
		return true;
	if (refused && step->optional) {
		log_refused_step(step, reply);
		return true;
	}
	if (why[0] == '\0')
		redis_reply_why(why, sizeof(why), step->name, reply);
	s->done(why, s->arg);
	return false;
}

static void redis_setup_on_reply(const struct redis_reply *reply, void *arg)
{
	struct redis_setup *s = arg;

	if (!reply || !take_reply(s, &steps[s->step], reply))
		return;
	s->step++;
	next(s);
}

static void next(struct redis_setup *s)
{
	for (; s->step < STEPS; s->step++) {
		const struct setup_step *step = &steps[s->step];
		struct args a = {.argc = 0};

		sbuf_init(&a.buf, a.text, sizeof(a.text));
		if (!step->put(s, &a))
			continue;
		redis_link_send(step->on_push ? s->push : s->data, redis_setup_on_reply, s, a.argc, a.argv, NULL);
		return;
	}
	s->done(NULL, s->arg);
}

void redis_setup_start(struct redis_setup *s)
{
	s->step = 0;
	s->version[0] = s->policy[0] = '\0';
	next(s);
}
