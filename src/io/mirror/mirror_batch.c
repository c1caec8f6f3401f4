/*
 * mirror_batch.c - lists of losses, each key in one of them (mirror_batch.h).
 */
#include "io/mirror/mirror_batch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/xalloc.h"
#include "io/mirror/key_set.h"

#define OPEN_US 3000
#define END_SLACK_MS 1000 /* Redis may announce an end a moment before our own clock says so */

struct loss {
	struct key key; /* in mirror_batches.losses */
	TAILQ_ENTRY(loss) link;
	struct batch *batch;
};

struct batch {
	struct mirror_batches *all;
	struct batch *next;
	size_t reads; /* keys of it that are still being read */
	bool closed;
	TAILQ_HEAD(, loss) losses;
	size_t count;
};

struct mirror_batches {
	struct mirror_batch_events ev;
	void *arg;
	struct batch *first, *open;
	struct key_set losses; /* of all batches not judged yet */
	struct event *timer;
};

struct batch *mirror_batch_open(struct mirror_batches *all)
{
	static const struct timeval tv = {0, OPEN_US};
	struct batch *b = all->open;

	if (b)
		return b;
	b = xcalloc(1, sizeof(*b));
	b->all = all;
	TAILQ_INIT(&b->losses);
	b->next = all->first;
	all->first = all->open = b;
	evtimer_add(all->timer, &tv);
	return b;
}

void mirror_batch_join(struct batch *b)
{
	b->reads++;
}

/* Judged from the loop, not from here: a judgement may start a full reading in the middle of somebody's walk. */
void mirror_batch_leave(struct batch *b)
{
	if (--b->reads == 0 && b->closed)
		event_active(b->all->timer, EV_TIMEOUT, 0);
}

static void drop_loss(struct loss *l)
{
	struct batch *b = l->batch;

	TAILQ_REMOVE(&b->losses, l, link);
	b->count--;
	key_set_remove(&b->all->losses, &l->key);
}

void mirror_batch_lose(struct batch *b, enum setting_kind kind, const char *name)
{
	struct key_set *losses = &b->all->losses;
	struct loss *l;

	if (key_set_find(losses, kind, name))
		return;
	l = hmap_entry(key_set_add(losses, kind, name), struct loss, key);
	l->batch = b;
	TAILQ_INSERT_TAIL(&b->losses, l, link);
	b->count++;
}

void mirror_batches_found(struct mirror_batches *all, enum setting_kind kind, const char *name)
{
	struct key *k = key_set_count(&all->losses) ? key_set_find(&all->losses, kind, name) : NULL;

	if (k)
		drop_loss(hmap_entry(k, struct loss, key));
}

size_t mirror_batches_losses(const struct mirror_batches *all)
{
	return key_set_count(&all->losses);
}

size_t mirror_batch_lost(const struct batch *b, const struct settings *exact, int64_t now_ms)
{
	int64_t soon = now_ms + END_SLACK_MS;
	const struct loss *l;
	struct setting s;
	size_t lost = 0;

	TAILQ_FOREACH(l, &b->losses, link)
	if (settings_get(exact, (enum setting_kind)l->key.kind, l->key.name, &s) &&
	    (s.ends_at_ms == 0 || s.ends_at_ms > soon))
		lost++;
	return lost;
}

static void batch_free(struct batch *b)
{
	struct loss *l;

	while ((l = TAILQ_FIRST(&b->losses)))
		drop_loss(l);
	free(b);
}

static void tell_losses(const struct batch *b, enum guard_loss how)
{
	const struct mirror_batches *all = b->all;
	const struct loss *l;

	TAILQ_FOREACH(l, &b->losses, link)
	all->ev.lost((enum setting_kind)l->key.kind, l->key.name, how, all->arg);
}

/* B stands in no list. False: a full reading decides, and no batch is left. */
static bool mirror_batch_judge(struct mirror_batches *all, struct batch *b)
{
	enum guard_loss how = all->ev.judge(b, all->arg);
	size_t count = b->count;

	if (how != GUARD_MASS_LOSS)
		tell_losses(b, how);
	batch_free(b);
	if (how != GUARD_MASS_LOSS)
		return true;
	mirror_batches_drop(all);
	all->ev.mass_loss(count, all->arg);
	return false;
}

static void mirror_batch_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mirror_batches *all = arg;
	struct batch **at = &all->first, *b;

	(void)fd;
	(void)what;
	if (all->open && !evtimer_pending(all->timer, NULL)) {
		all->open->closed = true;
		all->open = NULL;
	}
	while ((b = *at)) {
		if (!b->closed || b->reads > 0) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		if (!mirror_batch_judge(all, b))
			return;
	}
	all->ev.judged(all->arg);
}

void mirror_batches_drop(struct mirror_batches *all)
{
	struct batch *b;

	while ((b = all->first)) {
		all->first = b->next;
		batch_free(b);
	}
	all->open = NULL;
	evtimer_del(all->timer);
}

struct mirror_batches *mirror_batches_new(struct event_base *base, const struct mirror_batch_events *ev, void *arg)
{
	struct mirror_batches *all = xcalloc(1, sizeof(*all));

	all->ev = *ev;
	all->arg = arg;
	KEY_SET_INIT(&all->losses, struct loss, key);
	all->timer = evtimer_new(base, mirror_batch_on_timer, all);
	if (!all->timer)
		abort();
	return all;
}

void mirror_batches_free(struct mirror_batches **all)
{
	struct mirror_batches *gone = *all;

	*all = NULL;
	if (!gone)
		return;
	mirror_batches_drop(gone);
	event_free(gone->timer);
	key_set_fini(&gone->losses);
	free(gone);
}
