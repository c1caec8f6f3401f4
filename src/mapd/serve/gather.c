/*
 * gather.c - see gather.h.
 */
#include "mapd/serve/gather.h"

#include <stdlib.h>

#include "base/tick.h"

#define ASK_EVERY 256 /* reads: then it is asked again whether gathering helps */

static void on_gathered(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gather_flush(arg);
}

void gather_init(struct gather *g, struct event_base *base, const struct gather_events *events, void *arg)
{
	g->on = events;
	g->arg = arg;
	g->reads = 0;
	g->helps = false;
	g->count = 0;
	g->event = event_new(base, -1, 0, on_gathered, g);
	if (!g->event)
		abort();
}

void gather_fini(struct gather *g)
{
	event_free(g->event);
}

char *gather_room(struct gather *g)
{
	if (g->reads++ % ASK_EVERY == 0)
		g->helps = g->on->on_ahead(NULL, 0, g->arg);
	if (!g->helps)
		return NULL;
	if (g->count == GATHER_MAX)
		gather_flush(g);
	return g->slot[g->count].bytes;
}

size_t gather_add(struct gather *g, void *owner, size_t len)
{
	if (g->count == 0)
		event_active(g->event, 0, 0);
	g->slot[g->count].owner = owner;
	g->slot[g->count].len = len;
	return ++g->count;
}

void gather_forget(struct gather *g, size_t place)
{
	g->slot[place - 1].owner = NULL;
}

/* The octets from slot FROM on. */
static void look_ahead(struct gather *g, size_t from)
{
	struct gather_octets octets[GATHER_TOGETHER];
	size_t count = 0;

	for (size_t i = from; i < g->count && count < GATHER_TOGETHER; i++)
		octets[count++] = (struct gather_octets){g->slot[i].bytes, g->slot[i].len};
	if (count > 1)
		g->on->on_ahead(octets, count, g->arg);
}

void gather_flush(struct gather *g)
{
	int64_t now_ms = tick_wall_ms();

	for (size_t i = 0; i < g->count; i++) {
		if (i % GATHER_TOGETHER == 0)
			look_ahead(g, i);
		if (g->slot[i].owner)
			g->on->on_turn(g->slot[i].owner, g->slot[i].bytes, g->slot[i].len, now_ms);
	}
	g->count = 0;
	g->on->on_ahead(NULL, 0, g->arg);
}
