/*
 * mirror_load.c - full readings of all settings, and the guard that judges them.
 *
 * SCAN names the keys, key_reads.c reads them, a bounded number at a time, into table.next; what is announced as
 * changed meanwhile is read with the rest. At the end the keys in force that Redis no longer has are counted: a few are
 * dropped with the exchange, a mass loss is held. While it is held table.next stays and is kept exact, so that the
 * operator's word is an exchange.
 *
 * Changes beyond settings.max_changes are not noted one by one: when no more of them come, or after as long as a
 * reading takes, everything is read again, beside the changes that did find room. What is missed during that reading
 * makes it be followed by another; each comes to its end (key_reads.h), so what is in force is never older than one
 * reading. Only what vanished waits for a reading without misses, PUT_OFF_MAX of them at most: a key that SCAN met
 * between its deletion and its return may be among those missed, and would be out of force until the next reading.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "core/guard.h"
#include "core/rkeys.h"
#include "io/mirror_priv.h"
#include "io/redis_advice.h"

#define READ_AHEAD 2000 /* keys waiting to be read: enough to keep Redis busy */
#define AGAIN_QUIET_MS 250
#define PUT_OFF_MAX 5
#define AGAIN_LATEST_MS 5000 /* however long a reading takes */

/* ---- the operator's word ---- */
static bool is_accepted(const struct mirror *m)
{
	return m->accept_ms >= m->exact_at_ms;
}

static void end_hold(struct mirror *m, const char *how)
{
	size_t gone = mirror_table_gone(&m->table);

	m->held = false;
	mirror_table_exchange(&m->table);
	m->exact_at_ms = tick_wall_ms();
	log_warn("event=guard_released how=%s dropped=%zu count=%zu", how, gone, settings_count(m->table.live));
	mirror_touch(m);
	mirror_update_state(m, true);
}

void mirror_check_returned(struct mirror *m)
{
	if (m->held && !mirror_is_rereading(m) && m->table.next && mirror_table_gone(&m->table) == 0)
		end_hold(m, "returned");
}

/* The key holds milliseconds since 1970. A clock that is ahead of ours must not accept what has not happened yet. */
static void take_accept(struct mirror *m, int64_t raw)
{
	int64_t now = tick_wall_ms();

	if (raw != m->accept_raw)
		m->accept_ms = raw > now ? now : raw;
	m->accept_raw = raw;
}

static void on_accept(const struct redis_reply *reply, void *arg)
{
	struct mirror *m = arg;
	int64_t before = m->accept_raw;
	struct redis_text t;
	char why[REDIS_WHY_SIZE];

	if (!reply)
		return;
	if (redis_reply_string(reply, &t)) {
		take_accept(m, strtoll(t.text, NULL, 10));
	} else if (redis_reply_is_nil(reply) || redis_reply_is_error(reply, "WRONGTYPE")) {
		take_accept(m, 0);
	} else {
		redis_reply_why(why, sizeof(why), "GET", reply);
		redis_drop(m->redis, why);
		return;
	}
	if (!m->held || mirror_is_rereading(m) || !m->table.next)
		return;
	if (is_accepted(m))
		end_hold(m, "accepted");
	else if (m->accept_raw != before && m->accept_raw != 0)
		log_warn("event=guard_accept_ignored accepted_at_ms=%lld exact_at_ms=%lld why=\"older than the loss: "
			 "are the clocks right?\"",
			 (long long)m->accept_ms, (long long)m->exact_at_ms);
}

void mirror_ask_accept(struct mirror *m)
{
	char text[RKEY_SIZE];
	struct sbuf key;

	sbuf_init(&key, text, sizeof(text));
	rkeys_format(&key, redis_prefix(m->redis), RKEY_ACCEPT, "settings");
	redis_command(m->redis, on_accept, m, 2, (const char *[]){"GET", text}, NULL);
}

/* ---- the end of a reading ---- */
static void wait_for_quiet(struct mirror *m)
{
	int64_t most = m->load_took_ms < AGAIN_LATEST_MS ? m->load_took_ms : AGAIN_LATEST_MS;

	m->again_by_ms = tick_mono_ms() + most;
	m->misses_seen = m->misses;
	mirror_timer_ms(m->again_timer, AGAIN_QUIET_MS);
}

static void hold(struct mirror *m, size_t had, size_t gone)
{
	m->held = true;
	log_error("event=guard_hold gone=%zu of=%zu why=\"so many settings vanished at once that it looks like an "
		  "accident; the last "
		  "known stay in force\" do=\"bring them back, or confirm the loss with: tlsmode settings accept\"",
		  gone, had);
	mirror_update_state(m, true);
}

static bool is_put_off(struct mirror *m)
{
	return m->missed && m->table.known && ++m->put_off <= PUT_OFF_MAX;
}

