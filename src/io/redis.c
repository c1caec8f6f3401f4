/*
 * redis.c - keeps the pair of connections to Redis alive (redis.h).
 *
 * Down: waiting for the pause to end. Asking (redis_master.c): where is the master? Connecting: two links open, then
 * redis_setup.c. Up. Whatever goes wrong on either link goes through redis_lost(): both are closed, those who wait for
 * replies hear NULL from the loop, then on_down, then the next attempt. So does a failover that a sentinel announces,
 * but for the pause.
 */
#include "io/redis.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis_priv.h"
#include "io/redis_tls.h"

#define PAUSE_MAX_MS 2000
#define STEADY_MS 5000 /* up for so long: the next pause is the short one again */
#define TICK_MS 500
#define TICK_LATE_MS 1500 /* our own loop stood still: judge the peer at the next tick */
#define NOTE_MS 60000
#define PLACE_SIZE 400

static void redis_timer_ms(struct event *ev, unsigned ms)
{
	const struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(ev, &tv);
}

static void redis_refuse(redis_reply_fn *fn, void *fn_arg, void *arg)
{
	struct redis *r = arg;

	if (r->refused_count == r->refused_size) {
		r->refused_size = r->refused_size ? r->refused_size * 2 : 64;
		r->refused = xrealloc(r->refused, r->refused_size * sizeof(r->refused[0]));
	}
	r->refused[r->refused_count++] = (struct refused){fn, fn_arg};
	event_active(r->later, EV_TIMEOUT, 0);
}

static void close_links(struct redis *r)
{
	r->up = false;
	r->open = 0;
	redis_link_free(&r->push);
	redis_link_free(&r->data);
}

/* "address=... " and with sentinels "master=... sentinel=...", for the log */
static const char *place(const struct redis *r, char *out, size_t size)
{
	const char *teller = redis_teller(r);

	if (!r->sentinel)
		snprintf(out, size, "address=%s", r->address);
	else
		snprintf(out, size, "address=%s master=%s sentinel=%s", r->address[0] ? r->address : "unknown",
			 r->conf->master, teller[0] ? teller : "unknown");
	return out;
}

static void log_down(struct redis *r, bool was_up)
{
	char quoted[REDIS_WHY_SIZE + 40], where[PLACE_SIZE];

	if (!was_up && strcmp(r->logged, r->last_error) == 0)
		return;
	snprintf(r->logged, sizeof(r->logged), "%s", r->last_error);
	log_warn("event=redis_down %s why=%s", place(r, where, sizeof(where)),
		 log_quote(quoted, sizeof(quoted), r->last_error, strlen(r->last_error)));
}

void redis_lost(struct redis *r, const char *why)
{
	bool was_up = r->up;

	if (why != r->last_error)
		snprintf(r->last_error, sizeof(r->last_error), "%s", why);
	log_down(r, was_up);
	if (r->data) {
		redis_link_forget(r->data, &r->setup);
		redis_link_take(r->data, redis_refuse, r);
	}
	if (r->data && !was_up && r->sentinel)
		redis_sentinel_distrust(r->sentinel);
	close_links(r);
	r->untold = !r->told_down;
	if (was_up && tick_mono_ms() - r->up_at_ms >= STEADY_MS)
		r->pause_ms = REDIS_PAUSE_MIN_MS;
	redis_timer_ms(r->retry, r->pause_ms);
	r->pause_ms = r->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : r->pause_ms * 2;
	event_active(r->later, EV_TIMEOUT, 0);
}

/* Tells NULL to those who waited, then on_down. Any of them may end R. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	bool freed = false;
	struct refused *list = r->refused;
	size_t count = r->refused_count;

	(void)fd;
	(void)what;
	r->refused = NULL;
	r->refused_count = r->refused_size = 0;
	r->freed = &freed;
	for (size_t i = 0; i < count && !freed; i++)
		list[i].fn(NULL, list[i].arg);
	free(list);
	if (freed)
		return;
	r->freed = NULL;
	if (r->untold) {
		r->untold = false;
		r->told_down = true;
		if (r->ev.on_down)
			r->ev.on_down(r->last_error, r->arg);
	}
}

/* ---- connecting ---- */
static void check_policy(const struct redis *r)
{
	if (r->policy[0] == '\0' || strcmp(r->policy, "noeviction") == 0 || strncmp(r->policy, "volatile-", 9) == 0)
		return;
	log_error(
	    "event=redis_maxmemory_policy policy=%s why=\"Redis may evict settings as if somebody had deleted them\" "
	    "do=\"set maxmemory-policy to volatile-ttl or noeviction\"",
	    r->policy);
}

