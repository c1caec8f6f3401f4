/*
 * facts_text.h - facts as the readable hashes tlsmode:sts:DOMAIN and tlsmode:dane:NEXTHOP, and back.
 *
 * Every number is decimal, every time unix seconds, every list separated by single spaces. What is read back is checked
 * as strictly as what comes from the network: Redis is shared. Lives: see facts_text_*_ttl().
 *
 *   sts:  txt none|record  txt_id ID  txt_until T
 *         | mode enforce|testing|none  max_age N  mx "a *.b"  id ID  fetched_at T
 *         | failure sts-policy-fetch-error|...  fail_id ID  fail_at T  fail_why TEXT
 *         | refresh T  (never written here: the control tool asks for a fetch; it is due until one has ended after T)
 *   dane: mx secure|insecure  kind records|implicit|null|nxdomain|none  until T  truncated 0|1
 *         hosts "mx1.example usable 1700000000 expanded.example,mx2.example none 1700000000 -"
 *         (name state until expanded, ',' between)
 */
#ifndef TLSMODE_CORE_FACTS_TEXT_H
#define TLSMODE_CORE_FACTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"

struct text_field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

#define FACTS_TEXT_FIELDS_MAX 16

/* The fields of a fact, in heap storage that TEXT_FIELDS owns. */
struct text_fields {
	size_t count;
	struct text_field field[FACTS_TEXT_FIELDS_MAX];
	char *storage;
};
void facts_text_fini(struct text_fields *t);

/* What is worth telling others. False (nothing in OUT) when there is nothing: no policy, no failure, TXT unknown or
 * error; for dane when !facts_dane_shareable(). */
bool facts_text_sts(const struct facts *f, int64_t now, struct text_fields *out);
bool facts_text_dane(const struct facts *f, int64_t now, struct text_fields *out);

/* Seconds the hash should live in Redis from NOW; >= 1. sts: to the policy's expiry or the hold-off's end, at least
 * the TXT's end. */
int64_t facts_text_sts_ttl(const struct facts *f, int64_t now);
int64_t facts_text_dane_ttl(const struct facts *f, int64_t now);

/* Takes fields read from Redis. False with a static *REASON when a value is malformed: nothing of it is taken then. Of
 * two policies the one with the later fetched_at stays; times in the future are cut to NOW. Parts of F that are known
 * and not past their end stay. COUNT 0 (no such key) is fine.
 *
 * Others' word makes stricter at once; what would weaken a policy in force (facts_policy_weakens()) is not taken, but
 * makes a fetch due, a minute after the last one at the soonest. Nor is another node's failed fetch: it is told for
 * people. */
bool facts_text_take_sts(struct facts *f, const struct text_field *field, size_t count, int64_t now,
			 const char **reason);
bool facts_text_take_dane(struct facts *f, const struct text_field *field, size_t count, int64_t now,
			  const char **reason);

#endif
