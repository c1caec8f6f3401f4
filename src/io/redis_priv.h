/*
 * redis_priv.h - what redis.c and redis_master.c share. Nobody else includes it.
 */
#ifndef TLSMODE_IO_REDIS_PRIV_H
#define TLSMODE_IO_REDIS_PRIV_H

#include "io/redis.h"
#include "io/redis_link.h"
#include "io/redis_sentinel.h"
#include "io/redis_setup.h"

#define REDIS_PAUSE_MIN_MS 100

struct refused {
	redis_reply_fn *fn;
	void *arg;
};

struct redis {
	struct event_base *base;
	const struct conf_redis *conf;
	struct redis_events ev;
	void *arg;
	struct redis_sentinel *sentinel; /* NULL: conf->address it is */
	char address[128];               /* of the pair, or of the last one; "" no sentinel has told it yet */
	struct redis_link *data, *push;
	int open; /* links */
	struct redis_setup setup;
	bool up;
	bool untold;    /* on_down is due */
	bool told_down; /* on_down was called since the last on_up */
	struct event *retry, *tick;
	unsigned pause_ms;
	int64_t up_at_ms, tick_ms, role_ms;
	/* commands that will never be answered; their callers hear it from the loop */
	struct refused *refused;
	size_t refused_count, refused_size;
	struct event *later;
	bool *freed;
	char version[32], policy[32], last_error[REDIS_WHY_SIZE];
	char logged[REDIS_WHY_SIZE]; /* last reason logged since we were up */
	char noted[REDIS_WHY_SIZE];
	int64_t noted_ms;
	unsigned long reconnects;
	size_t busy; /* so many commands without a reply are too many; 0: never */
	int64_t busy_noted_ms;
};

/* Both connections end, whatever state they are in; the next attempt comes after the pause. */
void redis_lost(struct redis *r, const char *why);
/* A new pair to ADDRESS; there is none. */
void redis_open_links(struct redis *r, const char *address);

/* redis_master.c: with sentinels. */
void redis_master_start(struct redis *r); /* anew, after a change of conf, too; none are configured: nothing */
void redis_master_watch(struct redis *r, int64_t now); /* now and then: is it still a master? */

#endif
