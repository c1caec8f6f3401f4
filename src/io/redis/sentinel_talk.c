/*
 * sentinel_talk.c - one conversation with one sentinel (sentinel_talk.h).
 */
#include "io/redis/sentinel_talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "io/redis/redis_greeting.h"
#include "io/redis/redis_link.h"
#include "io/redis/redis_advice.h"
#include "io/redis/sentinel_reply.h"

#define WORDS_MAX 4

struct sentinel_talk {
	const struct conf_redis *conf;
	struct sentinel_talk_events ev;
	void *arg;
	struct redis_link *link;
	int argc;
	const char *argv[WORDS_MAX];
	bool said_account;
};

static void sentinel_talk_refused(struct sentinel_talk *t, const char *command, const struct redis_reply *reply)
{
	char why[REDIS_WHY_SIZE];

	redis_reply_why(why, sizeof(why), command, reply);
	t->ev.on_failed(why, t->arg);
}

static void sentinel_talk_say(struct sentinel_talk *t);

static void on_account(const struct redis_reply *reply, void *arg)
{
	struct sentinel_talk *t = arg;

	if (redis_reply_is_status(reply, "OK"))
		sentinel_talk_say(t);
	else
		sentinel_talk_refused(t, "AUTH", reply);
}

/* False: it was shown already, or there is none. */
static bool show_account(struct sentinel_talk *t)
{
	const char *argv[3];
	int argc = redis_greeting_auth(t->conf, argv);

	if (argc == 0 || t->said_account)
		return false;
	t->said_account = true;
	redis_link_send(t->link, on_account, t, argc, argv, NULL);
	return true;
}

static void on_said(const struct redis_reply *reply, void *arg)
{
	struct sentinel_talk *t = arg;

	if (!redis_reply_is_error(reply, NULL))
		t->ev.on_reply(reply, t->arg);
	else if (!sentinel_reply_wants_account(reply) || !show_account(t))
		sentinel_talk_refused(t, t->argv[0], reply);
}

static void sentinel_talk_say(struct sentinel_talk *t)
{
	redis_link_send(t->link, on_said, t, t->argc, t->argv, NULL);
}

static void sentinel_talk_on_open(struct redis_link *l, void *arg)
{
	(void)l;
	sentinel_talk_say(arg);
}

static void sentinel_talk_on_push(const struct redis_reply *reply, void *arg)
{
	struct sentinel_talk *t = arg;

	if (t->ev.on_push)
		t->ev.on_push(reply, t->arg);
}

static void sentinel_talk_on_lost(struct redis_link *l, const char *why, void *arg)
{
	struct sentinel_talk *t = arg;

	(void)l;
	t->ev.on_failed(why, t->arg);
}

struct sentinel_talk *sentinel_talk_new(struct event_base *base, const struct conf_redis *conf, const char *address,
					int argc, const char *const *argv, const struct sentinel_talk_events *events,
					void *arg, char *error, size_t size)
{
	static const struct redis_link_events link_events = {sentinel_talk_on_open, sentinel_talk_on_push,
							     sentinel_talk_on_lost};
	struct sentinel_talk *t = xcalloc(1, sizeof(*t));

	t->conf = conf;
	t->ev = *events;
	t->arg = arg;
	t->argc = argc;
	memcpy(t->argv, argv, (size_t)argc * sizeof(argv[0]));
	t->link = redis_link_new(base, conf, address, events->on_push, &link_events, t, error, size);
	if (!t->link)
		sentinel_talk_free(&t);
	return t;
}

void sentinel_talk_free(struct sentinel_talk **talk)
{
	struct sentinel_talk *t = *talk;

	*talk = NULL;
	if (!t)
		return;
	redis_link_free(&t->link);
	free(t);
}

bool sentinel_talk_alive(struct sentinel_talk *t)
{
	return redis_link_alive(t->link, true);
}
