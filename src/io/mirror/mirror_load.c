/*
 * mirror_load.c - the walk of SCAN, and the wait for quiet (mirror_load.h).
 */
#include "io/mirror/mirror_load.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/rkeys.h"
#include "io/redis/redis_advice.h"
#include "io/redis/redis_scan.h"

#define READ_AHEAD 2000 /* keys waiting to be read: enough to keep Redis busy */
#define AGAIN_QUIET_MS 250
#define AGAIN_LATEST_MS 5000 /* however long a reading takes */

struct mirror_load {
	struct redis *redis;
	struct key_reads *reads;
	struct mirror_load_events ev;
	void *arg;
	bool running, scan_asked;
	struct redis_scan scan;
	int64_t started_ms, took_ms; /* took: the last one */
	uint64_t mark;               /* of key_reads.h: changes that were waiting when all keys were named */
	bool missed;                 /* changes that found no room, since the last reading began */
	unsigned long misses, misses_seen;
	unsigned put_off; /* readings since the last judgement */
	unsigned long count;
	int64_t again_by_ms;
	struct event *again_timer;
};

static void again_in(struct mirror_load *l, int64_t ms)
{
	const struct timeval tv = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(l->again_timer, &tv);
}

static void wait_for_quiet(struct mirror_load *l)
{
	int64_t most = l->took_ms < AGAIN_LATEST_MS ? l->took_ms : AGAIN_LATEST_MS;

	l->again_by_ms = tick_mono_ms() + most;
	l->misses_seen = l->misses;
	again_in(l, AGAIN_QUIET_MS);
}

static void complete(struct mirror_load *l)
{
	struct mirror_load_result r = {.missed = l->missed, .put_off = l->put_off};

	l->running = false;
	l->took_ms = r.took_ms = tick_mono_ms() - l->started_ms;
	l->count++;
	l->put_off = l->ev.on_complete(&r, l->arg) ? 0 : l->put_off + 1;
	if (l->missed)
		wait_for_quiet(l);
}

/* ---- scanning ---- */
static void on_scan(const struct redis_reply *reply, void *arg);

static void scan(struct mirror_load *l)
{
	char text[RKEY_SIZE];
	struct sbuf glob;

	sbuf_init(&glob, text, sizeof(text));
	rkeys_settings_glob(&glob, redis_prefix(l->redis));
	l->scan_asked = true;
	redis_command(l->redis, on_scan, l, 6,
		      (const char *[]){"SCAN", l->scan.cursor, "MATCH", text, "COUNT", REDIS_SCAN_COUNT}, NULL);
}

static void take_key(struct mirror_load *l, const struct redis_text *key)
{
	char name[SETTING_NAME_SIZE];
	enum setting_kind kind;
	const char *raw;
	size_t len;

	if (rkeys_is_setting(rkeys_parse(redis_prefix(l->redis), key->text, key->len, &raw, &len), &kind) &&
	    key_reads_name(l->reads, name, kind, raw, len))
		key_reads_want(l->reads, kind, name, true, NULL);
}

static void on_scan(const struct redis_reply *reply, void *arg)
{
	struct mirror_load *l = arg;
	char why[REDIS_WHY_SIZE];
	struct redis_list keys;
	struct redis_text key;

	if (!reply)
		return;
	l->scan_asked = false;
	if (!redis_scan_take(&l->scan, reply, &keys, why, sizeof(why))) {
		redis_drop(l->redis, why);
		return;
	}
	while (redis_list_next(&keys, &key))
		take_key(l, &key);
	l->mark = key_reads_mark(l->reads);
	mirror_load_step(l);
}

void mirror_load_step(struct mirror_load *l)
{
	if (!l->running || l->scan_asked)
		return;
	if (!l->scan.done) {
		if (key_reads_waiting(l->reads) < READ_AHEAD)
			scan(l);
	} else if (key_reads_bulk(l->reads) == 0 && key_reads_passed(l->reads, l->mark)) {
		/* a key that was there again after SCAN had passed it is among the changes */
		complete(l);
	}
}

void mirror_load_start(struct mirror_load *l, const char *why)
{
	log_debug("event=settings_loading why=\"%s\"", why);
	l->running = true;
	l->missed = false;
	redis_scan_begin(&l->scan);
	l->started_ms = tick_mono_ms();
	l->ev.on_begin(l->arg);
	scan(l);
}

void mirror_load_abort(struct mirror_load *l)
{
	redis_forget(l->redis, l);
	evtimer_del(l->again_timer);
	l->running = l->scan_asked = l->missed = false;
	l->put_off = 0;
}

/* ---- too many changes ---- */
static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct mirror_load *l = arg;

	(void)fd;
	(void)what;
	if (!l->missed || l->running)
		return;
	if (l->misses != l->misses_seen && tick_mono_ms() < l->again_by_ms) {
		l->misses_seen = l->misses;
		again_in(l, AGAIN_QUIET_MS);
		return;
	}
	/* Reads under way go on, and count: each was sent after the last change of its key that was noted. */
	mirror_load_start(l, "more changes than settings.max_changes");
}

bool mirror_load_miss(struct mirror_load *l)
{
	l->misses++;
	if (l->missed)
		return false;
	log_info("event=settings_flood waiting=%zu do=\"all settings are read again when it is over\"",
		 key_reads_changes(l->reads));
	l->missed = true;
	if (!l->running)
		wait_for_quiet(l);
	return true;
}

bool mirror_load_runs(const struct mirror_load *l)
{
	return l->running;
}

bool mirror_load_due(const struct mirror_load *l)
{
	return l->running || l->missed;
}

unsigned long mirror_load_count(const struct mirror_load *l)
{
	return l->count;
}

struct mirror_load *mirror_load_new(struct event_base *base, struct redis *redis, struct key_reads *reads,
				    const struct mirror_load_events *ev, void *arg)
{
	struct mirror_load *l = xcalloc(1, sizeof(*l));

	l->redis = redis;
	l->reads = reads;
	l->ev = *ev;
	l->arg = arg;
	l->again_timer = evtimer_new(base, on_again, l);
	if (!l->again_timer)
		abort();
	return l;
}

void mirror_load_free(struct mirror_load **l)
{
	struct mirror_load *gone = *l;

	*l = NULL;
	if (!gone)
		return;
	mirror_load_abort(gone);
	event_free(gone->again_timer);
	free(gone);
}
