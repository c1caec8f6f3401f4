/*
 * shared_facts.h - what the two hashes in Redis say of a next hop, taken into its facts, and what they make us forget.
 *
 * facts_text.h reads them. Here is what one that is known to have changed may do to facts that are still good (RFC 8461
 * s5.1). A malformed hash is logged, and nothing of it is taken. Called by ledger_take.c and fact_news.c.
 */
#ifndef TLSMODE_MAPD_SHARED_FACTS_H
#define TLSMODE_MAPD_SHARED_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/facts_text.h"

/* A field of the sts hash that says: an operator wants all nodes to forget (`tlsmode cache forget`). A missing hash
 * does not say so. */
#define SHARED_FORGOTTEN "forgotten"
/* And one that says: fetch the policy anew, whatever its date (`tlsmode cache refresh`). */
#define SHARED_REFRESH "refresh"

/* The field NAME, borrowed from FIELD; NULL: there is none. */
const struct text_field *shared_find(const struct text_field *field, size_t count, const char *name);
/* The sts hash says that an operator wants MX and TLSA to be found anew: together with a policy forgotten or fetched
 * anew. */
bool shared_finds_anew(const struct text_field *sts, size_t count);

/* Parts of F that are known and not past their end at NOW stay; of two policies the later one does. */
void shared_take_sts(struct facts *f, const struct text_field *sts, size_t count, int64_t now);
void shared_take_dane(struct facts *f, const struct text_field *dane, size_t count, int64_t now);
/* Takes the sts hash although F may have its parts already: it is known to have changed. Absent, it says nothing: Redis
 * announces a hash that ended or was evicted just like one that somebody removed, and a valid policy outlives both.
 * True: the policy was forgotten first, because an operator said so: it has no date of refresh any more. A fetch on its
 * way stays. */
bool shared_take_changed_sts(struct facts *f, const struct text_field *sts, size_t count, int64_t now);
/* MX and hosts as if never asked. */
void shared_forget_hop(struct facts *f);

#endif
