/*
 * mirror_turn.c - whose turn it is to read all settings anew.
 *
 * A failover cuts off every node of a site in the same second. If all of them read everything at once, Redis does
 * nothing else for as long as that takes, and look-ups, locks and announcements wait behind it. So a mirror that has
 * settings in force takes one of a few places in Redis (short locks) before it reads, and waits while all are taken;
 * what is announced meanwhile is in force at once. Who has nothing in force, or reads for the first time, does not
 * wait. The wait is bounded, and a Redis that does not answer, or grants no locks, is as good as a place
 * (fact_store.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/util.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/fact_store.h"
#include "io/mirror_priv.h"

#define PLACES 4              /* keep Redis busy, but do not flood it: one reader takes half of its time */
#define PLACE_S 20            /* a node that died keeps its place for so long */
#define WAIT_MIN_MS 300000    /* then it reads, place or not ... */
#define WAIT_SPREAD_MS 300000 /* ... at a time of its own */
#define PAUSE_MIN_MS 20
#define PAUSE_SPREAD_MS 80
#define PAUSE_SHARE 4 /* a pause grows to this part of the time waited */
#define PAUSE_MAX_MS 5000

static unsigned below(unsigned end)
{
	unsigned number;

	evutil_secure_rng_get_bytes(&number, sizeof(number));
	return number % end;
}

static void mirror_turn_ask(struct mirror *m);

static int64_t waited_ms(const struct mirror *m)
{
	return tick_mono_ms() - m->turn_since_ms;
}

static void wait_more(struct mirror *m)
{
	int64_t longest = PAUSE_SPREAD_MS + waited_ms(m) / PAUSE_SHARE;

	mirror_timer_ms(m->turn_timer,
			PAUSE_MIN_MS + below((unsigned)(longest < PAUSE_MAX_MS ? longest : PAUSE_MAX_MS)));
}

static void on_turn(bool got, void *arg)
{
	struct mirror *m = arg;
	int64_t waited = waited_ms(m);

	if (!redis_is_up(m->redis))
		return; /* mirror_turn_lost() follows */
	if (!got)
		fact_lock_release(&m->turn);
	if (!got && waited < m->turn_limit_ms) {
		wait_more(m);
		return;
	}
	m->waiting = false;
	log_info("event=settings_turn waited_ms=%lld place=%s", (long long)waited, got ? "yes" : "no");
	mirror_load_start(m, "connected");
}

/* "=" is in no domain: the place is nobody's fetch lock. */
static void mirror_turn_ask(struct mirror *m)
{
	char place[24];

	snprintf(place, sizeof(place), "=settings-%u", below(PLACES));
	m->turn = fact_store_lock(m->redis, m->base, place, PLACE_S, on_turn, m);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_turn_ask(arg);
}

void mirror_turn_wait(struct mirror *m)
{
	mirror_turn_leave(m);
	m->waiting = true;
	m->turn_since_ms = tick_mono_ms();
	m->turn_limit_ms = WAIT_MIN_MS + below(WAIT_SPREAD_MS);
	mirror_turn_ask(m);
	mirror_update_state(m, false);
}

void mirror_turn_lost(struct mirror *m)
{
	m->waiting = false;
	evtimer_del(m->turn_timer);
}

void mirror_turn_leave(struct mirror *m)
{
	mirror_turn_lost(m);
	fact_lock_release(&m->turn);
}

void mirror_turn_init(struct mirror *m)
{
	m->turn_timer = mirror_timer_new(m, on_timer);
}

void mirror_turn_fini(struct mirror *m)
{
	mirror_turn_leave(m);
	event_free(m->turn_timer);
}
