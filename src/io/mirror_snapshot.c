/*
 * mirror_snapshot.c - when the mirror's snapshot is read and written (how: snapshot.c, snapshot_writer.c).
 *
 * It is read at every start, also when Redis is there: what was in force before the restart is what a mass loss is
 * measured by.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror_priv.h"

#define SETTLE_MS 2000   /* with a snapshot at hand nobody waits longer for Redis */
#define SNAPSHOT_MS 5000 /* changes in so long are written at once */

void mirror_touch(struct mirror *m)
{
	if (!m->writer || m->snapshot_due)
		return;
	m->snapshot_due = true;
	mirror_timer_ms(m->snapshot_timer, SNAPSHOT_MS);
}

static void mirror_snapshot_ask(struct mirror *m)
{
	bool exact = (enum mirror_state)atomic_load(&m->state) == MIRROR_LIVE;
	const struct snapshot_info info = {exact ? tick_wall_ms() : m->exact_at_ms, m->held};

	m->snapshot_due = false;
	if (m->table.known && m->writer) /* a reload may have taken the file away */
		snapshot_writer_ask(m->writer, &info);
}

static void on_snapshot(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_snapshot_ask(arg);
}

static void put_known(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct mirror *m = arg;

	mirror_table_put(&m->table, kind, name, value);
}

static void take_snapshot(struct mirror *m, struct settings *s, const struct snapshot_info *info)
{
	mirror_table_begin(&m->table);
	settings_each(s, put_known, m);
	mirror_table_exchange(&m->table);
	m->exact_at_ms = info->exact_at_ms;
	m->held = info->held;
	atomic_store(&m->state, (int)mirror_state_now(m));
	log_info("event=snapshot_read file=%s count=%zu age_s=%lld", m->snapshot, settings_count(s),
		 (long long)((tick_wall_ms() - info->exact_at_ms) / 1000));
	mirror_timer_ms(m->settle_timer, SETTLE_MS);
}

static void read_snapshot(struct mirror *m)
{
	struct settings *s = settings_new();
	struct snapshot_info info;
	char why[160];

	switch (snapshot_read(m->snapshot, s, &info, tick_wall_ms(), why, sizeof(why))) {
	case SNAPSHOT_OK:
		take_snapshot(m, s, &info);
		break;
	case SNAPSHOT_DAMAGED:
		log_error("event=snapshot_damaged file=%s why=\"%s\" do=\"it is not used, and written anew once Redis "
			  "is there\"",
			  m->snapshot, why);
		break;
	case SNAPSHOT_NONE:
		log_info("event=snapshot_missing file=%s", m->snapshot);
		break;
	}
	settings_free(&s);
}

static void start_writer(struct mirror *m)
{
	const char *file = m->conf->settings.snapshot;

	if (!file || file[0] == '\0')
		return;
	m->snapshot = xstrdup(file);
	m->writer = snapshot_writer_new(m->snapshot, &m->table);
}

void mirror_snapshot_start(struct mirror *m)
{
	m->snapshot_timer = mirror_timer_new(m, on_snapshot);
	start_writer(m);
	if (m->writer)
		read_snapshot(m);
}

static void stop_writer(struct mirror *m)
{
	snapshot_writer_free(&m->writer);
	free(m->snapshot);
	m->snapshot = NULL;
}

void mirror_snapshot_reconf(struct mirror *m)
{
	const char *file = m->conf->settings.snapshot ? m->conf->settings.snapshot : "";

	if (strcmp(m->snapshot ? m->snapshot : "", file) == 0)
		return;
	stop_writer(m);
	start_writer(m);
	mirror_touch(m);
}

/* Redis may be away when we are started again: what has just changed must be found then. */
void mirror_snapshot_end(struct mirror *m)
{
	if (m->snapshot_due)
		mirror_snapshot_ask(m);
	if (m->writer)
		snapshot_writer_finish(&m->writer);
	stop_writer(m);
	event_free(m->snapshot_timer);
}
