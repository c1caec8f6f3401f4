/*
 * mirror.c - the complete copy of the settings in memory: its life, its changes, ends by the clock, the readers
 * (mirror.h).
 *
 * The state follows from these facts: known (filled once), loading or waiting to, held, and whether Redis is up.
 */
#include "io/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/rkeys.h"
#include "io/mirror_priv.h"

#define ENDS_PER_TURN 500
#define ENDS_SLEEP_MAX_MS 1000 /* the wall clock may be set meanwhile */
#define CLOCK_STEP_MS 1000
#define DAY_MS 86400000
#define ENDLESS_LINES 100

const struct name_code mirror_state_names[] = {
    {"unknown", MIRROR_UNKNOWN}, {"live", MIRROR_LIVE}, {"stale", MIRROR_STALE}, {"held", MIRROR_HELD}, {NULL, 0},
};

void mirror_timer_ms(struct event *ev, int64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(ev, &tv);
}

/* ---- state ---- */
enum mirror_state mirror_state_now(const struct mirror *m)
{
	if (!m->table.known)
		return MIRROR_UNKNOWN;
	if (m->held)
		return MIRROR_HELD;
	return mirror_is_rereading(m) || m->waiting || !redis_is_up(m->redis) ? MIRROR_STALE : MIRROR_LIVE;
}

void mirror_publish(struct mirror *m)
{
	if (m->table.next && m->held && !m->loading)
		atomic_store(&m->held_keys, mirror_table_gone(&m->table));
	else if (!m->held)
		atomic_store(&m->held_keys, 0);
	atomic_store(&m->endless_keys, key_set_count(&m->table.endless));
	atomic_store(&m->bad_values, key_reads_bad(m->reads));
	atomic_store(&m->exact_public_ms, m->exact_at_ms);
}

void mirror_update_state(struct mirror *m, bool changed)
{
	enum mirror_state now = mirror_state_now(m), before = (enum mirror_state)atomic_exchange(&m->state, (int)now);

	mirror_publish(m);
	if (now != before)
		log_info("event=settings_state state=%s was=%s count=%zu", names_name(mirror_state_names, (int)now),
			 names_name(mirror_state_names, (int)before), settings_count(m->table.live));
	if ((changed || now != before) && m->ev.on_all)
		m->ev.on_all(m->arg);
}

void mirror_settle(struct mirror *m)
{
	if (m->settled)
		return;
	m->settled = true;
	evtimer_del(m->settle_timer);
	if (m->ev.on_settled)
		m->ev.on_settled(m->arg);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_settle(arg);
}

/* ---- changes ---- */
static void tell(struct mirror *m, enum setting_kind kind, const char *name)
{
	log_debug("event=setting_changed kind=%s name=%s", names_name(setting_kind_names, (int)kind), name);
	mirror_touch(m);
	if (m->ev.on_setting)
		m->ev.on_setting(kind, name, m->arg);
}

/* A mode is meant to last: one that ends by itself leaves a door open that somebody had closed. */
static void warn_temporary(struct mirror *m, enum setting_kind kind, const char *name, int64_t ends_at_ms)
{
	uint64_t key = complaints_hash(&m->complaints, 100 + (uint64_t)kind, name, strlen(name));

	if (complaints_news(&m->complaints, key, 0) && complaints_may_log(&m->complaints))
		log_warn("event=setting_temporary kind=%s name=%s seconds=%lld",
			 names_name(setting_kind_names, (int)kind), name,
			 (long long)((ends_at_ms - tick_wall_ms()) / 1000));
}

void mirror_put(struct mirror *m, enum setting_kind kind, const char *name, const struct setting *value)
{
	bool changed;

	if (value->ends_at_ms != 0 && kind != SETTING_EXCEPT)
		warn_temporary(m, kind, name, value->ends_at_ms);
	changed = mirror_table_put(&m->table, kind, name, value);
	if (expiry_first_ms(&m->table.ends) != m->armed_ms)
		mirror_arm_ends(m);
	if (changed)
		tell(m, kind, name);
	mirror_check_returned(m);
}

void mirror_remove(struct mirror *m, enum setting_kind kind, const char *name)
{
	if (mirror_table_remove(&m->table, kind, name))
		tell(m, kind, name);
	mirror_check_returned(m);
}

static void on_read(enum setting_kind kind, const char *name, const struct setting *value, struct batch *batch,
		    bool bulk, void *arg)
{
	struct mirror *m = arg;

	if (value) {
		mirror_batch_found(m, kind, name);
		mirror_put(m, kind, name, value);
	} else if (batch && mirror_table_has(&m->table, kind, name)) {
		mirror_batch_lose(batch, kind, name);
	}
	if (bulk || m->loading)
		mirror_load_step(m);
	mirror_publish(m);
}

static void on_refused(const char *why, void *arg)
{
	struct mirror *m = arg;

	redis_drop(m->redis, why);
}

static const struct key_reads_events read_events = {on_read, mirror_batch_leave, on_refused};

/* ---- ends by our own clock ---- */
void mirror_arm_ends(struct mirror *m)
{
	int64_t first = expiry_first_ms(&m->table.ends), now = tick_wall_ms();
	int64_t sleep = first == INT64_MAX ? -1 : first > now ? first - now : 0;

	m->armed_ms = first;
	if (sleep < 0)
		evtimer_del(m->ends_timer);
	else
		mirror_timer_ms(m->ends_timer, sleep > ENDS_SLEEP_MAX_MS ? ENDS_SLEEP_MAX_MS : sleep);
}

