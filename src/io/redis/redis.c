/*
 * redis.c - keeps the pair of connections to Redis alive (redis.h).
 *
 * Down: waiting for the pause to end. Asking (redis_master.c): where is the master? Connecting: two links open, then
 * redis_setup.c. Up. Whatever goes wrong on either link goes through redis_lose(): both are closed, those who wait for
 * replies hear NULL from the loop, then on_down, then the next attempt. So does a failover that a sentinel announces,
 * but for the pause.
 */
#include "io/redis/redis.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/redis_errors.h"
#include "io/redis/redis_link.h"
#include "io/redis/redis_master.h"
#include "io/redis/redis_refused.h"
#include "io/redis/redis_setup.h"
#include "io/redis/redis_tls.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000
#define STEADY_MS 5000 /* up for so long: the next pause is the short one again */
#define TICK_MS 500
#define TICK_LATE_MS 1500 /* our own loop stood still: judge the peer at the next tick */
#define NOTE_MS 60000
#define PLACE_SIZE 400

struct redis {
	struct event_base *base;
	const struct conf_redis *conf;
	struct redis_events ev;
	void *arg;
	struct redis_master *master; /* NULL: conf->address it is */
	char address[128];           /* of the pair, or of the last one; "" no sentinel has told it yet */
	struct redis_link *data, *push;
	int open; /* links */
	struct redis_setup setup;
	bool up;
	bool untold;    /* on_down is due */
	bool told_down; /* on_down was called since the last on_up */
	struct event *retry, *tick;
	unsigned pause_ms;
	int64_t up_at_ms, tick_ms;
	struct redis_refused refused;
	struct event *later;
	bool *freed;
	char version[32], policy[32], last_error[REDIS_WHY_SIZE];
	char logged[REDIS_WHY_SIZE]; /* last reason logged since we were up */
	struct redis_errors errors;
	unsigned long reconnects;
	size_t busy; /* so many commands without a reply are too many; 0: never */
	int64_t busy_noted_ms;
};

static void redis_timer_ms(struct event *ev, unsigned ms)
{
	const struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	evtimer_add(ev, &tv);
}

static void redis_refuse(redis_reply_fn *fn, void *fn_arg, void *arg)
{
	struct redis *r = arg;

	redis_refused_add(&r->refused, fn, fn_arg);
	event_active(r->later, EV_TIMEOUT, 0);
}

static void close_links(struct redis *r)
{
	if (r->master)
		redis_master_left(r->master);
	r->up = false;
	r->open = 0;
	redis_link_free(&r->push);
	redis_link_free(&r->data);
}

/* "address=... " and with sentinels "master=... sentinel=...", for the log */
static const char *place(const struct redis *r, char *out, size_t size)
{
	const char *teller = r->master ? redis_master_teller(r->master) : "";

	if (!r->master)
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

/* Both connections end, whatever state they are in; the next attempt comes after the pause. */
static void redis_lose(struct redis *r, const char *why)
{
	bool was_up = r->up;

	if (why != r->last_error)
		snprintf(r->last_error, sizeof(r->last_error), "%s", why);
	log_down(r, was_up);
	if (r->master)
		redis_master_left(r->master);
	if (r->data) {
		redis_link_forget(r->data, &r->setup);
		redis_link_take(r->data, redis_refuse, r);
	}
	if (r->data && !was_up && r->master)
		redis_master_distrust(r->master);
	close_links(r);
	r->untold = !r->told_down;
	if (was_up && tick_mono_ms() - r->up_at_ms >= STEADY_MS)
		r->pause_ms = PAUSE_MIN_MS;
	redis_timer_ms(r->retry, r->pause_ms);
	r->pause_ms = r->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : r->pause_ms * 2;
	event_active(r->later, EV_TIMEOUT, 0);
}

/* Tells NULL to those who waited, then on_down. Any of them may end R. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	bool freed = false;

	(void)fd;
	(void)what;
	r->freed = &freed;
	redis_refused_tell(&r->refused, &freed);
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
		redis_lose(r, why);
		return;
	}
	memcpy(r->version, r->setup.version, sizeof(r->version));
	memcpy(r->policy, r->setup.policy, sizeof(r->policy));
	r->up = true;
	r->up_at_ms = tick_mono_ms();
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
		redis_lose(r, why);
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
	redis_lose(r, text);
}

static const struct redis_link_events link_events = {redis_on_open, redis_on_push, redis_on_lost};

/* A new pair to ADDRESS; there is none. */
static void open_links(struct redis *r, const char *address)
{
	char error[160];

	assert(!r->data && !r->push);
	snprintf(r->address, sizeof(r->address), "%s", address);
	r->data = redis_link_new(r->base, r->conf, address, false, &link_events, r, error, sizeof(error));
	if (r->data)
		r->push = redis_link_new(r->base, r->conf, address, true, &link_events, r, error, sizeof(error));
	if (!r->push)
		redis_lose(r, error);
	else if (r->master)
		redis_master_joined(r->master, address, r->data);
}

/* ---- with sentinels ---- */
static void redis_on_master(const char *address, void *arg)
{
	struct redis *r = arg;
	char why[120];

	if (r->data) {
		snprintf(why, sizeof(why), "the master has moved to %s", address);
		r->pause_ms = PAUSE_MIN_MS;
		redis_lose(r, why);
	}
	evtimer_del(r->retry);
	open_links(r, address);
}

static void redis_on_master_lost(const char *why, void *arg)
{
	redis_lose(arg, why);
}

/* Anew after a change of conf, too; none are configured: nothing. */
static void start_master(struct redis *r)
{
	static const struct redis_master_events events = {redis_on_master, redis_on_master_lost};

	redis_master_free(&r->master);
	if (r->conf->sentinels.count == 0)
		return;
	r->master = redis_master_new(r->base, r->conf, &events, r);
	if (r->data)
		redis_master_joined(r->master, r->address, r->data);
}

static void redis_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;

	(void)fd;
	(void)what;
	if (r->master)
		redis_master_ask(r->master);
	else
		open_links(r, r->conf->address);
}

