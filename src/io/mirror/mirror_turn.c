/*
 * mirror_turn.c - a place in Redis, waited for with growing pauses (mirror_turn.h).
 */
#include "io/mirror/mirror_turn.h"

#include <stdio.h>
#include <stdlib.h>

#include <event2/util.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/fact_store.h"

#define PLACES 4            /* keep Redis busy, but do not flood it: one reader takes half of its time */
#define PLACE_S 20          /* a node that died keeps its place for so long */
#define WAIT_MIN_MS 2000    /* then it reads, place or not ... */
#define WAIT_SPREAD_MS 2400 /* ... at a time of its own */
#define PAUSE_MIN_MS 20
#define PAUSE_SPREAD_MS 80
#define PAUSE_SHARE 4 /* a pause grows to this part of the time waited */
#define PAUSE_MAX_MS 500

struct mirror_turn {
	struct event_base *base;
	struct redis *redis;
	mirror_turn_fn *fn;
	void *arg;
	bool waits;
	struct fact_lock *place;
	struct event *timer;
	int64_t since_ms, limit_ms; /* monotonic; and for how long */
};

static unsigned below(unsigned end)
{
	unsigned number;

	evutil_secure_rng_get_bytes(&number, sizeof(number));
	return number % end;
}

static int64_t waited_ms(const struct mirror_turn *t)
{
	return tick_mono_ms() - t->since_ms;
}

static void wait_more(struct mirror_turn *t)
{
	int64_t longest = PAUSE_SPREAD_MS + waited_ms(t) / PAUSE_SHARE;
	int64_t ms = PAUSE_MIN_MS + below((unsigned)(longest < PAUSE_MAX_MS ? longest : PAUSE_MAX_MS));
	int64_t left = t->limit_ms - waited_ms(t);
	struct timeval tv;

	ms = ms < left ? ms : left;
	tv = (struct timeval){(time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000};
	evtimer_add(t->timer, &tv);
}

static void on_place(bool got, void *arg)
{
	struct mirror_turn *t = arg;
	int64_t waited = waited_ms(t);

	if (!redis_is_up(t->redis))
		return; /* mirror_turn_lost() follows */
	if (!got)
		fact_lock_release(&t->place);
	if (!got && waited < t->limit_ms) {
		wait_more(t);
		return;
	}
	t->waits = false;
	log_info("event=settings_turn waited_ms=%lld place=%s", (long long)waited, got ? "yes" : "no");
	t->fn(t->arg);
}

/* "=" is in no domain: the place is nobody's fetch lock. */
static void ask_for_place(struct mirror_turn *t)
{
	char place[24];

	snprintf(place, sizeof(place), "=settings-%u", below(PLACES));
	t->place = fact_store_lock(t->redis, t->base, place, PLACE_S, on_place, t);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_for_place(arg);
}

void mirror_turn_wait(struct mirror_turn *t)
{
	mirror_turn_leave(t);
	t->waits = true;
	t->since_ms = tick_mono_ms();
	t->limit_ms = WAIT_MIN_MS + below(WAIT_SPREAD_MS);
	ask_for_place(t);
}

bool mirror_turn_waits(const struct mirror_turn *t)
{
	return t->waits;
}

void mirror_turn_lost(struct mirror_turn *t)
{
	t->waits = false;
	evtimer_del(t->timer);
}

void mirror_turn_leave(struct mirror_turn *t)
{
	mirror_turn_lost(t);
	fact_lock_release(&t->place);
}

struct mirror_turn *mirror_turn_new(struct event_base *base, struct redis *redis, mirror_turn_fn *fn, void *arg)
{
	struct mirror_turn *t = xcalloc(1, sizeof(*t));

	t->base = base;
	t->redis = redis;
	t->fn = fn;
	t->arg = arg;
	t->timer = evtimer_new(base, on_pause_over, t);
	if (!t->timer)
		abort();
	return t;
}

void mirror_turn_free(struct mirror_turn **t)
{
	struct mirror_turn *gone = *t;

	*t = NULL;
	if (!gone)
		return;
	mirror_turn_leave(gone);
	event_free(gone->timer);
	free(gone);
}
