/*
 * mirror_settle.c - a timer (mirror_settle.h).
 */
#include "io/mirror/mirror_settle.h"

#include <stdlib.h>

#define SOON_S 2 /* with a snapshot at hand nobody waits longer for Redis */

void mirror_settle_now(struct mirror_settle *s)
{
	if (s->done)
		return;
	s->done = true;
	evtimer_del(s->timer);
	if (s->fn)
		s->fn(s->arg);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct mirror_settle *s = arg;

	(void)fd;
	(void)what;
	if (!redis_is_up(s->redis))
		mirror_settle_now(s);
}

void mirror_settle_soon(struct mirror_settle *s)
{
	static const struct timeval tv = {SOON_S, 0};

	evtimer_add(s->timer, &tv);
}

void mirror_settle_init(struct mirror_settle *s, struct event_base *base, struct redis *redis, void (*fn)(void *arg),
			void *arg)
{
	*s = (struct mirror_settle){.redis = redis, .fn = fn, .arg = arg, .timer = evtimer_new(base, on_soon, s)};
	if (!s->timer)
		abort();
}

void mirror_settle_fini(struct mirror_settle *s)
{
	event_free(s->timer);
}
