/*
 * known_facts.h - what was found out, kept packed in memory: per domain its MTA-STS facts and those of its next hops.
 *
 * One block per domain ("example.com", "example.com:587" and "[example.com]" stand together), so that variants share
 * the policy and go together. Bounded in domains and octets; the least recently used go first, those without a policy
 * in force before all others: such a policy must serve through every live failure, Redis being away included. Ends are
 * not judged here (facts_begin() does). No I/O and no clock. Called by ledger.c, ledger_take.c,
 * fact_news.c and resolve.c.
 */
#ifndef TLSMODE_MAPD_KNOWN_FACTS_H
#define TLSMODE_MAPD_KNOWN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"

#define KNOWN_HOPS_MAX 8 /* next hops kept per domain: those without a port stay, and of the others the last found */
#define KNOWN_OCTETS_EACH 1024 /* octets allowed per domain of the bound, on the average */

struct known_facts;
/* FN is told of each domain whose policy was still in force when it had to go for want of room. */
struct known_facts *known_facts_new(size_t max_domains, void (*fn)(const char *domain, void *arg), void *arg);
void known_facts_free(struct known_facts **k);
void known_facts_resize(struct known_facts *k, size_t max_domains); /* takes effect as domains are put */

/* A copy of F is kept, in place of what was known of its next hop and of its domain's MTA-STS. WITH_HOP false: MTA-STS
 * only. A policy that is in force at NOW gives its domain the privilege to stay. */
void known_facts_put(struct known_facts *k, const struct facts *f, int64_t now, bool with_hop);
/* Writes what is known of NEXTHOP into F (just initialised). False: nothing. */
bool known_facts_get(struct known_facts *k, const struct nexthop *nexthop, struct facts *f);

/* The next hops known of DOMAIN (at most KNOWN_HOPS_MAX), the last found first. */
size_t known_facts_hops(struct known_facts *k, const char *domain, struct nexthop out[KNOWN_HOPS_MAX]);

/* What must be read in Redis again before it is used: */
enum known_mark {
	KNOWN_MARK_STS = 1 << 0,  /* the sts hash of this very domain changed */
	KNOWN_MARK_DANE = 1 << 1, /* a dane hash of this very domain changed: ours is void */
	KNOWN_MARK_ALL = 1 << 2   /* anything may have changed */
};
void known_facts_mark(struct known_facts *k, const char *domain, unsigned marks); /* nothing when DOMAIN is not known */
void known_facts_mark_all(struct known_facts *k);                                 /* takes no time */
unsigned known_facts_marks(struct known_facts *k, const char *domain);
void known_facts_unmark(struct known_facts *k, const char *domain);

struct known_facts_counts {
	size_t domains, with_policy, octets; /* octets of all blocks */
	unsigned long evicted, policies_evicted;
};
void known_facts_counts(const struct known_facts *k, struct known_facts_counts *out);

#endif
