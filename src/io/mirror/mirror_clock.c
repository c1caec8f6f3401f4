/*
 * mirror_clock.c - one timer for the first end (mirror_clock.h).
 */
#include "io/mirror/mirror_clock.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"

#define ENDS_PER_TURN 500
#define SLEEP_MAX_MS 1000 /* the wall clock may be set meanwhile */
#define STEP_MS 1000

struct mirror_clock {
	struct expiry *ends;
	struct mirror_clock_events ev;
	void *arg;
	struct event *timer;
	int64_t armed_ms;  /* the end that the timer waits for */
	int64_t offset_ms; /* wall - mono: a step of the clock shows here */
};

static void arm(struct mirror_clock *c)
{
	int64_t first = expiry_first_ms(c->ends), now = tick_wall_ms();
	int64_t sleep = first > now ? first - now : 0;
	struct timeval tv;

	c->armed_ms = first;
	if (first == INT64_MAX) {
		evtimer_del(c->timer);
		return;
	}
	sleep = sleep > SLEEP_MAX_MS ? SLEEP_MAX_MS : sleep;
	tv = (struct timeval){(time_t)(sleep / 1000), (suseconds_t)(sleep % 1000) * 1000};
	evtimer_add(c->timer, &tv);
}

void mirror_clock_arm(struct mirror_clock *c)
{
	if (expiry_first_ms(c->ends) != c->armed_ms)
		arm(c);
}

static bool has_stepped(struct mirror_clock *c)
{
	int64_t offset = tick_wall_ms() - tick_mono_ms(), moved = offset - c->offset_ms;

	c->offset_ms = offset;
	return moved > STEP_MS || moved < -STEP_MS;
}

static void end_some(struct mirror_clock *c)
{
	char name[SETTING_NAME_SIZE];
	enum setting_kind kind;
	int64_t now = tick_wall_ms();

	for (int i = 0; i < ENDS_PER_TURN && expiry_take(c->ends, now, &kind, name); i++)
		c->ev.on_end(kind, name, c->arg);
	c->ev.on_ended(c->arg);
}

static void mirror_clock_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mirror_clock *c = arg;

	(void)fd;
	(void)what;
	if (!has_stepped(c) || !c->ev.on_step(c->arg))
		end_some(c);
	arm(c);
}

struct mirror_clock *mirror_clock_new(struct event_base *base, struct expiry *ends,
				      const struct mirror_clock_events *ev, void *arg)
{
	struct mirror_clock *c = xcalloc(1, sizeof(*c));

	c->ends = ends;
	c->ev = *ev;
	c->arg = arg;
	c->offset_ms = tick_wall_ms() - tick_mono_ms();
	c->armed_ms = INT64_MAX;
	c->timer = evtimer_new(base, mirror_clock_on_timer, c);
	if (!c->timer)
		abort();
	return c;
}

void mirror_clock_free(struct mirror_clock **c)
{
	if (!*c)
		return;
	event_free((*c)->timer);
	free(*c);
	*c = NULL;
}
