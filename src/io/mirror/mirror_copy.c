/*
 * mirror_copy.c - the table, the guard and the state that follows from both (mirror_copy.h).
 */
#include "io/mirror/mirror_copy.h"

#include <string.h>

#include "base/log.h"
#include "base/tick.h"

const struct name_code mirror_state_names[] = {
    {"unknown", MIRROR_UNKNOWN}, {"live", MIRROR_LIVE}, {"stale", MIRROR_STALE}, {"held", MIRROR_HELD}, {NULL, 0},
};

/* ---- state ---- */
static enum mirror_state state_now(const struct mirror_copy *c)
{
	if (!c->table.known)
		return MIRROR_UNKNOWN;
	if (c->guard.held)
		return MIRROR_HELD;
	return c->ev.is_exact(c->arg) ? MIRROR_LIVE : MIRROR_STALE;
}

/* Nothing can be said of what Redis has but by a reading. */
static bool is_judged_later(const struct mirror_copy *c)
{
	return c->ev.is_due(c->arg) || !c->table.next;
}

void mirror_copy_publish(struct mirror_copy *c)
{
	if (!c->guard.held)
		atomic_store(&c->held, 0);
	else if (c->counts_held)
		atomic_store(&c->held, mirror_table_gone(&c->table));
	atomic_store(&c->lost, c->guard.held && c->guard.blind);
	atomic_store(&c->endless, key_set_count(&c->table.endless));
	atomic_store(&c->exact_at_ms, c->guard.exact_at_ms);
}

void mirror_copy_update(struct mirror_copy *c, bool changed)
{
	enum mirror_state now = state_now(c), before = (enum mirror_state)atomic_exchange(&c->state, (int)now);

	mirror_copy_publish(c);
	if (now != before)
		log_info("event=settings_state state=%s was=%s count=%zu", names_name(mirror_state_names, (int)now),
			 names_name(mirror_state_names, (int)before), settings_count(c->table.live));
	if ((changed || now != before) && c->on_all)
		c->on_all(c->told_arg);
}

void mirror_copy_inexact(struct mirror_copy *c)
{
	if (mirror_copy_state(c) == MIRROR_LIVE)
		guard_inexact(&c->guard, tick_wall_ms());
}

bool mirror_copy_is_sound(const struct mirror_copy *c)
{
	return c->table.known && !c->guard.held && !c->guard.vanished;
}

/* NEXT is in force. */
static void take_next(struct mirror_copy *c)
{
	mirror_table_exchange(&c->table);
	c->counts_held = false;
	c->ev.on_touch(c->arg);
	mirror_copy_update(c, true);
}

/* ---- the guard ---- */
/* What LIVE has and Redis not, as the guard counts it. */
static size_t gone(const struct mirror_copy *c)
{
	if (c->guard.blind)
		return settings_count(mirror_copy_exact(c)) == 0;
	return mirror_table_gone(&c->table);
}

static void release(struct mirror_copy *c, enum guard_verdict how)
{
	log_warn("event=guard_released how=%s dropped=%zu count=%zu", names_name(guard_verdict_names, (int)how),
		 mirror_table_gone(&c->table), settings_count(c->table.next));
	take_next(c);
}

static void check_returned(struct mirror_copy *c)
{
	if (guard_returned(&c->guard, gone(c), is_judged_later(c), tick_wall_ms()))
		release(c, GUARD_RETURNED);
}

void mirror_copy_word(struct mirror_copy *c, int64_t raw_ms)
{
	enum guard_word word = guard_accept(&c->guard, raw_ms, is_judged_later(c), tick_wall_ms());

	if (word == GUARD_WORD_TAKEN)
		release(c, GUARD_ACCEPTED);
	else if (word == GUARD_WORD_TOO_OLD)
		log_warn("event=guard_accept_ignored accepted_at_ms=%lld exact_at_ms=%lld why=\"older than the loss: "
			 "are the clocks right?\"",
			 (long long)c->guard.accept_ms, (long long)c->guard.exact_at_ms);
}