static void on_setup(const char *why, void *arg)
{
	struct redis *r = arg;
	char where[PLACE_SIZE];

	if (why) {
		redis_lost(r, why);
		return;
	}
	memcpy(r->version, r->setup.version, sizeof(r->version));
	memcpy(r->policy, r->setup.policy, sizeof(r->policy));
	r->up = true;
	r->up_at_ms = r->role_ms = tick_mono_ms();
	r->reconnects++;
	r->told_down = false;
	r->logged[0] = '\0';
	log_info("event=redis_up %s version=%s maxmemory_policy=%s", place(r, where, sizeof(where)),
		 r->version[0] ? r->version : "unknown", r->policy[0] ? r->policy : "unknown");
	check_policy(r);
	if (r->ev.on_up)
		r->ev.on_up(r->arg);
}

static void redis_on_open(struct redis_link *l, void *arg)
{
	struct redis *r = arg;

	(void)l;
	if (++r->open < 2)
		return;
	r->setup.conf = r->conf;
	r->setup.facts = r->ev.facts;
	r->setup.data = r->data;
	r->setup.push = r->push;
	r->setup.done = on_setup;
	r->setup.arg = r;
	redis_setup_start(&r->setup);
}

/* "message", "__redis__:invalidate", [key, ...] or nil. What has changed if it is neither, nobody knows. */
static void redis_on_push(const struct redis_reply *reply, void *arg)
{
	struct redis *r = arg;
	struct redis_list keys;
	char why[REDIS_WHY_SIZE];

	if (!redis_reply_changes(reply, &keys)) {
		redis_reply_why(why, sizeof(why), "invalidation message", reply);
		redis_lost(r, why);
		return;
	}
	if (r->up && r->ev.on_changed) /* what changes before on_up is read after it */
		r->ev.on_changed(&keys, r->arg);
}

static void redis_on_lost(struct redis_link *l, const char *why, void *arg)
{
	struct redis *r = arg;
	char text[REDIS_WHY_SIZE];

	redis_advice_format(text, sizeof(text), l == r->push ? "invalidation connection" : NULL, why);
	redis_lost(r, text);
}

static const struct redis_link_events link_events = {redis_on_open, redis_on_push, redis_on_lost};

void redis_open_links(struct redis *r, const char *address)
{
	char error[160];

	assert(!r->data && !r->push);
	snprintf(r->address, sizeof(r->address), "%s", address);
	r->data = redis_link_new(r->base, r->conf, address, false, &link_events, r, error, sizeof(error));
	if (r->data)
		r->push = redis_link_new(r->base, r->conf, address, true, &link_events, r, error, sizeof(error));
	if (!r->push)
		redis_lost(r, error);
}

static void redis_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;

	(void)fd;
	(void)what;
	if (r->sentinel)
		redis_sentinel_ask(r->sentinel);
	else
		redis_open_links(r, r->conf->address);
}

/* ---- watchdog ---- */
static bool watch(struct redis *r, struct redis_link *l)
{
	if (redis_link_alive(l, r->up))
		return true;
	redis_lost(r, l == r->push ? "invalidation connection: no answer for 2 s" : "no answer for 2 s");
	return false;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	int64_t now = tick_mono_ms();
	bool late = now - r->tick_ms > TICK_LATE_MS;

	(void)fd;
	(void)what;
	r->tick_ms = now;
	if (!late && r->data && watch(r, r->data) && watch(r, r->push))
		redis_master_watch(r, now);
}

/* ---- commands ---- */
void redis_command(struct redis *r, redis_reply_fn *fn, void *arg, int argc, const char *const *argv,
		   const size_t *argv_len)
{
	if (r->up)
		redis_link_send(r->data, fn, arg, argc, argv, argv_len);
	else if (fn)
		redis_refuse(fn, arg, r);
}

void redis_set_busy(struct redis *r, size_t max)
{
	r->busy = max;
}

