/*
 * ledger.h - what becomes of facts: kept in memory, shared through Redis, dated for their refresh, told in the log.
 *
 * A job begins with what the ledger knows and ends by being kept in it. Nothing is asked here. Called by resolve.c.
 */
#ifndef TLSMODE_MAPD_LEDGER_H
#define TLSMODE_MAPD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/facts_text.h"
#include "io/redis.h"
#include "mapd/job.h"
#include "mapd/known_facts.h"
#include "base/ratelimit.h"
#include "mapd/refresh.h"

/* A field of the sts hash that says: an operator wants all nodes to forget (`tlsmode cache forget`). A missing hash
 * does not say so. */
#define LEDGER_FORGOTTEN "forgotten"

struct ledger {
	struct redis *redis;
	struct known_facts *known;
	struct refresh *refresh;
	struct ratelimit say_late, say_failed, say_evicted;
	unsigned long timeouts, fetch_ok, fetch_failed, refreshed;
};

void ledger_init(struct ledger *l, struct redis *redis, size_t max_domains);
void ledger_fini(struct ledger *l);

/* What is known goes into JOB's fresh facts, parts past their end left out; marks are taken over by the job. */
void ledger_begin(struct ledger *l, struct job *j);
/* Before JOB's rounds begin anew: what was marked meanwhile is read again. */
void ledger_again(struct ledger *l, struct job *j);
/* Redis was read for JOB. */
void ledger_shared(struct ledger *l, struct job *j, bool served, const struct text_field *sts, size_t sts_count,
		   const struct text_field *dane, size_t dane_count);
/* The sts hash changed while JOB waits for another node's fetch. True: that fetch is over. */
bool ledger_other_fetch(struct ledger *l, struct job *j, const struct text_field *sts, size_t count);
/* JOB's fetch is over: log, count, share. */
void ledger_policy(struct ledger *l, struct job *j, bool ours);
void ledger_late(struct ledger *l, const struct job *j, enum job_limit limit);
/* The sts hash says that an operator wants MX and TLSA to be found anew: together with a policy forgotten or fetched
 * anew. */
bool ledger_finds_anew(const struct text_field *sts, size_t count);
/* What is kept of NEXTHOP is still of use. */
bool ledger_alive(struct ledger *l, const struct nexthop *nexthop);
/* Redis was read because another node (or we) changed the hashes of NEXTHOP that MARKS name: they count more than what
 * is kept. True: that changed. */
bool ledger_reread(struct ledger *l, const struct nexthop *nexthop, unsigned marks, const struct text_field *sts,
		   size_t sts_count, const struct text_field *dane, size_t dane_count);
/* The refresh of F's policy gets its date. */
void ledger_date(struct ledger *l, const struct facts *f);
/* A policy of NEXTHOP's domain is known and in force; if it has ended, it loses its privilege (known_facts.h). */
bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop);
/* Another job of JOB's domain may have been kept with a later policy than JOB has: it is JOB's, too. */
void ledger_take_later(struct ledger *l, struct job *j);
/* JOB's facts are kept, shared if they are ours, and their policy is dated. */
void ledger_keep(struct ledger *l, struct job *j);

#endif