static void hold(struct mirror_copy *c, const struct guard_reading *r)
{
	c->counts_held = true;
	if (c->guard.blind)
		log_error(
		    "event=snapshot_damaged state=unknown why=\"it cannot be read, and Redis has no settings: those "
		    "that were in force are not known\" do=\"bring them back, or confirm that there are none with: "
		    "tlsmode settings accept\"");
	else
		log_error("event=guard_hold gone=%zu of=%zu why=\"so many settings vanished at once that it looks like "
			  "an accident; the last known stay in force\" do=\"bring them back, or confirm the loss with: "
			  "tlsmode settings accept\"",
			  r->gone, r->had);
	c->ev.on_touch(c->arg); /* the file says that it holds, too */
	mirror_copy_update(c, true);
}

enum guard_loss mirror_copy_judge(struct mirror_copy *c, size_t lost)
{
	return guard_judge_batch(&c->guard, settings_count(mirror_copy_exact(c)), lost, c->ev.is_due(c->arg),
				 tick_wall_ms());
}

void mirror_copy_flushed(struct mirror_copy *c)
{
	guard_flushed(&c->guard, settings_count(c->table.live));
}

/* ---- changes ---- */
static void tell(struct mirror_copy *c, enum setting_kind kind, const char *name)
{
	log_debug("event=setting_changed kind=%s name=%s", names_name(setting_kind_names, (int)kind), name);
	c->ev.on_touch(c->arg);
	if (c->on_setting)
		c->on_setting(kind, name, c->told_arg);
}

/* A mode is meant to last: one that ends by itself leaves a door open that somebody had closed. */
static void warn_temporary(struct mirror_copy *c, enum setting_kind kind, const char *name, int64_t ends_at_ms)
{
	uint64_t key = complaints_hash(c->complaints, 100 + (uint64_t)kind, name, strlen(name));

	if (complaints_news(c->complaints, key, 0) && complaints_may_log(c->complaints))
		log_warn("event=setting_temporary kind=%s name=%s seconds=%lld",
			 names_name(setting_kind_names, (int)kind), name,
			 (long long)((ends_at_ms - tick_wall_ms()) / 1000));
}

void mirror_copy_put(struct mirror_copy *c, enum setting_kind kind, const char *name, const struct setting *value)
{
	bool changed;

	if (value->ends_at_ms != 0 && kind != SETTING_EXCEPT)
		warn_temporary(c, kind, name, value->ends_at_ms);
	changed = mirror_table_put(&c->table, kind, name, value);
	if (changed)
		tell(c, kind, name);
	check_returned(c);
}

void mirror_copy_lose(struct mirror_copy *c, enum setting_kind kind, const char *name, enum guard_loss how)
{
	if (how == GUARD_DROP_NEXT) {
		mirror_table_remove_next(&c->table, kind, name);
		return;
	}
	if (mirror_table_remove(&c->table, kind, name))
		tell(c, kind, name);
	check_returned(c);
}

bool mirror_copy_has(const struct mirror_copy *c, enum setting_kind kind, const char *name)
{
	return mirror_table_has(&c->table, kind, name);
}

bool mirror_copy_last_demand(const struct mirror_copy *c, enum setting_kind kind, const char *name, struct setting *out)
{
	if (kind == SETTING_EXCEPT || !settings_get(c->table.live, kind, name, out))
		return false;
	if (out->mode == MODE_OPPORTUNISTIC)
		out->has &= ~(unsigned)SETTING_HAS_MODE; /* a parent's may be stricter */
	return out->ends_at_ms == 0 || out->ends_at_ms > tick_wall_ms();
}

const struct settings *mirror_copy_exact(const struct mirror_copy *c)
{
	return c->table.next ? c->table.next : c->table.live;
}

