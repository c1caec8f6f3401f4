/*
 * reread.h - facts that changed in Redis are read again at once: before another node finds anew what an operator made
 * us forget.
 *
 * One read per next hop at a time; a change while it is on its way makes it begin anew. Our own writes may be heard too
 * (Redis tells of what a script wrote even with NOLOOP): what is read then says nothing new. Called by fact_news.c.
 */
#ifndef TLSMODE_MAPD_REREAD_H
#define TLSMODE_MAPD_REREAD_H

#include <stdbool.h>
#include <stddef.h>

#include "io/redis/fact_store.h"

/* MARKS: all that reread_start() was given. Otherwise as fact_read_fn. */
typedef void reread_fn(const struct nexthop *nexthop, unsigned marks, enum facts_shared how,
		       const struct text_field *sts, size_t sts_count, const struct text_field *dane, size_t dane_count,
		       void *arg);

struct rereads;
/* None is started before rereads_resize(). */
struct rereads *rereads_new(struct event_base *base, struct redis *redis, reread_fn *fn, void *arg);
void rereads_resize(struct rereads *r, size_t max); /* on their way at once */
void rereads_free(struct rereads **r);

/* False: too many are on their way. */
bool reread_start(struct rereads *r, const struct nexthop *nexthop, unsigned marks);

#endif
