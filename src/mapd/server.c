/*
 * server.c - see server.h: all connections of tlsmode-mapd. What one of them does is in client.c.
 */
#include "mapd/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/client.h"

const struct server_limits server_default_limits = {10000, 64, 256 * 1024, 64 * 1024 * 1024, 100000, 40};

static void server_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int64_t now_ms = tick_wall_ms();
	struct client *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&s->ready))) {
		TAILQ_REMOVE(&s->ready, c, ready);
		c->is_ready = false;
		client_turn(c, now_ms);
	}
	if (s->drained && TAILQ_EMPTY(&s->all)) {
		void (*drained)(void *) = s->drained;

		s->drained = NULL;
		drained(s->drained_arg);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int64_t now_ms = tick_wall_ms();
	struct client *c;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&s->stalled)) && now_ms - c->stalled_at_ms >= s->limits.stall_ms) {
		s->counts.stalled++;
		client_log_dropped(c, c->out_len ? "answers are not taken" : "request not finished", now_ms);
		client_close(c);
	}
}

struct server *server_new(struct event_base *base, const struct server_limits *limits, server_request_fn *fn, void *arg)
{
	static const struct timeval every = {1, 0};
	struct server *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->limits = *limits;
	s->fn = fn;
	s->arg = arg;
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->stalled);
	TAILQ_INIT(&s->ready);
	s->ready_event = event_new(base, -1, 0, server_on_ready, s);
	gather_init(s);
	s->sweep_event = event_new(base, -1, EV_PERSIST, on_sweep, s);
	if (!s->ready_event || !s->sweep_event || event_add(s->sweep_event, &every) != 0)
		abort();
	return s;
}

void server_set_ahead(struct server *s, server_ahead_fn *fn)
{
	s->ahead = fn;
}

void server_set_limits(struct server *s, const struct server_limits *limits)
{
	s->limits = *limits;
}

void server_counts(const struct server *s, struct server_counts *out)
{
	*out = s->counts;
}

void server_free(struct server **s)
{
	struct client *c;

	if (!*s)
		return;
	while ((c = TAILQ_FIRST(&(*s)->all)))
		client_close(c);
	gather_fini(*s);
	event_free((*s)->ready_event);
	event_free((*s)->sweep_event);
	free(*s);
	*s = NULL;
}

void server_add(struct server *s, int fd)
{
	unsigned long suppressed;

	if (s->counts.clients >= s->limits.max_clients) {
		s->counts.refused++;
		if (ratelimit_ok(&s->refused_lines, tick_wall_ms(), &suppressed))
			log_warn("event=client_refused reason=\"max_clients reached\" clients=%zu suppressed=%lu",
				 s->counts.clients, suppressed);
		close(fd);
		return;
	}
	client_new(s, fd);
}

void server_drain(struct server *s, void (*fn)(void *arg), void *arg)
{
	struct client *next;

	gather_flush(s);
	s->drained = fn;
	s->drained_arg = arg;
	for (struct client *c = TAILQ_FIRST(&s->all); c; c = next) {
		next = TAILQ_NEXT(c, all);
		if (!c->ending && !client_held(c))
			client_read_turn(c);
	}
	for (struct client *c = TAILQ_FIRST(&s->all); c; c = next) {
		next = TAILQ_NEXT(c, all);
		c->ending = true;
		client_turn(c, tick_wall_ms());
	}
	event_active(s->ready_event, 0, 0);
}