/* ---- watchdog ---- */
static bool watch(struct redis *r, struct redis_link *l)
{
	if (redis_link_alive(l, r->up))
		return true;
	redis_lose(r, l == r->push ? "invalidation connection: no answer for 2 s" : "no answer for 2 s");
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
	if (!late && r->data && watch(r, r->data) && watch(r, r->push) && r->up && r->master)
		redis_master_watch(r->master, now);
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
	size_t waiting = r->up ? redis_link_waiting(r->data) : r->refused.count;
	int64_t now = tick_mono_ms();

	if (r->busy == 0 || waiting < r->busy)
		return false;
	if (r->busy_noted_ms == 0 || now - r->busy_noted_ms >= NOTE_MS) {
		r->busy_noted_ms = now;
		log_warn("event=redis_slow waiting=%zu why=\"facts are not shared until it has answered\"", waiting);
	}
	return true;
}

void redis_forget(struct redis *r, void *arg)
{
	if (r->data)
		redis_link_forget(r->data, arg);
	redis_refused_forget(&r->refused, arg);
}

void redis_note_error(struct redis *r, const char *context, const struct redis_reply *reply)
{
	redis_errors_note(&r->errors, context, reply);
}

void redis_drop(struct redis *r, const char *why)
{
	if (r->data)
		redis_lose(r, why);
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
	r->pause_ms = PAUSE_MIN_MS;
	r->retry = evtimer_new(base, redis_on_retry, r);
	r->tick = event_new(base, -1, EV_PERSIST, on_tick, r);
	r->later = event_new(base, -1, 0, on_later, r);
	if (!r->retry || !r->tick || !r->later)
		abort();
	start_master(r);
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
	redis_master_free(&r->master);
	event_free(r->retry);
	event_free(r->tick);
	event_free(r->later);
	redis_refused_fini(&r->refused);
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
	start_master(r);
	if (same && asking && r->master)
		redis_master_ask(r->master); /* the question went with the old one */
	if (same)
		return;
	r->pause_ms = PAUSE_MIN_MS;
	redis_lose(r, "configuration changed");
}

bool redis_is_up(const struct redis *r)
{
	return r->up;
}

const char *redis_prefix(const struct redis *r)
{
	return r->conf->prefix;
}

void redis_describe(const struct redis *r, struct redis_about *out)
{
	*out = (struct redis_about){.address = r->address,
				    .teller = r->master ? redis_master_teller(r->master) : "",
				    .version = r->version,
				    .maxmemory_policy = r->policy,
				    .last_error = r->last_error,
				    .reconnects = r->reconnects};
}

void redis_library(struct sbuf *out)
{
	sbuf_addf(out, "libevent %s (built with %s), ", event_get_version(), LIBEVENT_VERSION);
	redis_tls_library(out);
}
