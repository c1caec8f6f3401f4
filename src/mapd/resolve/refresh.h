/*
 * refresh.h - when each policy in force is fetched anew by itself (RFC 8461 s3.3: daily, before it expires).
 *
 * Knows domains and dates only. Every policy that is held has one date here, whether or not mail asks for it; at most
 * REFRESH_AT_ONCE of them are being fetched, the rest wait in order. Dates are spread: each domain comes a little
 * before its time, by a share of the interval that depends on its name alone.
 */
#ifndef TLSMODE_MAPD_REFRESH_H
#define TLSMODE_MAPD_REFRESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"
#include "mapd/resolve/due.h"

#define REFRESH_AT_ONCE 10
#define REFRESH_SPREAD 10 /* up to a 1/10 of the interval early */

/* DOMAIN's time has come; it has no date any more. True: the fetch is under way until refresh_done(). */
typedef bool refresh_fn(const char *domain, void *arg);

struct refresh;
struct refresh *refresh_new(struct due_queue *wall, refresh_fn *fn, void *arg);
void refresh_free(struct refresh **r);

/* The next date of DOMAIN, unix seconds; INT64_MAX: none. */
void refresh_set(struct refresh *r, const char *domain, int64_t at);
void refresh_done(struct refresh *r);
size_t refresh_count(const struct refresh *r);

/* The date for the policy of F: facts_refresh_at(), brought forward by DOMAIN's share but never to less than
 * FACTS_REFRESH_MIN after the last fetch, nor into a hold-off; that soon when others contradict the policy. Pure. */
int64_t refresh_date(const struct facts *f);
/* What to tell refresh_set() of F at NOW: that date, or the policy's end when it is sooner; INT64_MAX when none is in
 * force. Pure. */
int64_t refresh_next(const struct facts *f, int64_t now);

#endif
