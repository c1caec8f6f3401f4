/*
 * due.h - things that fall due: a heap over one clock of base/tick.h and one timer of the event loop.
 *
 * The caller embeds struct due. Nothing is scanned: a million sleeping things cost their place in the heap. The loop
 * looks at least once a second while something waits on the wall clock, so that a clock that is set does not strand
 * what is due.
 */
#ifndef TLSMODE_MAPD_DUE_H
#define TLSMODE_MAPD_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/heap.h"

typedef void due_fn(void *arg);

struct due {
	due_fn *fn;
	void *arg;
	struct heap_node node; /* in its queue's heap, by milliseconds */
};

struct due_queue;

/* CLOCK is tick_wall_ms or tick_mono_ms. */
struct due_queue *due_queue_new(struct event_base *base, int64_t (*clock)(void));
void due_queue_free(struct due_queue **q); /* what still waits is forgotten */

void due_init(struct due *d, due_fn *fn, void *arg);
/* FN is called from the loop once CLOCK has reached AT_MS (never from inside the call); an earlier date of D is
 * replaced. */
void due_set(struct due_queue *q, struct due *d, int64_t at_ms);
void due_clear(struct due_queue *q, struct due *d);

static inline bool due_waits(const struct due *d)
{
	return d->node.place != 0;
}

#endif
