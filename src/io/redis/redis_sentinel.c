/*
 * redis_sentinel.c - where the master is, by Redis Sentinel (redis_sentinel.h).
 *
 * At rest: only the ears are open. Asking: one talk at a time, or (before the first) a timer that lets the caller
 * return. A failover that is announced meanwhile is newer than any answer on its way.
 */
#include "io/redis/redis_sentinel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "base/xalloc.h"
#include "io/redis/redis_setup.h"
#include "io/redis/sentinel_ear.h"
#include "io/redis/sentinel_reply.h"
#include "io/redis/sentinel_talk.h"

#define ASK_MS 500

struct redis_sentinel {
	struct event_base *base;
	const struct conf_redis *conf;
	struct redis_sentinel_events ev;
	void *arg;
	size_t count;
	struct sentinel_ear **ear;
	size_t hearing; /* of the ears */
	size_t first;   /* whom to ask first */
	const char *teller;
	bool asking;
	size_t asked; /* in this round */
	struct sentinel_talk *talk;
	struct event *limit; /* asking: of this talk, or the beginning */
	char why[REDIS_WHY_SIZE];
	struct sbuf whys;
	char refused[REDIS_WHY_SIZE]; /* last answer that was logged as useless */
};

static void limit_ms(struct redis_sentinel *s, unsigned ms)
{
	const struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(s->limit, &tv);
}

static size_t present(const struct redis_sentinel *s)
{
	return (s->first + s->asked) % s->count;
}

static void stop_asking(struct redis_sentinel *s)
{
	s->asking = false;
	sentinel_talk_free(&s->talk);
	evtimer_del(s->limit);
}

static void found(struct redis_sentinel *s, size_t sentinel, const char *address)
{
	stop_asking(s);
	s->first = sentinel;
	s->teller = s->conf->sentinels.item[sentinel];
	s->ev.on_master(address, s->arg);
}

static void note_why(struct redis_sentinel *s, const char *why)
{
	sbuf_addf(&s->whys, "%ssentinel %s: %s", s->whys.len ? "; " : "", s->conf->sentinels.item[present(s)], why);
}

/* ---- asking ---- */
static void ask_next(struct redis_sentinel *s);

static void redis_sentinel_on_failed(const char *why, void *arg)
{
	struct redis_sentinel *s = arg;

	note_why(s, why);
	sentinel_talk_free(&s->talk);
	s->asked++;
	ask_next(s);
}

/* A wrong setting of Sentinel that nobody would find otherwise: the other sentinels may do. Said once. */
static void log_refused(struct redis_sentinel *s, const char *why)
{
	char quoted[REDIS_WHY_SIZE + 40];

	if (strcmp(s->refused, why) == 0)
		return;
	snprintf(s->refused, sizeof(s->refused), "%s", why);
	log_error("event=sentinel_refused sentinel=%s why=%s", s->conf->sentinels.item[present(s)],
		  log_quote(quoted, sizeof(quoted), why, strlen(why)));
}

static void redis_sentinel_on_reply(const struct redis_reply *reply, void *arg)
{
	struct redis_sentinel *s = arg;
	char address[SENTINEL_ADDRESS_SIZE], why[REDIS_WHY_SIZE];

	if (sentinel_reply_master(reply, s->conf->master, address, why, sizeof(why))) {
		s->refused[0] = '\0';
		found(s, present(s), address);
		return;
	}
	log_refused(s, why);
	redis_sentinel_on_failed(why, s);
}

/* Asks the next one that can be asked at all. */
static void ask_next(struct redis_sentinel *s)
{
	static const struct sentinel_talk_events events = {redis_sentinel_on_reply, NULL, redis_sentinel_on_failed};
	const char *words[] = {SENTINEL_QUESTION, s->conf->master};
	char error[160];

	for (; s->asked < s->count; s->asked++) {
		s->talk = sentinel_talk_new(s->base, s->conf, s->conf->sentinels.item[present(s)], 3, words, &events, s,
					    error, sizeof(error));
		if (s->talk) {
			limit_ms(s, ASK_MS);
			return;
		}
		note_why(s, error);
	}
	stop_asking(s);
	s->ev.on_unknown(s->why, s->arg);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct redis_sentinel *s = arg;

	(void)fd;
	(void)what;
	if (s->talk)
		redis_sentinel_on_failed("no answer for 0.5 s", s);
	else
		ask_next(s);
}

void redis_sentinel_ask(struct redis_sentinel *s)
{
	if (s->asking)
		return;
	s->asking = true;
	s->asked = 0;
	sbuf_init(&s->whys, s->why, sizeof(s->why));
	limit_ms(s, 0);
}

void redis_sentinel_distrust(struct redis_sentinel *s)
{
	if (!s->asking)
		s->first = (s->first + 1) % s->count;
}

/* ---- listening ---- */
static void on_hearing(struct sentinel_ear *e, void *arg)
{
	struct redis_sentinel *s = arg;

	(void)e;
	if (s->hearing++ == 0)
		redis_sentinel_ask(s);
}

static void on_deaf(struct sentinel_ear *e, void *arg)
{
	struct redis_sentinel *s = arg;

	(void)e;
	s->hearing--;
}

static void on_switch(struct sentinel_ear *e, const char *address, void *arg)
{
	struct redis_sentinel *s = arg;

	log_info("event=sentinel_switch sentinel=%s master=%s address=%s", sentinel_ear_address(e), s->conf->master,
		 address);
	for (size_t i = 0; i < s->count; i++)
		if (s->ear[i] == e)
			found(s, i, address);
}

/* ---- life ---- */
struct redis_sentinel *redis_sentinel_new(struct event_base *base, const struct conf_redis *conf,
					  const struct redis_sentinel_events *events, void *arg)
{
	static const struct sentinel_ear_events ear_events = {on_hearing, on_deaf, on_switch};
	struct redis_sentinel *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->conf = conf;
	s->ev = *events;
	s->arg = arg;
	s->teller = "";
	s->count = conf->sentinels.count;
	s->limit = evtimer_new(base, on_limit, s);
	if (!s->limit)
		abort();
	s->ear = xcalloc(s->count, sizeof(s->ear[0]));
	for (size_t i = 0; i < s->count; i++)
		s->ear[i] = sentinel_ear_new(base, conf, conf->sentinels.item[i], &ear_events, s);
	return s;
}

void redis_sentinel_free(struct redis_sentinel **sentinel)
{
	struct redis_sentinel *s = *sentinel;

	*sentinel = NULL;
	if (!s)
		return;
	stop_asking(s);
	event_free(s->limit);
	for (size_t i = 0; i < s->count; i++)
		sentinel_ear_free(&s->ear[i]);
	free(s->ear);
	free(s);
}

const char *redis_sentinel_teller(const struct redis_sentinel *s)
{
	return s->teller;
}
