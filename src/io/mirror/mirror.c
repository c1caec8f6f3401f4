/*
 * mirror.c - puts the parts of the mirror together (mirror.h).
 *
 * They know nothing of each other and tell this file what happens: Redis speaks (mirror_watch.h), a key was read
 * (key_reads.h), losses are to be judged (mirror_batch.h), a full reading is complete (mirror_load.h), it is our turn
 * (mirror_turn.h), a setting ends (mirror_clock.h). What is in force, and how exact that is, is the copy's affair
 * (mirror_copy.h); what vanished is judged by core/guard.h alone.
 */
#include "io/mirror/mirror.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror/accept_key.h"
#include "io/mirror/complaints.h"
#include "io/mirror/key_reads.h"
#include "io/mirror/mirror_batch.h"
#include "io/mirror/mirror_clock.h"
#include "io/mirror/mirror_copy.h"
#include "io/mirror/mirror_endless.h"
#include "io/mirror/mirror_load.h"
#include "io/mirror/mirror_settle.h"
#include "io/mirror/mirror_snapshot.h"
#include "io/mirror/mirror_turn.h"
#include "io/mirror/mirror_watch.h"

struct mirror {
	const struct conf *conf;
	struct mirror_events ev;
	void *arg;
	struct mirror_copy copy;
	struct complaints complaints;
	struct mirror_watch *watch;
	struct redis *redis; /* the watch's */
	struct key_reads *reads;
	struct mirror_batches *batches;
	struct mirror_load *load;
	struct mirror_turn *turn;
	struct mirror_clock *clock;
	struct mirror_endless *endless;
	struct mirror_snapshot *snapshot;
	struct accept_key word;
	struct mirror_settle settle;
	unsigned long heard;              /* keys announced */
	atomic_ulong bad_values, reloads; /* for any thread */
};

/* ---- keys that were read ---- */
static void publish(struct mirror *m)
{
	atomic_store(&m->bad_values, key_reads_bad(m->reads));
	mirror_copy_publish(&m->copy);
}

static void on_read(enum setting_kind kind, const char *name, const struct setting *value, struct batch *batch,
		    bool bulk, void *arg)
{
	struct mirror *m = arg;

	(void)bulk;
	if (value) {
		mirror_batches_found(m->batches, kind, name);
		mirror_copy_put(&m->copy, kind, name, value);
		mirror_clock_arm(m->clock);
	} else if (batch && mirror_copy_has(&m->copy, kind, name)) {
		mirror_batch_lose(batch, kind, name);
	}
	mirror_load_step(m->load);
	publish(m);
}

static void on_leave(struct batch *batch, void *arg)
{
	(void)arg;
	mirror_batch_leave(batch);
}

static void on_refused(const char *why, void *arg)
{
	struct mirror *m = arg;

	redis_drop(m->redis, why);
}

/* ---- full readings ---- */
/* Given up: replies are not heard. Held keys stay held. */
static void abort_reading(struct mirror *m)
{
	accept_key_abort(&m->word);
	mirror_load_abort(m->load);
	key_reads_abort(m->reads);
	mirror_batches_drop(m->batches);
	mirror_copy_abort(&m->copy);
}

static void read_all(struct mirror *m, const char *why)
{
	mirror_copy_inexact(&m->copy);
	abort_reading(m);
	mirror_load_start(m->load, why);
}

static void on_begin(void *arg)
{
	struct mirror *m = arg;

	if (mirror_turn_waits(m->turn))
		mirror_turn_leave(m->turn); /* this cannot wait */
	mirror_copy_begin(&m->copy);
	accept_key_ask(&m->word);
	mirror_copy_update(&m->copy, false);
}

static bool on_complete(const struct mirror_load_result *r, void *arg)
{
	struct mirror *m = arg;
	bool judged;

	atomic_fetch_add(&m->reloads, 1);
	judged = mirror_copy_complete(&m->copy, r->missed, r->put_off, r->took_ms) != GUARD_PUT_OFF;
	if (judged) {
		mirror_turn_leave(m->turn);
		mirror_endless_log(m->endless);
	}
	mirror_settle_now(&m->settle);
	return judged;
}

static void on_turn(void *arg)
{
	read_all(arg, "connected");
}

/* ---- losses that are judged together ---- */
static enum guard_loss mirror_judge(const struct batch *b, void *arg)
{
	struct mirror *m = arg;
	bool due = mirror_load_due(m->load); /* then nobody looks at the number */

	return mirror_copy_judge(&m->copy, due ? 0 : mirror_batch_lost(b, mirror_copy_exact(&m->copy), tick_wall_ms()));
}

static void on_lost(enum setting_kind kind, const char *name, enum guard_loss how, void *arg)
{
	struct mirror *m = arg;

	mirror_copy_lose(&m->copy, kind, name, how);
}

