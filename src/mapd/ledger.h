/*
 * ledger.h - what becomes of facts: kept in memory, shared through Redis, dated for their refresh, told in the log.
 *
 * A job begins with what the ledger knows (ledger_take.h) and ends by being kept in it. Nothing is asked here. Called by
 * resolve.c.
 */
#ifndef TLSMODE_MAPD_LEDGER_H
#define TLSMODE_MAPD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ratelimit.h"
#include "io/redis.h"
#include "mapd/job.h"
#include "mapd/known_facts.h"
#include "mapd/refresh.h"

struct ledger {
	struct redis *redis;
	struct known_facts *known;
	struct refresh *refresh;
	struct ratelimit say_late, say_failed, say_evicted;
	unsigned long timeouts, fetch_ok, fetch_failed, refreshed;
};

void ledger_init(struct ledger *l, struct redis *redis, size_t max_domains);
void ledger_fini(struct ledger *l);

/* JOB's fetch is over: log, count, share. */
void ledger_policy(struct ledger *l, struct job *j, bool ours);
void ledger_late(struct ledger *l, const struct job *j, enum job_limit limit);
/* JOB's facts are kept, shared if they are ours, and their policy is dated. */
void ledger_keep(struct ledger *l, struct job *j);
/* A policy of NEXTHOP's domain is known and in force; if it has ended, it loses its privilege (known_facts.h). */
bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop);

#endif
