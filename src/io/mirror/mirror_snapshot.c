/*
 * mirror_snapshot.c - a timer, and the file's present name (mirror_snapshot.h).
 */
#include "io/mirror/mirror_snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror/snapshot_writer.h"

#define CHANGES_S 5 /* changes in so long are written at once */

struct mirror_snapshot {
	struct mirror_table *table;
	mirror_snapshot_fn *fn;
	void *arg;
	char *file;                     /* NULL: none */
	struct snapshot_writer *writer; /* NULL: none */
	struct event *timer;
	bool due;
};

void mirror_snapshot_touch(struct mirror_snapshot *s)
{
	static const struct timeval tv = {CHANGES_S, 0};

	if (!s->writer || s->due)
		return;
	s->due = true;
	evtimer_add(s->timer, &tv);
}

static void write_now(struct mirror_snapshot *s)
{
	struct snapshot_info info;

	s->due = false;
	if (s->writer && s->fn(&info, s->arg)) /* a reload may have taken the file away */
		snapshot_writer_ask(s->writer, &info);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_now(arg);
}

static void put_known(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	mirror_table_put(arg, kind, name, value);
}

static void take(struct mirror_snapshot *s, struct settings *settings, const struct snapshot_info *info)
{
	mirror_table_begin(s->table);
	settings_each(settings, put_known, s->table);
	mirror_table_exchange(s->table);
	log_info("event=snapshot_read file=%s count=%zu age_s=%lld", s->file, settings_count(settings),
		 (long long)((tick_wall_ms() - info->exact_at_ms) / 1000));
}

bool mirror_snapshot_read(struct mirror_snapshot *s, struct snapshot_info *out)
{
	struct settings *settings;
	enum snapshot_status status;
	char why[160];

	if (!s->writer)
		return false;
	settings = settings_new();
	status = snapshot_read(s->file, settings, out, tick_wall_ms(), why, sizeof(why));
	if (status == SNAPSHOT_OK)
		take(s, settings, out);
	else if (status == SNAPSHOT_DAMAGED)
		log_error("event=snapshot_damaged file=%s why=\"%s\" do=\"it is not used, and written anew once Redis "
			  "is there\"",
			  s->file, why);
	else
		log_info("event=snapshot_missing file=%s", s->file);
	settings_free(&settings);
	return status == SNAPSHOT_OK;
}

static void start_writer(struct mirror_snapshot *s, const char *file)
{
	if (!file || file[0] == '\0')
		return;
	s->file = xstrdup(file);
	s->writer = snapshot_writer_new(s->file, s->table);
}

static void stop_writer(struct mirror_snapshot *s)
{
	snapshot_writer_free(&s->writer);
	free(s->file);
	s->file = NULL;
}

void mirror_snapshot_reconf(struct mirror_snapshot *s, const char *file)
{
	if (strcmp(s->file ? s->file : "", file ? file : "") == 0)
		return;
	stop_writer(s);
	start_writer(s, file);
	mirror_snapshot_touch(s);
}

struct mirror_snapshot *mirror_snapshot_new(struct event_base *base, const char *file, struct mirror_table *table,
					    mirror_snapshot_fn *fn, void *arg)
{
	struct mirror_snapshot *s = xcalloc(1, sizeof(*s));

	s->table = table;
	s->fn = fn;
	s->arg = arg;
	s->timer = evtimer_new(base, on_due, s);
	if (!s->timer)
		abort();
	start_writer(s, file);
	return s;
}

void mirror_snapshot_free(struct mirror_snapshot **snapshot)
{
	struct mirror_snapshot *s = *snapshot;

	*snapshot = NULL;
	if (!s)
		return;
	if (s->due)
		write_now(s);
	if (s->writer)
		snapshot_writer_finish(&s->writer);
	stop_writer(s);
	event_free(s->timer);
	free(s);
}