static void on_mass_loss(size_t gone, void *arg)
{
	log_warn("event=settings_mass_loss gone=%zu", gone);
	read_all(arg, "many settings vanished at once");
}

static void on_judged(void *arg)
{
	publish(arg);
}

/* ---- what Redis tells ---- */
/* Settings are in force that Redis has confirmed before, and no operator waits for their reading. */
static bool may_wait(const struct mirror *m)
{
	return mirror_load_count(m->load) > 0 && mirror_copy_is_sound(&m->copy);
}

static void on_up(void *arg)
{
	struct mirror *m = arg;

	if (may_wait(m)) {
		mirror_turn_wait(m->turn);
		mirror_copy_update(&m->copy, false);
	} else {
		read_all(m, "connected");
	}
	if (m->ev.on_reading && !mirror_copy_is_blind(&m->copy))
		m->ev.on_reading(m->arg);
}

static void on_down(void *arg)
{
	struct mirror *m = arg;

	mirror_copy_inexact(&m->copy);
	abort_reading(m);
	mirror_turn_lost(m->turn);
	mirror_copy_update(&m->copy, false);
	mirror_settle_now(&m->settle);
}

/* settings.max_changes; a loss waits for the judgement of its batch. */
static bool is_full(const struct mirror *m)
{
	return key_reads_changes(m->reads) + mirror_batches_losses(m->batches) >= m->conf->settings.max_changes;
}

static void miss(struct mirror *m)
{
	if (!mirror_load_miss(m->load))
		return;
	mirror_copy_inexact(&m->copy);
	mirror_copy_update(&m->copy, false);
}

static void on_setting(enum setting_kind kind, const char *raw, size_t len, void *arg)
{
	struct mirror *m = arg;
	char name[SETTING_NAME_SIZE];
	struct batch *b;

	m->heard++;
	if (!key_reads_name(m->reads, name, kind, raw, len))
		return;
	if (is_full(m) && !key_reads_has(m->reads, kind, name)) {
		miss(m);
		return;
	}
	b = mirror_batch_open(m->batches);
	mirror_batch_join(b);
	if (!key_reads_want(m->reads, kind, name, false, b))
		mirror_batch_leave(b);
}

static void on_word(int64_t raw_ms, void *arg)
{
	struct mirror *m = arg;

	mirror_copy_word(&m->copy, raw_ms);
}

static void on_fact(int rkey_kind, const char *name, void *arg)
{
	struct mirror *m = arg;

	m->ev.on_fact(rkey_kind, name, m->arg);
}

static void on_word_written(void *arg)
{
	struct mirror *m = arg;

	accept_key_ask(&m->word);
}

static void on_flush(void *arg)
{
	struct mirror *m = arg;

	m->heard++;
	mirror_copy_flushed(&m->copy);
	read_all(m, "Redis was flushed");
}

/* ---- our own clock ---- */
static void on_end(enum setting_kind kind, const char *name, void *arg)
{
	struct mirror *m = arg;

	mirror_copy_lose(&m->copy, kind, name, GUARD_DROP);
}

static void on_ended(void *arg)
{
	publish(arg);
}

static bool on_step(void *arg)
{
	struct mirror *m = arg;

	if (!redis_is_up(m->redis))
		return false;
	read_all(m, "the clock was set");
	return true;
}

/* ---- the snapshot ---- */
static bool describe(struct snapshot_info *out, void *arg)
{
	const struct mirror *m = arg;

	return mirror_copy_describe(&m->copy, out);
}

static void start_from_snapshot(struct mirror *m)
{
	struct snapshot_info info;
	enum snapshot_status status = mirror_snapshot_read(m->snapshot, &info);

	if (status == SNAPSHOT_DAMAGED)
		mirror_copy_blind(&m->copy);
	if (status != SNAPSHOT_OK)
		return;
	mirror_copy_resume(&m->copy, &info);
	mirror_settle_soon(&m->settle);
}

/* ---- what the copy asks and tells ---- */
static void on_touch(void *arg)
{
	struct mirror *m = arg;

	mirror_snapshot_touch(m->snapshot);
}

static bool is_due(void *arg)
{
	struct mirror *m = arg;

	return mirror_load_due(m->load);
}

static bool is_exact(void *arg)
{
	struct mirror *m = arg;

	return redis_is_up(m->redis) && !mirror_load_due(m->load) && !mirror_turn_waits(m->turn);
}

