/*
 * mirror_snapshot.c - a timer, the file's present name, and what became of the last attempt (mirror_snapshot.h).
 */
#include "io/mirror/mirror_snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror/snapshot_writer.h"

#define CHANGES_S 5 /* changes in so long are written at once */
#define PAUSE_FIRST_S 1
#define PAUSE_MAX_S 300
#define ALARM_MS 3600000 /* while it fails for one reason: said again so often */
#define UP_TO_DATE INT64_MAX

struct mirror_snapshot {
	struct event_base *base;
	struct mirror_table *table;
	mirror_snapshot_fn *fn;
	void *arg;
	const char *owner;              /* NULL: FILE is not shared */
	char *shared, *file;            /* as configured; our own. NULL: none */
	struct snapshot_writer *writer; /* NULL: none */
	struct event *timer, *outcome;
	bool due;
	unsigned pause_s, failures; /* in a row; 0: the last attempt went well */

	/* monotonic, for any thread */
	_Atomic int64_t good_at_ms, behind_since_ms;
	int64_t touched_at_ms, asked_at_ms;
	int64_t alarm_at_ms; /* when a failure was logged */
	int alarm_errno;     /* and which; 0: none has been since it last went well */
};

static void start_timer(struct mirror_snapshot *s, unsigned seconds)
{
	const struct timeval tv = {(time_t)seconds, 0};

	s->due = true;
	evtimer_add(s->timer, &tv);
}

void mirror_snapshot_touch(struct mirror_snapshot *s)
{
	if (!s->writer || s->due)
		return;
	s->touched_at_ms = tick_mono_ms();
	if (atomic_load(&s->behind_since_ms) == UP_TO_DATE)
		atomic_store(&s->behind_since_ms, s->touched_at_ms);
	start_timer(s, CHANGES_S);
}

static void write_now(struct mirror_snapshot *s)
{
	struct snapshot_info info;

	s->due = false;
	if (!s->writer) /* a reload may have taken the file away */
		return;
	if (!s->fn(&info, s->arg)) {
		atomic_store(&s->behind_since_ms, UP_TO_DATE);
		return;
	}
	s->asked_at_ms = tick_mono_ms();
	snapshot_writer_ask(s->writer, &info);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_now(arg);
}

/* ---- what became of it ---- */
static void take_success(struct mirror_snapshot *s)
{
	atomic_store(&s->good_at_ms, tick_mono_ms());
	atomic_store(&s->behind_since_ms, s->due ? s->touched_at_ms : UP_TO_DATE);
	if (s->failures > 0)
		log_info("event=snapshot_recovered file=%s failures=%u", s->file, s->failures);
	s->failures = s->pause_s = 0;
	s->alarm_errno = 0;
}

static void alarm_failure(struct mirror_snapshot *s, int error)
{
	int64_t now = tick_mono_ms(), good_ms, behind_ms;

	if (error == s->alarm_errno && now - s->alarm_at_ms < ALARM_MS)
		return;
	s->alarm_errno = error;
	s->alarm_at_ms = now;
	mirror_snapshot_ages(s, &good_ms, &behind_ms);
	log_error("event=snapshot_failed file=%s why=\"%s\" age_s=%lld behind_s=%lld do=\"make room, and its directory "
		  "writable for the daemon's account; it is tried again\"",
		  s->file, strerror(error), (long long)(good_ms / 1000), (long long)(behind_ms / 1000));
}

static void take_failure(struct mirror_snapshot *s, int error)
{
	unsigned twice = s->pause_s * 2 < PAUSE_MAX_S ? s->pause_s * 2 : PAUSE_MAX_S;

	if (atomic_load(&s->behind_since_ms) == UP_TO_DATE)
		atomic_store(&s->behind_since_ms, s->asked_at_ms);
	s->failures++;
	s->pause_s = s->pause_s == 0 ? PAUSE_FIRST_S : twice;
	start_timer(s, s->pause_s);
	alarm_failure(s, error);
	log_debug("event=snapshot_retry file=%s failures=%u pause_s=%u", s->file, s->failures, s->pause_s);
}

static void take_outcome(struct mirror_snapshot *s)
{
	int error;

	if (!snapshot_writer_outcome(s->writer, &error))
		return;
	if (error == 0)
		take_success(s);
	else
		take_failure(s, error);
}

static void on_outcome(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	take_outcome(arg);
}

void mirror_snapshot_ages(const struct mirror_snapshot *s, int64_t *good_ms, int64_t *behind_ms)
{
	struct mirror_snapshot *w = (struct mirror_snapshot *)(uintptr_t)s;
	int64_t now = tick_mono_ms(), good = atomic_load(&w->good_at_ms), behind = atomic_load(&w->behind_since_ms);

	*good_ms = good < now && good != UP_TO_DATE ? now - good : 0;
	*behind_ms = behind < now ? now - behind : 0;
}

