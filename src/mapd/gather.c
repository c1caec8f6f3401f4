/*
 * gather.c - see gather.h.
 */
#include "mapd/gather.h"

#include <stdlib.h>

#include "base/tick.h"
#include "core/sockmap.h"
#include "mapd/client.h"

#define ASK_EVERY 256 /* reads: then the program is asked again whether gathering helps */

static void on_gathered(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	gather_flush(arg);
}

void gather_init(struct server *s)
{
	s->gather.event = event_new(s->base, -1, 0, on_gathered, s);
	if (!s->gather.event)
		abort();
}

void gather_fini(struct server *s)
{
	event_free(s->gather.event);
}

char *gather_room(struct server *s)
{
	struct gather *g = &s->gather;

	if (!s->ahead || s->counts.clients < s->limits.gather_clients)
		return NULL;
	if (s->reads++ % ASK_EVERY == 0)
		s->together = s->ahead(NULL, 0, s->arg);
	if (!s->together)
		return NULL;
	if (g->count == GATHER_MAX)
		gather_flush(s);
	return g->slot[g->count].bytes;
}

void gather_add(struct server *s, struct client *c, size_t len)
{
	struct gather *g = &s->gather;

	if (g->count == 0)
		event_active(g->event, 0, 0);
	g->slot[g->count].client = c;
	g->slot[g->count].len = len;
	c->gathered = ++g->count;
}

void gather_forget(struct server *s, struct client *c)
{
	if (c->gathered)
		s->gather.slot[c->gathered - 1].client = NULL;
	c->gathered = 0;
}

/* The first request of each connection from slot FROM on, at most SERVER_TOGETHER. */
static void look_ahead(struct server *s, size_t from)
{
	struct netstring request[SERVER_TOGETHER];
	size_t count = 0;

	for (size_t i = from; i < s->gather.count && i < from + SERVER_TOGETHER; i++)
		if (netstring_next(&request[count], s->gather.slot[i].bytes, s->gather.slot[i].len,
				   SOCKMAP_REQUEST_MAX) == NETSTRING_OK)
			count++;
	if (count > 1)
		s->ahead(request, count, s->arg);
}

void gather_flush(struct server *s)
{
	struct gather *g = &s->gather;
	int64_t now_ms = tick_wall_ms();

	for (size_t i = 0; i < g->count; i++) {
		struct client *c = g->slot[i].client;

		if (i % SERVER_TOGETHER == 0)
			look_ahead(s, i);
		if (!c)
			continue;
		c->gathered = 0;
		client_take(c, g->slot[i].bytes, g->slot[i].len, now_ms);
	}
	g->count = 0;
	if (s->ahead)
		s->ahead(NULL, 0, s->arg);
}
