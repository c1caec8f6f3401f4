/*
 * mirror_batch.c - changes announced within a few milliseconds, or in one message, belong together: what vanished among
 * them is judged as one loss (doc/decision.md, "Settings that vanish all at once").
 *
 * A batch is open for BATCH_MS; it is judged when it is closed and all its keys have been read. New and changed keys do
 * not wait for that: they are in force when they are read, and a key that is found again is lost no more.
 */
#include <stdlib.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/guard.h"
#include "io/mirror_priv.h"

#define BATCH_MS 3
#define END_SLACK_MS 1000

struct loss {
	struct key key; /* in mirror.losses */
	TAILQ_ENTRY(loss) link;
	struct batch *batch;
};

struct batch {
	struct batch *next;
	struct mirror *m;
	size_t reads; /* keys of it that are still being read */
	bool closed;
	TAILQ_HEAD(, loss) losses;
	size_t count;
};

struct batch *mirror_batch_open(struct mirror *m)
{
	struct batch *b = m->open;

	if (b)
		return b;
	b = xcalloc(1, sizeof(*b));
	b->m = m;
	TAILQ_INIT(&b->losses);
	b->next = m->batches;
	m->batches = m->open = b;
	mirror_timer_ms(m->batch_timer, BATCH_MS);
	return b;
}

void mirror_batch_join(struct batch *b)
{
	b->reads++;
}

/* Judged from the loop, not from here: a judgement may start a full reading in the middle of somebody's walk. */
void mirror_batch_leave(struct batch *b, void *mirror)
{
	struct mirror *m = mirror;

	if (--b->reads == 0 && b->closed)
		event_active(m->batch_timer, EV_TIMEOUT, 0);
}

static void drop_loss(struct mirror *m, struct loss *l)
{
	TAILQ_REMOVE(&l->batch->losses, l, link);
	l->batch->count--;
	key_set_remove(&m->losses, &l->key);
}

void mirror_batch_lose(struct batch *b, enum setting_kind kind, const char *name)
{
	struct loss *l;

	if (key_set_find(&b->m->losses, kind, name))
		return;
	l = hmap_entry(key_set_add(&b->m->losses, kind, name), struct loss, key);
	l->batch = b;
	TAILQ_INSERT_TAIL(&b->losses, l, link);
	b->count++;
}

void mirror_batch_found(struct mirror *m, enum setting_kind kind, const char *name)
{
	struct key *k = key_set_count(&m->losses) ? key_set_find(&m->losses, kind, name) : NULL;

	if (k)
		drop_loss(m, hmap_entry(k, struct loss, key));
}

static void batch_free(struct batch *b)
{
	struct loss *l;

	while ((l = TAILQ_FIRST(&b->losses)))
		drop_loss(b->m, l);
	free(b);
}

/* Keys of B that did not come to their end: those, Redis may announce a moment before our own clock says so. */
static size_t count_lost(const struct settings *exact, const struct batch *b)
{
	int64_t soon = tick_wall_ms() + END_SLACK_MS;
	const struct loss *l;
	struct setting s;
	size_t lost = 0;

	TAILQ_FOREACH(l, &b->losses, link)
	if (settings_get(exact, (enum setting_kind)l->key.kind, l->key.name, &s) &&
	    (s.ends_at_ms == 0 || s.ends_at_ms > soon))
		lost++;
	return lost;
}

static bool is_mass_loss(const struct mirror *m, const struct batch *b)
{
	const struct settings *exact = m->table.next ? m->table.next : m->table.live;

	return !mirror_is_rereading(m) &&
	       guard_trips(settings_count(exact), count_lost(exact, b), m->conf->settings.guard_percent);
}

static void apply(struct mirror *m, const struct batch *b)
{
	const struct loss *l;

	TAILQ_FOREACH(l, &b->losses, link)
	{
		enum setting_kind kind = (enum setting_kind)l->key.kind;

		/* a full reading judges all that vanished at its end */
		if (mirror_is_rereading(m))
			mirror_table_remove_next(&m->table, kind, l->key.name);
		else
			mirror_remove(m, kind, l->key.name);
	}
}

/* True: the loss was too large, a full reading decides, and no batch is left. */
static bool judge(struct mirror *m, struct batch *b)
{
	if (is_mass_loss(m, b)) {
		log_warn("event=settings_mass_loss gone=%zu", b->count);
		if (!m->held)
			m->exact_at_ms = tick_wall_ms();
		m->vanished = true;
		batch_free(b);
		mirror_load_start(m, "many settings vanished at once");
		return true;
	}
	apply(m, b);
	batch_free(b);
	return false;
}

static void on_batch(evutil_socket_t fd, short what, void *arg)
{
	struct mirror *m = arg;
	struct batch **at = &m->batches, *b;

	(void)fd;
	(void)what;
	if (m->open && !evtimer_pending(m->batch_timer, NULL)) {
		m->open->closed = true;
		m->open = NULL;
	}
	while ((b = *at)) {
		if (!b->closed || b->reads > 0) {
			at = &b->next;
			continue;
		}
		*at = b->next;
		if (judge(m, b))
			return;
	}
	mirror_publish(m);
}

void mirror_batches_drop(struct mirror *m)
{
	struct batch *b;

	while ((b = m->batches)) {
		m->batches = b->next;
		batch_free(b);
	}
	m->open = NULL;
	evtimer_del(m->batch_timer);
}

void mirror_batches_fini(struct mirror *m)
{
	mirror_batches_drop(m);
	event_free(m->batch_timer);
	key_set_fini(&m->losses);
}

void mirror_batches_init(struct mirror *m)
{
	KEY_SET_INIT(&m->losses, struct loss, key);
	m->batch_timer = evtimer_new(m->base, on_batch, m);
	if (!m->batch_timer)
		abort();
}