/* After a step of our clock the ends we computed are wrong: read them again. */
static bool clock_stepped(struct mirror *m)
{
	int64_t offset = tick_wall_ms() - tick_mono_ms(), moved = offset - m->clock_offset_ms;

	m->clock_offset_ms = offset;
	return moved > CLOCK_STEP_MS || moved < -CLOCK_STEP_MS;
}

static void on_ends(evutil_socket_t fd, short what, void *arg)
{
	struct mirror *m = arg;
	char name[SETTING_NAME_SIZE];
	enum setting_kind kind;
	int64_t now = tick_wall_ms();

	(void)fd;
	(void)what;
	if (clock_stepped(m) && redis_is_up(m->redis)) {
		mirror_load_start(m, "the clock was set");
	} else {
		for (int i = 0; i < ENDS_PER_TURN && expiry_take(&m->table.ends, now, &kind, name); i++)
			mirror_remove(m, kind, name);
		mirror_publish(m);
	}
	mirror_arm_ends(m);
}

/* ---- exceptions without an end ---- */
struct endless_log {
	unsigned lines;
	size_t count;
};

static void log_one(struct hmap_node *node, void *arg)
{
	struct endless_log *l = arg;

	if (l->lines++ < ENDLESS_LINES)
		log_warn("event=exception_without_end name=%s do=\"give it an end with EXPIRE, or delete it\"",
			 hmap_entry(node, struct key, node)->name);
}

void mirror_log_endless(struct mirror *m)
{
	struct endless_log l = {0, key_set_count(&m->table.endless)};

	hmap_each(&m->table.endless.map, log_one, &l);
	if (l.count > ENDLESS_LINES)
		log_warn("event=exceptions_without_end count=%zu see=\"tlsmode status\"", l.count);
	mirror_timer_ms(m->daily_timer, DAY_MS);
}

static void on_daily(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_log_endless(arg);
}

/* ---- life ---- */
struct event *mirror_timer_new(struct mirror *m, event_callback_fn fn)
{
	struct event *ev = evtimer_new(m->base, fn, m);

	if (!ev)
		abort();
	return ev;
}

struct mirror *mirror_new(struct event_base *base, const struct conf *conf, const struct mirror_events *events,
			  void *arg)
{
	struct mirror *m = xcalloc(1, sizeof(*m));
	struct redis_events watch = mirror_redis_events;

	watch.facts = events->on_fact;
	m->base = base;
	m->conf = conf;
	m->ev = *events;
	m->arg = arg;
	m->clock_offset_ms = tick_wall_ms() - tick_mono_ms();
	mirror_table_init(&m->table);
	complaints_init(&m->complaints);
	m->complaints.max = conf->settings.max_changes;
	mirror_batches_init(m);
	mirror_turn_init(m);
	m->ends_timer = mirror_timer_new(m, on_ends);
	m->settle_timer = mirror_timer_new(m, on_settle);
	m->daily_timer = mirror_timer_new(m, on_daily);
	m->again_timer = mirror_timer_new(m, mirror_load_on_again);
	m->redis = redis_new(base, &conf->redis, &watch, m);
	m->reads = key_reads_new(m->redis, &m->complaints, &read_events, m);
	mirror_snapshot_start(m);
	mirror_arm_ends(m);
	mirror_publish(m);
	return m;
}

void mirror_free(struct mirror **mirror)
{
	struct mirror *m = *mirror;

	*mirror = NULL;
	if (!m)
		return;
	mirror_snapshot_end(m);
	mirror_load_abort(m);
	mirror_turn_fini(m);
	key_reads_free(&m->reads);
	redis_free(&m->redis);
	mirror_batches_fini(m);
	event_free(m->ends_timer);
	event_free(m->settle_timer);
	event_free(m->daily_timer);
	event_free(m->again_timer);
	mirror_table_fini(&m->table);
	complaints_fini(&m->complaints);
	free(m);
}

void mirror_reconf(struct mirror *m, const struct conf *conf)
{
	m->conf = conf;
	m->complaints.max = conf->settings.max_changes;
	mirror_snapshot_reconf(m);
	redis_reconf(m->redis, &conf->redis);
}

/* ---- readers ---- */
struct redis *mirror_redis(struct mirror *m)
{
	return m->redis;
}

enum mirror_state mirror_state(const struct mirror *m)
{
	return (enum mirror_state)atomic_load(&((struct mirror *)(uintptr_t)m)->state);
}

const struct settings *mirror_read(struct mirror *m)
{
	pthread_rwlock_rdlock(&m->table.lock);
	return m->table.live;
}

void mirror_done(struct mirror *m)
{
	pthread_rwlock_unlock(&m->table.lock);
}

void mirror_counts(struct mirror *m, struct mirror_counts *out)
{
	out->settings = settings_count(mirror_read(m));
	mirror_done(m);
	out->held = atomic_load(&m->held_keys);
	out->bad_values = atomic_load(&m->bad_values);
	out->reloads = atomic_load(&m->reloads);
	out->loaded_at_ms = mirror_state(m) == MIRROR_LIVE ? tick_wall_ms() : atomic_load(&m->exact_public_ms);
	out->exceptions_without_end = atomic_load(&m->endless_keys);
}