/* ---- reading ---- */
static void put_known(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	mirror_table_put(arg, kind, name, value);
}

static void take(struct mirror_snapshot *s, const char *file, struct settings *settings,
		 const struct snapshot_info *info)
{
	int64_t age_ms = tick_wall_ms() - info->exact_at_ms;

	mirror_table_begin(s->table);
	settings_each(settings, put_known, s->table);
	mirror_table_exchange(s->table);
	atomic_store(&s->good_at_ms, tick_mono_ms() - (age_ms > 0 ? age_ms : 0));
	log_info("event=snapshot_read file=%s count=%zu age_s=%lld", file, settings_count(settings),
		 (long long)(age_ms / 1000));
}

static enum snapshot_status read_file(struct mirror_snapshot *s, const char *file, struct snapshot_info *out)
{
	struct settings *settings = settings_new();
	char why[160];
	enum snapshot_status status = snapshot_read(file, settings, out, tick_wall_ms(), why, sizeof(why));

	if (status == SNAPSHOT_OK)
		take(s, file, settings, out);
	else if (status == SNAPSHOT_DAMAGED)
		log_error("event=snapshot_damaged file=%s why=\"%s\" do=\"see that Redis has all settings: what was in "
			  "force before is not known, and what is missing cannot be noticed\"",
			  file, why);
	else
		log_info("event=snapshot_missing file=%s", file);
	settings_free(&settings);
	return status;
}

enum snapshot_status mirror_snapshot_read(struct mirror_snapshot *s, struct snapshot_info *out)
{
	enum snapshot_status status;

	if (!s->writer)
		return SNAPSHOT_NONE;
	status = read_file(s, s->file, out);
	if (status == SNAPSHOT_DAMAGED)
		snapshot_writer_keep(s->writer);
	if (status != SNAPSHOT_NONE || !s->owner)
		return status;
	status = read_file(s, s->shared, out);
	if (status == SNAPSHOT_OK)
		mirror_snapshot_touch(s); /* our own from here on */
	return status;
}

/* ---- life ---- */
static void start_writer(struct mirror_snapshot *s, const char *file)
{
	atomic_store(&s->behind_since_ms, UP_TO_DATE);
	atomic_store(&s->good_at_ms, UP_TO_DATE);
	if (!file || file[0] == '\0')
		return;
	atomic_store(&s->good_at_ms, tick_mono_ms());
	s->shared = xstrdup(file);
	s->file = s->owner ? xasprintf("%s.%s", file, s->owner) : xstrdup(file);
	s->writer = snapshot_writer_new(s->file, s->table);
	s->outcome = event_new(s->base, snapshot_writer_fd(s->writer), EV_READ | EV_PERSIST, on_outcome, s);
	if (!s->outcome || event_add(s->outcome, NULL) != 0)
		abort();
}

static void stop_outcome(struct mirror_snapshot *s)
{
	if (s->outcome)
		event_free(s->outcome);
	s->outcome = NULL;
}

static void stop_writer(struct mirror_snapshot *s)
{
	stop_outcome(s);
	snapshot_writer_free(&s->writer);
	free(s->shared);
	free(s->file);
	s->shared = s->file = NULL;
	evtimer_del(s->timer);
	s->due = false;
	s->failures = s->pause_s = 0;
}

void mirror_snapshot_reconf(struct mirror_snapshot *s, const char *file)
{
	if (strcmp(s->shared ? s->shared : "", file ? file : "") == 0)
		return;
	stop_writer(s);
	start_writer(s, file);
	mirror_snapshot_touch(s);
}

struct mirror_snapshot *mirror_snapshot_new(struct event_base *base, const char *file, const char *owner,
					    struct mirror_table *table, mirror_snapshot_fn *fn, void *arg)
{
	struct mirror_snapshot *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->owner = owner;
	s->table = table;
	s->fn = fn;
	s->arg = arg;
	s->timer = evtimer_new(base, on_due, s);
	if (!s->timer)
		abort();
	start_writer(s, file);
	return s;
}

void mirror_snapshot_finish(struct mirror_snapshot *s)
{
	if (!s->writer)
		return;
	take_outcome(s); /* what has failed just now is due, too */
	if (s->due)
		write_now(s);
	stop_outcome(s);
	snapshot_writer_finish(&s->writer);
}

void mirror_snapshot_free(struct mirror_snapshot **snapshot)
{
	struct mirror_snapshot *s = *snapshot;

	*snapshot = NULL;
	if (!s)
		return;
	mirror_snapshot_finish(s);
	stop_writer(s);
	event_free(s->timer);
	free(s);
}