/* ---- full readings ---- */
void mirror_copy_begin(struct mirror_copy *c)
{
	mirror_table_begin(&c->table);
	c->counts_held = false;
}

void mirror_copy_abort(struct mirror_copy *c)
{
	mirror_table_drop(&c->table);
	c->counts_held = false;
}

static void apply(struct mirror_copy *c, enum guard_verdict verdict, const struct guard_reading *r)
{
	if (verdict == GUARD_HOLD)
		hold(c, r);
	else if (verdict == GUARD_TAKE)
		take_next(c);
	else if (verdict != GUARD_PUT_OFF)
		release(c, verdict);
}

enum guard_verdict mirror_copy_complete(struct mirror_copy *c, bool missed, unsigned put_off, int64_t took_ms)
{
	const struct guard_reading r = {.had = settings_count(c->table.live),
					.gone = gone(c),
					.known = c->table.known,
					.missed = missed,
					.put_off = put_off};
	enum guard_verdict verdict = guard_judge_reading(&c->guard, &r, tick_wall_ms());

	log_info("event=settings_loaded count=%zu gone=%zu ms=%lld", settings_count(c->table.next), r.gone,
		 (long long)took_ms);
	apply(c, verdict, &r);
	return verdict;
}

/* ---- the snapshot ---- */
void mirror_copy_resume(struct mirror_copy *c, const struct snapshot_info *info)
{
	guard_resume(&c->guard, info->held, info->exact_at_ms);
	atomic_store(&c->state, (int)state_now(c));
}

void mirror_copy_blind(struct mirror_copy *c)
{
	guard_blind(&c->guard, tick_wall_ms());
}

bool mirror_copy_is_blind(const struct mirror_copy *c)
{
	return c->guard.blind;
}

bool mirror_copy_describe(const struct mirror_copy *c, struct snapshot_info *out)
{
	out->exact_at_ms = mirror_copy_state(c) == MIRROR_LIVE ? tick_wall_ms() : c->guard.exact_at_ms;
	out->held = c->guard.held;
	return c->table.known;
}

/* ---- readers ---- */
enum mirror_state mirror_copy_state(const struct mirror_copy *c)
{
	return (enum mirror_state)atomic_load(&((struct mirror_copy *)(uintptr_t)c)->state);
}

const struct settings *mirror_copy_read(struct mirror_copy *c)
{
	pthread_rwlock_rdlock(&c->table.lock);
	return c->table.live;
}

void mirror_copy_done(struct mirror_copy *c)
{
	pthread_rwlock_unlock(&c->table.lock);
}

void mirror_copy_counts(struct mirror_copy *c, struct mirror_counts *out)
{
	out->settings = settings_count(mirror_copy_read(c));
	mirror_copy_done(c);
	out->held = atomic_load(&c->held);
	out->loaded_at_ms = mirror_copy_state(c) == MIRROR_LIVE ? tick_wall_ms() : atomic_load(&c->exact_at_ms);
	out->lost = atomic_load(&c->lost);
	out->exceptions_without_end = atomic_load(&c->endless);
}

/* ---- life ---- */
void mirror_copy_set_guard(struct mirror_copy *c, unsigned percent)
{
	c->guard.percent = percent;
}

void mirror_copy_init(struct mirror_copy *c, struct complaints *complaints, const struct mirror_copy_events *ev,
		      void *arg, const struct mirror_events *told, void *told_arg)
{
	memset(c, 0, sizeof(*c));
	c->ev = *ev;
	c->arg = arg;
	c->on_setting = told->on_setting;
	c->on_all = told->on_all;
	c->told_arg = told_arg;
	c->complaints = complaints;
	mirror_table_init(&c->table);
}

struct mirror_table *mirror_copy_table(struct mirror_copy *c)
{
	return &c->table;
}

void mirror_copy_fini(struct mirror_copy *c)
{
	mirror_table_fini(&c->table);
}
