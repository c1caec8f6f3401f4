/*
 * mirror_turn.h - whose turn it is to read all settings anew.
 *
 * A failover cuts off every node of a site in the same second. If all of them read everything at once, Redis does
 * nothing else for as long as that takes, and look-ups, locks and announcements wait behind it. So who has settings in
 * force takes one of a few places in Redis (short locks) before he reads, and waits while all are taken. The wait is
 * bounded (5 s: meanwhile a setting that was changed in the gap is not in force), and a Redis that does not answer, or grants no locks, is as good as a place (fact_store.h). Called by
 * mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_TURN_H
#define TLSMODE_IO_MIRROR_TURN_H

#include <stdbool.h>

#include <event2/event.h>

#include "io/redis/redis.h"

struct mirror_turn;

/* Our turn has come, with a place or without one: from the loop, once for each mirror_turn_wait(). */
typedef void mirror_turn_fn(void *arg);

struct mirror_turn *mirror_turn_new(struct event_base *base, struct redis *redis, mirror_turn_fn *fn, void *arg);
void mirror_turn_free(struct mirror_turn **t); /* leaves */

/* Waits for a turn; one that we have, or wait for, is left before. */
void mirror_turn_wait(struct mirror_turn *t);
bool mirror_turn_waits(const struct mirror_turn *t);
/* The reading is over, or given up, or no longer waited for. */
void mirror_turn_leave(struct mirror_turn *t);
/* The connection is lost; our place, if Redis still has it, is left on the next one. */
void mirror_turn_lost(struct mirror_turn *t);

#endif
