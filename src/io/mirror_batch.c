/*
 * mirror_batch.c - changes announced within a few milliseconds, or in one message, belong together: what vanished among
 * them is judged as one loss (the guard, PRODUCT.md "Settings that vanish all at once").
 *
 * A batch is open for BATCH_MS; it is judged when it is closed and all its keys have been read. New and changed keys do
 * not wait for that: they are in force when they are read.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror_priv.h"

#define BATCH_MS 3
#define END_SLACK_MS 1000

struct loss {
	enum setting_kind kind;
	char *name;
};

struct batch {
	struct batch *next;
	struct mirror *m;
	size_t reads; /* keys of it that are still being read */
	bool closed;
	struct loss *loss;
	size_t count, size;
};

struct batch *mirror_batch_open(struct mirror *m)
{
	struct batch *b = m->open;

	if (b != NULL)
		return b;
	b = xcalloc(1, sizeof(*b));
	b->m = m;
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

void mirror_batch_lose(struct batch *b, enum setting_kind kind, const char *name)
{
	if (b->count == b->size) {
		b->size = b->size ? b->size * 2 : 8;
		b->loss = xrealloc(b->loss, b->size * sizeof(b->loss[0]));
	}
	b->loss[b->count++] = (struct loss){kind, xstrdup(name)};
}

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->loss[i].name);
	free(b->loss);
	free(b);
}

/* Keys of B that did not come to their end: those, Redis may announce a moment before our own clock says so. */
static size_t count_lost(const struct settings *exact, const struct batch *b)
{
	int64_t soon = tick_wall_ms() + END_SLACK_MS;
	struct setting s;
	size_t lost = 0;

	for (size_t i = 0; i < b->count; i++)
		if (settings_get(exact, b->loss[i].kind, b->loss[i].name, &s) && (s.ends_at_ms == 0 || s.ends_at_ms > soon))
			lost++;
	return lost;
}

static bool is_mass_loss(const struct mirror *m, const struct batch *b)
{
	const struct settings *exact = m->table.next ? m->table.next : m->table.live;

	return !m->loading && settings_guard_trips(settings_count(exact), count_lost(exact, b), m->conf->settings.guard_percent);
}

static void apply(struct mirror *m, const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		/* a full reading judges all that vanished at its end */
		if (m->loading)
			mirror_table_remove_next(&m->table, b->loss[i].kind, b->loss[i].name);
		else
			mirror_remove(m, b->loss[i].kind, b->loss[i].name);
	}
}

/* True: the loss was too large, a full reading decides, and no batch is left. */
static bool judge(struct mirror *m, struct batch *b)
{
	if (is_mass_loss(m, b)) {
		log_warn("event=settings_mass_loss gone=%zu", b->count);
		if (!m->held)
			m->exact_at_ms = tick_wall_ms();
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

	(void)fd, (void)what;
	if (m->open != NULL && !evtimer_pending(m->batch_timer, NULL)) {
		m->open->closed = true;
		m->open = NULL;
	}
	while ((b = *at) != NULL) {
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

	while ((b = m->batches) != NULL) {
		m->batches = b->next;
		batch_free(b);
	}
	m->open = NULL;
	evtimer_del(m->batch_timer);
}

void mirror_batches_init(struct mirror *m)
{
	m->batch_timer = evtimer_new(m->base, on_batch, m);
	if (m->batch_timer == NULL)
		abort();
}
