/*
 * redis_sentinel.h - where the master is, by Redis Sentinel: asks the configured sentinels and hears of failovers.
 *
 * Asked one after the other, each for half a second, beginning with the one that was right last; the first that knows
 * answers. All are listened to (sentinel_ear.h), so that a failover is heard although one of them is cut off from the
 * others; when nobody was listened to for a while, what may have been missed is asked for. What a sentinel says is not
 * proof: the caller looks with ROLE whether a master is there (redis_greeting.h). Used by redis_master.c. The
 * control tool's question, which is waited for, is in redis_blocking.h.
 */
#ifndef TLSMODE_IO_REDIS_SENTINEL_H
#define TLSMODE_IO_REDIS_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "core/sentinel.h"
#include "io/conf/conf.h"

struct redis_sentinel;

struct redis_sentinel_events {
	/* The master is at ADDRESS (the form of redis.address; copy it): the answer to redis_sentinel_ask(), to a
	 * question of its own after a while of deafness, or a failover just announced. */
	void (*on_master)(const char *address, void *arg);
	/* No sentinel says where it is; answers likewise. WHY names each. */
	void (*on_unknown)(const char *why, void *arg);
};

/* CONF (with at least one sentinel) must live as long, EVENTS is copied. */
struct redis_sentinel *redis_sentinel_new(struct event_base *base, const struct conf_redis *conf,
					  const struct redis_sentinel_events *events, void *arg);
void redis_sentinel_free(struct redis_sentinel **s); /* silent; not from inside its callbacks */

/* One of both events comes, from the loop; once, however often it was asked meanwhile. */
void redis_sentinel_ask(struct redis_sentinel *s);
/* The last answer was of no use (nobody there, or no master): the next question goes to another sentinel first. */
void redis_sentinel_distrust(struct redis_sentinel *s);
/* Who gave the last answer: "10.0.0.1:26379"; "" nobody has yet. */
const char *redis_sentinel_teller(const struct redis_sentinel *s);

#endif
