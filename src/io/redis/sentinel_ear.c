/*
 * sentinel_ear.c - listens to one sentinel for failovers (sentinel_ear.h).
 *
 * Pausing: retry is armed. Talking: connecting, or SUBSCRIBE is on its way. Hearing.
 */
#include "io/redis/sentinel_ear.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "core/sentinel.h"
#include "io/redis/redis_setup.h"
#include "io/redis/sentinel_talk.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 5000
#define WATCH_S 1

struct sentinel_ear {
	struct event_base *base;
	const struct conf_redis *conf;
	const char *address;
	struct sentinel_ear_events ev;
	void *arg;
	struct sentinel_talk *talk; /* NULL while pausing */
	bool hearing;
	struct event *retry, *watch;
	unsigned pause_ms;
	char logged[REDIS_WHY_SIZE]; /* last reason since we could hear */
};

static void failed(struct sentinel_ear *e, const char *why)
{
	const struct timeval pause = {e->pause_ms / 1000, (suseconds_t)(e->pause_ms % 1000) * 1000};
	char quoted[REDIS_WHY_SIZE + 40];
	bool was_hearing = e->hearing;

	if (strcmp(e->logged, why) != 0) {
		snprintf(e->logged, sizeof(e->logged), "%s", why);
		log_warn("event=sentinel_down sentinel=%s why=%s", e->address,
			 log_quote(quoted, sizeof(quoted), why, strlen(why)));
	}
	sentinel_talk_free(&e->talk);
	e->hearing = false;
	evtimer_add(e->retry, &pause);
	e->pause_ms = e->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : e->pause_ms * 2;
	if (was_hearing)
		e->ev.on_deaf(e, e->arg);
}

static void sentinel_ear_on_failed(const char *why, void *arg)
{
	failed(arg, why);
}

/* It can be heard, but not understood: a failover may have been missed. */
static void not_understood(struct sentinel_ear *e, const char *what, const struct redis_reply *reply)
{
	char why[REDIS_WHY_SIZE];

	redis_reply_why(why, sizeof(why), what, reply);
	failed(e, why);
}

static void sentinel_ear_on_reply(const struct redis_reply *reply, void *arg)
{
	struct sentinel_ear *e = arg;
	struct redis_text head;

	if (!redis_reply_head(reply, &head) || !redis_text_is(&head, "subscribe")) {
		not_understood(e, "SUBSCRIBE", reply);
		return;
	}
	e->hearing = true;
	e->pause_ms = PAUSE_MIN_MS;
	e->logged[0] = '\0';
	log_info("event=sentinel_up sentinel=%s", e->address);
	e->ev.on_hearing(e, e->arg);
}

/* "message", "+switch-master", "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT" */
static void sentinel_ear_on_push(const struct redis_reply *reply, void *arg)
{
	struct sentinel_ear *e = arg;
	struct redis_text text;
	char address[SENTINEL_ADDRESS_SIZE], quoted[240];
	const char *reason;

	if (!redis_reply_message(reply, &text)) {
		e->pause_ms = PAUSE_MAX_MS; /* it subscribes well enough, and would say the same at once */
		not_understood(e, "+switch-master", reply);
		return;
	}
	switch (sentinel_switch_parse(text.text, text.len, e->conf->master, address, &reason)) {
	case SENTINEL_SWITCH_OTHER:
		break;
	case SENTINEL_SWITCH_MOVED:
		e->ev.on_switch(e, address, e->arg);
		break;
	case SENTINEL_SWITCH_BAD:
		log_error("event=sentinel_refused sentinel=%s announced=%s why=\"%s\"", e->address,
			  log_quote(quoted, sizeof(quoted), text.text, text.len), reason);
		break;
	}
}

static void sentinel_ear_on_retry(evutil_socket_t fd, short what, void *arg)
{
	static const char *const words[] = {"SUBSCRIBE", "+switch-master"};
	static const struct sentinel_talk_events events = {sentinel_ear_on_reply, sentinel_ear_on_push,
							   sentinel_ear_on_failed};
	struct sentinel_ear *e = arg;
	char error[160];

	(void)fd;
	(void)what;
	e->talk = sentinel_talk_new(e->base, e->conf, e->address, 2, words, &events, e, error, sizeof(error));
	if (!e->talk)
		failed(e, error);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct sentinel_ear *e = arg;

	(void)fd;
	(void)what;
	if (e->talk && !sentinel_talk_alive(e->talk))
		failed(e, "no answer for 2 s");
}

struct sentinel_ear *sentinel_ear_new(struct event_base *base, const struct conf_redis *conf, const char *address,
				      const struct sentinel_ear_events *events, void *arg)
{
	const struct timeval now = {0, 0}, watch = {WATCH_S, 0};
	struct sentinel_ear *e = xcalloc(1, sizeof(*e));

	e->base = base;
	e->conf = conf;
	e->address = address;
	e->ev = *events;
	e->arg = arg;
	e->pause_ms = PAUSE_MIN_MS;
	e->retry = evtimer_new(base, sentinel_ear_on_retry, e);
	e->watch = event_new(base, -1, EV_PERSIST, on_watch, e);
	if (!e->retry || !e->watch)
		abort();
	evtimer_add(e->retry, &now);
	evtimer_add(e->watch, &watch);
	return e;
}

void sentinel_ear_free(struct sentinel_ear **ear)
{
	struct sentinel_ear *e = *ear;

	*ear = NULL;
	if (!e)
		return;
	sentinel_talk_free(&e->talk);
	event_free(e->retry);
	event_free(e->watch);
	free(e);
}

const char *sentinel_ear_address(const struct sentinel_ear *e)
{
	return e->address;
}
