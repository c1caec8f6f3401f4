/*
 * redis_master.h - where the pair of redis.h is to go, with sentinels, and whether a master is still there.
 *
 * What sentinels say is not proof, and a master may be demoted while nobody tells us (REPLICAOF by hand, a sentinel that
 * could not reach us): the server is asked for its ROLE every second. Called by redis.c; one thread.
 */
#ifndef TLSMODE_IO_REDIS_MASTER_H
#define TLSMODE_IO_REDIS_MASTER_H

#include <stdint.h>

#include <event2/event.h>

#include "io/conf/conf.h"
#include "io/redis/redis_link.h"

struct redis_master;

/* From the loop, never from inside a call. */
struct redis_master_events {
	/* It is at ADDRESS (copy it), and the pair is not: the answer to redis_master_ask(), or a failover. */
	void (*on_master)(const char *address, void *arg);
	/* There is no pair, and nobody knows where one could go; or there is one with what is no master any more. */
	void (*on_lost)(const char *why, void *arg);
};

/* CONF (with at least one sentinel) must live as long, EVENTS is copied. */
struct redis_master *redis_master_new(struct event_base *base, const struct conf_redis *conf,
				      const struct redis_master_events *events, void *arg);
void redis_master_free(struct redis_master **m);

/* There is no pair: where is the master? */
void redis_master_ask(struct redis_master *m);
/* The pair is at ADDRESS, and LINK is the one for commands; until redis_master_left(), which comes before LINK goes. */
void redis_master_joined(struct redis_master *m, const char *address, struct redis_link *link);
void redis_master_left(struct redis_master *m);
/* The last answer was of no use: the next question goes to another sentinel first. */
void redis_master_distrust(struct redis_master *m);
/* Now and then, while the pair works: is it still a master? NOW_MS: monotonic. */
void redis_master_watch(struct redis_master *m, int64_t now_ms);
/* The sentinel that gave the last answer; "" none has yet. */
const char *redis_master_teller(const struct redis_master *m);

#endif