/* ---- life ---- */
static void start_parts(struct mirror *m, struct event_base *base, const char *owner)
{
	static const struct key_reads_events read_events = {on_read, on_leave, on_refused};
	static const struct mirror_batch_events batch_events = {mirror_judge, on_lost, on_mass_loss, on_judged};
	static const struct mirror_load_events load_events = {on_begin, on_complete};
	static const struct mirror_clock_events clock_events = {on_end, on_ended, on_step};
	const struct mirror_watch_events watch_events = {.on_up = on_up,
							 .on_down = on_down,
							 .on_setting = on_setting,
							 .on_fact = m->ev.on_fact ? on_fact : NULL,
							 .on_word = on_word_written,
							 .on_flush = on_flush};
	struct mirror_table *table = mirror_copy_table(&m->copy);

	m->watch = mirror_watch_new(base, &m->conf->redis, &watch_events, m);
	m->redis = mirror_watch_redis(m->watch);
	mirror_settle_init(&m->settle, base, m->redis, m->ev.on_settled, m->arg);
	m->word = (struct accept_key){m->redis, on_word, m};
	m->reads = key_reads_new(m->redis, &m->complaints, &read_events, m);
	m->batches = mirror_batches_new(base, &batch_events, m);
	m->load = mirror_load_new(base, m->redis, m->reads, &load_events, m);
	m->turn = mirror_turn_new(base, m->redis, on_turn, m);
	m->clock = mirror_clock_new(base, &table->ends, &clock_events, m);
	m->endless = mirror_endless_new(base, &table->endless);
	m->snapshot = mirror_snapshot_new(base, m->conf->settings.snapshot, owner, table, describe, m);
}

static void take_limits(struct mirror *m)
{
	mirror_copy_set_guard(&m->copy, m->conf->settings.guard_percent);
	m->complaints.max = m->conf->settings.max_changes;
}

struct mirror *mirror_new(struct event_base *base, const struct conf *conf, const char *owner,
			  const struct mirror_events *events, void *arg)
{
	static const struct mirror_copy_events copy_events = {on_touch, is_due, is_exact};
	struct mirror *m = xcalloc(1, sizeof(*m));

	m->conf = conf;
	m->ev = *events;
	m->arg = arg;
	complaints_init(&m->complaints);
	mirror_copy_init(&m->copy, &m->complaints, &copy_events, m, events, arg);
	take_limits(m);
	start_parts(m, base, owner);
	start_from_snapshot(m);
	mirror_clock_arm(m->clock);
	publish(m);
	return m;
}

void mirror_free(struct mirror **mirror)
{
	struct mirror *m = *mirror;

	*mirror = NULL;
	if (!m)
		return;
	mirror_snapshot_free(&m->snapshot);
	abort_reading(m);
	mirror_load_free(&m->load);
	mirror_turn_free(&m->turn);
	key_reads_free(&m->reads);
	mirror_watch_free(&m->watch);
	mirror_batches_free(&m->batches);
	mirror_clock_free(&m->clock);
	mirror_endless_free(&m->endless);
	mirror_settle_fini(&m->settle);
	mirror_copy_fini(&m->copy);
	complaints_fini(&m->complaints);
	free(m);
}

void mirror_finish(struct mirror *m)
{
	mirror_snapshot_finish(m->snapshot);
}

void mirror_reconf(struct mirror *m, const struct conf *conf)
{
	m->conf = conf;
	take_limits(m);
	mirror_snapshot_reconf(m->snapshot, conf->settings.snapshot);
	redis_reconf(m->redis, &conf->redis);
}

/* ---- one question's own keys ---- */
bool mirror_is_behind(const struct mirror *m)
{
	return redis_is_up(m->redis) && !mirror_copy_is_blind(&m->copy) &&
	       (mirror_load_due(m->load) || mirror_turn_waits(m->turn));
}

uint32_t mirror_heard(const struct mirror *m)
{
	return m->heard;
}

/* In the order of the commands, as all that is read: nothing older comes after it. */
static void on_early(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct mirror *m = arg;

	mirror_copy_put(&m->copy, kind, name, value);
	mirror_clock_arm(m->clock);
}

static bool last_demand(enum setting_kind kind, const char *name, struct setting *out, void *arg)
{
	struct mirror *m = arg;

	return mirror_copy_last_demand(&m->copy, kind, name, out);
}

struct early_keys *mirror_early_keys(struct mirror *m, early_keys_fn *fn, void *arg)
{
	static const struct early_keys_events early_events = {on_early, last_demand};
	struct early_keys *e = early_keys_new(m->redis, &m->complaints, fn, arg);

	early_keys_set_events(e, &early_events, m);
	return e;
}

/* ---- readers ---- */
struct redis *mirror_redis(struct mirror *m)
{
	return m->redis;
}

enum mirror_state mirror_state(const struct mirror *m)
{
	return mirror_copy_state(&m->copy);
}

const struct settings *mirror_read(struct mirror *m)
{
	return mirror_copy_read(&m->copy);
}

void mirror_done(struct mirror *m)
{
	mirror_copy_done(&m->copy);
}

void mirror_counts(struct mirror *m, struct mirror_counts *out)
{
	mirror_copy_counts(&m->copy, out);
	mirror_snapshot_ages(m->snapshot, &out->snapshot_age_ms, &out->snapshot_behind_ms);
	out->bad_values = atomic_load(&m->bad_values);
	out->reloads = atomic_load(&m->reloads);
}
