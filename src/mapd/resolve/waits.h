/*
 * waits.h - those who wait for the facts of one next hop, in the order in which they came.
 *
 * Called by resolve.c.
 */
#ifndef TLSMODE_MAPD_WAITS_H
#define TLSMODE_MAPD_WAITS_H

#include <sys/queue.h>

#include "core/facts.h"

typedef void waits_fn(const struct facts *facts, void *arg);

struct resolve_wait; /* resolve.h */
TAILQ_HEAD(waits, resolve_wait);

struct resolve_wait *waits_add(struct waits *waits); /* waits_set() must follow before any waits_tell() */
void waits_set(struct resolve_wait *w, waits_fn *fn, void *arg);
void waits_leave(struct resolve_wait **w);
/* All who wait now are told, and wait no more. Each may add and leave as it likes: who is added now waits on. */
void waits_tell(struct waits *waits, const struct facts *facts);
void waits_drop(struct waits *waits); /* nobody hears anything */

#endif
