/*
 * due.c - a binary heap of embedded nodes; its top arms one libevent timer.
 *
 * Not a scheduler: functions are called one after the other on the loop's thread. Called by job.c, fetch_turn.c,
 * refresh.c.
 */
#include "mapd/due.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"

#define LOOK_MS 1000 /* the wall clock can be set at any time: look at it this often */

struct due_queue {
	int64_t (*clock)(void);
	struct event *timer;
	struct due **heap; /* heap[1] is due first */
	size_t count, room;
	bool running;
};

static void place(struct due_queue *q, size_t at, struct due *d)
{
	q->heap[at] = d;
	d->place = at;
}

static void sift_up(struct due_queue *q, size_t at, struct due *d)
{
	for (; at > 1 && q->heap[at / 2]->at_ms > d->at_ms; at /= 2)
		place(q, at, q->heap[at / 2]);
	place(q, at, d);
}

static void sift_down(struct due_queue *q, size_t at, struct due *d)
{
	size_t child;

	for (; (child = at * 2) <= q->count; at = child) {
		if (child < q->count && q->heap[child + 1]->at_ms < q->heap[child]->at_ms)
			child++;
		if (q->heap[child]->at_ms >= d->at_ms)
			break;
		place(q, at, q->heap[child]);
	}
	place(q, at, d);
}

static void take_out(struct due_queue *q, struct due *d)
{
	size_t hole = d->place;
	struct due *last = q->heap[q->count--];

	d->place = 0;
	if (last == d)
		return;
	if (hole > 1 && q->heap[hole / 2]->at_ms > last->at_ms)
		sift_up(q, hole, last);
	else
		sift_down(q, hole, last);
}

static void due_arm(struct due_queue *q)
{
	struct timeval tv;
	int64_t wait;

	if (q->running)
		return;
	if (q->count == 0) {
		evtimer_del(q->timer);
		return;
	}
	wait = q->heap[1]->at_ms - q->clock();
	wait = wait < 0 ? 0 : wait > LOOK_MS ? LOOK_MS : wait;
	tv.tv_sec = (time_t)(wait / 1000);
	tv.tv_usec = (suseconds_t)(wait % 1000 * 1000);
	evtimer_add(q->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct due_queue *q = arg;
	int64_t now = q->clock();
	size_t left = q->count; /* what is set again meanwhile waits for the next turn: other events come first */

	(void)fd;
	(void)what;
	q->running = true;
	for (; left > 0 && q->count > 0 && q->heap[1]->at_ms <= now; left--) {
		struct due *d = q->heap[1];

		take_out(q, d);
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
	for (size_t i = 1; i <= (*q)->count; i++)
		(*q)->heap[i]->place = 0;
	event_free((*q)->timer);
	free((*q)->heap);
	free(*q);
	*q = NULL;
}

void due_init(struct due *d, due_fn *fn, void *arg)
{
	*d = (struct due){.fn = fn, .arg = arg};
}

void due_set(struct due_queue *q, struct due *d, int64_t at_ms)
{
	if (due_waits(d))
		take_out(q, d);
	d->at_ms = at_ms;
	if (q->count + 1 >= q->room) {
		q->room = q->room == 0 ? 64 : q->room * 2;
		q->heap = xrealloc(q->heap, q->room * sizeof(q->heap[0]));
	}
	sift_up(q, ++q->count, d);
	if (d->place == 1)
		due_arm(q);
}

void due_clear(struct due_queue *q, struct due *d)
{
	bool first = d->place == 1;

	if (!due_waits(d))
		return;
	take_out(q, d);
	if (first)
		due_arm(q);
}
