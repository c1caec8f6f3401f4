/*
 * due.c - a heap whose first arms one libevent timer.
 *
 * Not a scheduler: functions are called one after the other on the loop's thread. Called by job.c, fetch_turn.c,
 * refresh.c.
 */
#include "mapd/resolve/due.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"

#define LOOK_MS 1000 /* the wall clock can be set at any time: look at it this often */

struct due_queue {
	int64_t (*clock)(void);
	struct event *timer;
	struct heap heap;
	bool running;
};

static void due_arm(struct due_queue *q)
{
	const struct heap_node *first = heap_first(&q->heap);
	struct timeval tv;
	int64_t wait;

	if (q->running)
		return;
	if (!first) {
		evtimer_del(q->timer);
		return;
	}
	wait = first->at - q->clock();
	wait = wait < 0 ? 0 : wait > LOOK_MS ? LOOK_MS : wait;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	evtimer_add(q->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct due_queue *q = arg;
	int64_t now = q->clock();
	size_t left = q->heap.count; /* what is set again meanwhile waits for the next turn: other events come first */
	struct heap_node *n;

	(void)fd;
	(void)what;
	q->running = true;
	for (; left > 0 && (n = heap_first(&q->heap)) && n->at <= now; left--) {
		struct due *d = heap_entry(n, struct due, node);

		heap_remove(&q->heap, n);
		d->fn(d->arg);
	}
	q->running = false;
	due_arm(q);
}

struct due_queue *due_queue_new(struct event_base *base, int64_t (*clock)(void))
{
	struct due_queue *q = xcalloc(1, sizeof(*q));

	q->clock = clock;
	q->timer = evtimer_new(base, on_timer, q);
	return q;
}

void due_queue_free(struct due_queue **q)
{
	if (!*q)
		return;
	heap_fini(&(*q)->heap);
	event_free((*q)->timer);
	free(*q);
	*q = NULL;
}

void due_init(struct due *d, due_fn *fn, void *arg)
{
	*d = (struct due){.fn = fn, .arg = arg};
}

void due_set(struct due_queue *q, struct due *d, int64_t at_ms)
{
	heap_set(&q->heap, &d->node, at_ms);
	if (heap_first(&q->heap) == &d->node)
		due_arm(q);
}

void due_clear(struct due_queue *q, struct due *d)
{
	bool first = heap_first(&q->heap) == &d->node;

	if (!due_waits(d))
		return;
	heap_remove(&q->heap, &d->node);
	if (first)
		due_arm(q);
}