static void mirror_load_finish(struct mirror *m)
{
	size_t had = settings_count(m->table.live), gone = mirror_table_gone(&m->table);
	bool lost = guard_trips(had, gone, m->conf->settings.guard_percent);
	bool mass = m->held || m->vanished ? gone > 0 : lost;

	m->loading = false;
	m->load_took_ms = tick_mono_ms() - m->load_started_ms;
	atomic_fetch_add(&m->reloads, 1);
	log_info("event=settings_loaded count=%zu gone=%zu ms=%lld", settings_count(m->table.next), gone,
		 (long long)m->load_took_ms);
	if (is_put_off(m)) {
		mirror_settle(m);
		wait_for_quiet(m);
		return;
	}
	m->vanished = false;
	m->put_off = 0;
	if (mass && !is_accepted(m)) {
		hold(m, had, gone);
	} else if (m->held) {
		end_hold(m, gone ? "accepted" : "returned");
	} else {
		mirror_table_exchange(&m->table);
		m->exact_at_ms = tick_wall_ms();
		mirror_touch(m);
		mirror_update_state(m, true);
	}
	mirror_turn_leave(m);
	mirror_log_endless(m);
	mirror_settle(m);
	if (m->missed)
		wait_for_quiet(m);
}

/* ---- scanning ---- */
static void on_scan(const struct redis_reply *reply, void *arg);

static void scan(struct mirror *m)
{
	char text[RKEY_SIZE];
	struct sbuf glob;

	sbuf_init(&glob, text, sizeof(text));
	rkeys_settings_glob(&glob, redis_prefix(m->redis));
	m->scan_asked = true;
	redis_command(m->redis, on_scan, m, 6,
		      (const char *[]){"SCAN", m->scan.cursor, "MATCH", text, "COUNT", REDIS_SCAN_COUNT}, NULL);
}

static void take_key(struct mirror *m, const struct redis_text *key)
{
	char name[SETTING_NAME_SIZE];
	enum setting_kind kind;
	const char *raw;
	size_t len;

	if (rkeys_is_setting(rkeys_parse(redis_prefix(m->redis), key->text, key->len, &raw, &len), &kind) &&
	    key_reads_name(m->reads, name, kind, raw, len))
		key_reads_want(m->reads, kind, name, true, NULL);
}

static void on_scan(const struct redis_reply *reply, void *arg)
{
	struct mirror *m = arg;
	char why[REDIS_WHY_SIZE];
	struct redis_list keys;
	struct redis_text key;

	if (!reply)
		return;
	m->scan_asked = false;
	if (!redis_scan_take(&m->scan, reply, &keys, why, sizeof(why))) {
		redis_drop(m->redis, why);
		return;
	}
	while (redis_list_next(&keys, &key))
		take_key(m, &key);
	m->load_mark = key_reads_mark(m->reads);
	mirror_load_step(m);
}

void mirror_load_step(struct mirror *m)
{
	if (!m->loading || m->scan_asked)
		return;
	if (!m->scan.done) {
		if (key_reads_waiting(m->reads) < READ_AHEAD)
			scan(m);
	} else if (key_reads_bulk(m->reads) == 0 && key_reads_passed(m->reads, m->load_mark)) {
		/* a key that was there again after SCAN had passed it is among the changes */
		mirror_load_finish(m);
	}
}

static void begin(struct mirror *m, const char *why)
{
	log_debug("event=settings_loading why=\"%s\"", why);
	if (m->waiting)
		mirror_turn_leave(m); /* this cannot wait */
	mirror_table_begin(&m->table);
	m->loading = true;
	m->missed = false;
	redis_scan_begin(&m->scan);
	m->load_started_ms = tick_mono_ms();
	mirror_ask_accept(m);
	scan(m);
	mirror_update_state(m, false);
}

void mirror_load_start(struct mirror *m, const char *why)
{
	mirror_load_abort(m);
	begin(m, why);
}

/* A reading under way is given up; its replies are not heard. Held keys stay held. */
void mirror_load_abort(struct mirror *m)
{
	redis_forget(m->redis, m);
	key_reads_abort(m->reads);
	mirror_batches_drop(m);
	mirror_table_drop(&m->table);
	evtimer_del(m->again_timer);
	m->loading = m->scan_asked = m->missed = false;
	m->put_off = 0;
}

/* ---- too many changes ---- */
void mirror_load_on_again(evutil_socket_t fd, short what, void *mirror)
{
	struct mirror *m = mirror;

	(void)fd;
	(void)what;
	if (!m->missed || m->loading)
		return;
	if (m->misses != m->misses_seen && tick_mono_ms() < m->again_by_ms) {
		m->misses_seen = m->misses;
		mirror_timer_ms(m->again_timer, AGAIN_QUIET_MS);
		return;
	}
	/* Reads under way go on, and count: each was sent after the last change of its key that was noted. */
	begin(m, "more changes than settings.max_changes");
}

void mirror_load_missed(struct mirror *m)
{
	m->misses++;
	if (m->missed)
		return;
	if ((enum mirror_state)atomic_load(&m->state) == MIRROR_LIVE)
		m->exact_at_ms = tick_wall_ms();
	log_info("event=settings_flood waiting=%zu do=\"all settings are read again when it is over\"",
		 key_reads_changes(m->reads));
	m->missed = true;
	if (!m->loading)
		wait_for_quiet(m);
	mirror_update_state(m, false);
}