bool redis_is_busy(struct redis *r)
{
	size_t waiting = r->up ? redis_link_waiting(r->data) : r->refused_count;
	int64_t now = tick_mono_ms();

	if (r->busy == 0 || waiting < r->busy)
		return false;
	if (r->busy_noted_ms == 0 || now - r->busy_noted_ms >= NOTE_MS) {
		r->busy_noted_ms = now;
		log_warn("event=redis_slow waiting=%zu why=\"facts are not shared until it has answered\"", waiting);
	}
	return true;
}

static void deaf(const struct redis_reply *reply, void *arg)
{
	(void)reply;
	(void)arg;
}

void redis_forget(struct redis *r, void *arg)
{
	if (r->data)
		redis_link_forget(r->data, arg);
	for (size_t i = 0; i < r->refused_count; i++)
		if (r->refused[i].arg == arg)
			r->refused[i].fn = deaf;
}

void redis_note_error(struct redis *r, const char *context, const struct redis_reply *reply)
{
	char why[REDIS_WHY_SIZE], quoted[REDIS_WHY_SIZE + 40];
	int64_t now = tick_mono_ms();
	size_t word;

	redis_reply_why(why, sizeof(why), NULL, reply);
	word = strcspn(why, " ");
	if (strncmp(r->noted, why, word) == 0 && r->noted[word] == '\0' && now - r->noted_ms < NOTE_MS)
		return;
	snprintf(r->noted, sizeof(r->noted), "%.*s", (int)word, why);
	r->noted_ms = now;
	log_warn("event=redis_error in=\"%s\" error=%s", context, log_quote(quoted, sizeof(quoted), why, strlen(why)));
}

void redis_drop(struct redis *r, const char *why)
{
	if (r->data)
		redis_lost(r, why);
}

/* ---- life ---- */
struct redis *redis_new(struct event_base *base, const struct conf_redis *conf, const struct redis_events *events,
			void *arg)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	signal(SIGPIPE, SIG_IGN);
	r->base = base;
	r->conf = conf;
	r->ev = *events;
	r->arg = arg;
	r->pause_ms = REDIS_PAUSE_MIN_MS;
	r->retry = evtimer_new(base, redis_on_retry, r);
	r->tick = event_new(base, -1, EV_PERSIST, on_tick, r);
	r->later = event_new(base, -1, 0, on_later, r);
	if (!r->retry || !r->tick || !r->later)
		abort();
	redis_master_start(r);
	r->tick_ms = tick_mono_ms();
	redis_timer_ms(r->tick, TICK_MS);
	redis_timer_ms(r->retry, 0);
	return r;
}

void redis_free(struct redis **redis)
{
	struct redis *r = *redis;

	*redis = NULL;
	if (!r)
		return;
	if (r->freed)
		*r->freed = true;
	close_links(r);
	redis_sentinel_free(&r->sentinel);
	event_free(r->retry);
	event_free(r->tick);
	event_free(r->later);
	free(r->refused);
	free(r);
}

void redis_reconf(struct redis *r, const struct conf_redis *conf)
{
	bool same = conf_redis_same(r->conf, conf);
	bool asking = !r->data && !evtimer_pending(r->retry, NULL);

	r->conf = r->setup.conf = conf; /* a pair may be in the making: the old one is gone soon */
	if (r->data)
		redis_link_reconf(r->data, conf);
	if (r->push)
		redis_link_reconf(r->push, conf);
	redis_master_start(r);
	if (same && asking && r->sentinel)
		redis_sentinel_ask(r->sentinel); /* the question went with the old one */
	if (same)
		return;
	r->pause_ms = REDIS_PAUSE_MIN_MS;
	redis_lost(r, "configuration changed");
}

bool redis_is_up(const struct redis *r)
{
	return r->up;
}

const char *redis_address(const struct redis *r)
{
	return r->address;
}

const char *redis_teller(const struct redis *r)
{
	return r->sentinel ? redis_sentinel_teller(r->sentinel) : "";
}

const char *redis_prefix(const struct redis *r)
{
	return r->conf->prefix;
}

const char *redis_server_version(const struct redis *r)
{
	return r->version;
}

const char *redis_maxmemory_policy(const struct redis *r)
{
	return r->policy;
}

const char *redis_last_error(const struct redis *r)
{
	return r->last_error;
}

unsigned long redis_reconnects(const struct redis *r)
{
	return r->reconnects;
}

void redis_library(struct sbuf *out)
{
	sbuf_addf(out, "libevent %s (built with %s), hiredis %d.%d.%d", event_get_version(), LIBEVENT_VERSION,
		  HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
	redis_tls_library(out);
}
