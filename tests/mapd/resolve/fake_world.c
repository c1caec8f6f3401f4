/*
 * fake_world.c - a clock that the test moves, the loop, and the scripted adapters' begin and end.
 */
#include "mapd/resolve/fake_adapter.h"

#include <assert.h>

#include "base/tick.h"

struct event_base *fake_base;
size_t fake_contexts;
static int64_t clock_ms;

static int64_t fake_clock(void)
{
	return clock_ms;
}

int64_t world_now(void)
{
	return clock_ms / 1000;
}

void fake_call_soon(struct fake_call *c, event_callback_fn fn, void *arg)
{
	struct timeval at_once = {0, 0};

	c->event = evtimer_new(fake_base, fn, arg);
	evtimer_add(c->event, &at_once);
}

void fake_call_end(struct fake_call *c)
{
	if (c->event)
		event_free(c->event);
	c->event = NULL;
}

void world_run(void)
{
	for (int i = 0; i < 100; i++)
		event_base_loop(fake_base, EVLOOP_NONBLOCK);
}

struct timers {
	struct event *event[16];
	size_t count;
};

static int collect(const struct event_base *b, const struct event *event, void *arg)
{
	struct timers *t = arg;

	(void)b;
	if (event_pending(event, EV_TIMEOUT, NULL) && t->count < 16)
		t->event[t->count++] = (struct event *)(uintptr_t)event;
	return 0;
}

/* libevent does not know our clock: every timer looks at it once. */
void world_pass(int64_t ms)
{
	struct timers t = {.count = 0};

	world_run();
	clock_ms += ms;
	event_base_foreach_event(fake_base, collect, &t);
	for (size_t i = 0; i < t.count; i++)
		event_active(t.event[i], EV_TIMEOUT, 0);
	world_run();
}

size_t world_contexts(void)
{
	return fake_contexts;
}

struct event_base *world_begin(void)
{
	fake_base = event_base_new();
	clock_ms = WORLD_START * 1000;
	tick_replace(fake_clock);
	fake_contexts = 0;
	fake_dns_begin();
	fake_https_begin();
	fake_store_begin();
	return fake_base;
}

void world_end(void)
{
	fake_dns_end();
	fake_https_end();
	fake_store_end();
	assert(fake_contexts == 0);
	tick_replace(NULL);
	event_base_free(fake_base);
}
