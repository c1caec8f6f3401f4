/*
 * ledger.h - what becomes of facts: kept in memory, shared through Redis, dated for their refresh, told in the log.
 *
 * A finding begins with what the ledger knows (ledger_take.h) and ends by being kept in it. Nothing is asked here.
 * Called by job.c and resolve.c.
 */
#ifndef TLSMODE_MAPD_LEDGER_H
#define TLSMODE_MAPD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ratelimit.h"
#include "io/redis/redis.h"
#include "mapd/resolve/finding.h"
#include "mapd/resolve/known_facts.h"
#include "mapd/resolve/refresh.h"

struct ledger {
	struct redis *redis;
	struct known_facts *known;
	struct refresh *refresh;
	struct ratelimit say_late, say_failed, say_evicted, say_unread;
	unsigned long unread, weakened, timeouts, fetch_ok, fetch_failed, refreshed;
};

void ledger_init(struct ledger *l, struct redis *redis, size_t max_domains);
void ledger_fini(struct ledger *l);

/* The policy fetch is over, as FOUND's facts say: log, count, share. OURS false: it was another node's, and too long. It
 * ends (finding_fetch_ends()) after this. */
void ledger_policy(struct ledger *l, struct finding *found, bool ours);
/* A limit of time was passed, FOUND->late: log, count. */
void ledger_late(struct ledger *l, const struct finding *found);
/* FOUND's facts are kept, shared if they are ours, and their policy is dated. WANTED: somebody waits for them or was
 * given them; the errors of a prefetch that nobody wanted do not replace what is still good. */
void ledger_keep(struct ledger *l, struct finding *found, bool wanted);
/* A policy of NEXTHOP's domain is known and in force; if it has ended, it loses its privilege (known_facts.h). */
bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop);

#endif
