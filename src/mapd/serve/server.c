/*
 * server.c - see server.h: all connections of tlsmode-mapd. What one of them does is in client.c.
 */
#include "mapd/serve/server.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/sockmap.h"
#include "mapd/serve/client_life.h"

const struct server_limits server_default_limits = {10000, 64, 256 * 1024, 64 * 1024 * 1024, 100000, 40};

/* One connection's places in the lists. */
struct server_place {
	struct server *server;
	struct client *client;
	TAILQ_ENTRY(server_place) all, half_done, ready;
	int64_t half_done_ms; /* since then; 0: nothing is */
	bool is_ready;
};
TAILQ_HEAD(server_places, server_place);

struct server {
	struct client_env env;
	struct gather gather;
	struct server_limits limits;
	struct server_places all;
	struct server_places half_done; /* longest first */
	struct server_places ready;     /* with answers that came outside their own turn */
	struct event *ready_event, *sweep_event;
	void (*drained)(void *arg);
	void *drained_arg;
	unsigned long accepted, refused, stalled;
	struct ratelimit refused_lines;
};

/* ---- what is told of one connection ---- */

static void server_on_client_ready(void *owner)
{
	struct server_place *p = owner;

	if (p->is_ready)
		return;
	/* all that is answered in one turn of the loop goes out with one write */
	p->is_ready = true;
	TAILQ_INSERT_TAIL(&p->server->ready, p, ready);
	event_active(p->server->ready_event, 0, 0);
}

static void on_client_half_done(void *owner, int64_t since_ms)
{
	struct server_place *p = owner;

	if (p->half_done_ms)
		TAILQ_REMOVE(&p->server->half_done, p, half_done);
	p->half_done_ms = since_ms;
	if (since_ms)
		TAILQ_INSERT_TAIL(&p->server->half_done, p, half_done);
}

static void on_client_close(void *owner)
{
	struct server_place *p = owner;
	struct server *s = p->server;

	on_client_half_done(p, 0);
	if (p->is_ready)
		TAILQ_REMOVE(&s->ready, p, ready);
	TAILQ_REMOVE(&s->all, p, all);
	free(p);
	if (s->drained && TAILQ_EMPTY(&s->all))
		event_active(s->ready_event, 0, 0);
}

static void on_gathered_turn(void *owner, const char *bytes, size_t len, int64_t now_ms)
{
	client_take(owner, bytes, len, now_ms);
}

/* The first request of each of OCTETS is told ahead. */
static bool on_gathered_ahead(const struct gather_octets *octets, size_t count, void *arg)
{
	const struct client_env *env = &((const struct server *)arg)->env;
	struct netstring request[CLIENT_TOGETHER];
	size_t whole = 0;

	if (!env->ahead)
		return false;
	for (size_t i = 0; i < count; i++)
		if (netstring_next(&request[whole], octets[i].bytes, octets[i].len, SOCKMAP_REQUEST_MAX) ==
		    NETSTRING_OK)
			whole++;
	return count == 0 || whole > 1 ? env->ahead(request, whole, env->arg) : true;
}
_Static_assert(GATHER_TOGETHER <= CLIENT_TOGETHER, "what is gathered is told ahead at once");

/* ---- events of all ---- */

static void server_on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	int64_t now_ms = tick_wall_ms();
	struct server_place *p;

	(void)fd;
	(void)what;
	while ((p = TAILQ_FIRST(&s->ready))) {
		TAILQ_REMOVE(&s->ready, p, ready);
		p->is_ready = false;
		client_turn(p->client, now_ms);
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
	struct server_place *p;

	(void)fd;
	(void)what;
	while ((p = TAILQ_FIRST(&s->half_done)) && now_ms - p->half_done_ms >= s->limits.stall_ms) {
		s->stalled++;
		client_give_up(p->client, now_ms);
	}
}

/* ---- life ---- */

struct server *server_new(struct event_base *base, const struct server_limits *limits, client_request_fn *fn, void *arg)
{
	static const struct gather_events gathered = {on_gathered_turn, on_gathered_ahead};
	static const struct timeval every = {1, 0};
	struct server *s = xcalloc(1, sizeof(*s));

	s->env.base = base;
	s->env.fn = fn;
	s->env.arg = arg;
	s->env.gather = &s->gather;
	s->env.on_ready = server_on_client_ready;
	s->env.on_half_done = on_client_half_done;
	s->env.on_close = on_client_close;
	server_set_limits(s, limits);
	TAILQ_INIT(&s->all);
	TAILQ_INIT(&s->half_done);
	TAILQ_INIT(&s->ready);
	s->ready_event = event_new(base, -1, 0, server_on_ready, s);
	gather_init(&s->gather, base, &gathered, s);
	s->sweep_event = event_new(base, -1, EV_PERSIST, on_sweep, s);
	if (!s->ready_event || !s->sweep_event || event_add(s->sweep_event, &every) != 0)
		abort();
	return s;
}

void server_set_ahead(struct server *s, client_ahead_fn *fn)
{
	s->env.ahead = fn;
}

void server_set_limits(struct server *s, const struct server_limits *limits)
{
	s->limits = *limits;
	s->env.max_asks = limits->max_asks;
	s->env.max_output = limits->max_output;
	s->env.max_unsent = limits->max_unsent;
	s->env.gather_clients = limits->gather_clients;
}

void server_counts(const struct server *s, struct server_counts *out)
{
	*out = (struct server_counts){.clients = s->env.clients,
				      .waiting = s->env.sum.waiting,
				      .unsent = s->env.sum.unsent,
				      .accepted = s->accepted,
				      .refused = s->refused,
				      .malformed = s->env.malformed,
				      .stalled = s->stalled};
}

void server_free(struct server **s)
{
	struct server_place *p;

	if (!*s)
		return;
	while ((p = TAILQ_FIRST(&(*s)->all)))
		client_close(p->client);
	gather_fini(&(*s)->gather);
	event_free((*s)->ready_event);
	event_free((*s)->sweep_event);
	free(*s);
	*s = NULL;
}

static void refuse_connection(struct server *s, int fd)
{
	unsigned long suppressed;

	s->refused++;
	if (ratelimit_ok(&s->refused_lines, tick_wall_ms(), &suppressed))
		log_warn("event=client_refused reason=\"max_clients reached\" clients=%zu suppressed=%lu",
			 s->env.clients, suppressed);
	close(fd);
}

void server_add(struct server *s, int fd)
{
	struct server_place *p;

	if (s->env.clients >= s->limits.max_clients) {
		refuse_connection(s, fd);
		return;
	}
	s->accepted++;
	p = xcalloc(1, sizeof(*p));
	p->server = s;
	TAILQ_INSERT_TAIL(&s->all, p, all);
	p->client = client_new(&s->env, fd, p);
}

void server_drain(struct server *s, void (*fn)(void *arg), void *arg)
{
	struct server_place *next;

	gather_flush(&s->gather);
	s->drained = fn;
	s->drained_arg = arg;
	for (struct server_place *p = TAILQ_FIRST(&s->all); p; p = next) {
		next = TAILQ_NEXT(p, all);
		client_read_rest(p->client);
	}
	for (struct server_place *p = TAILQ_FIRST(&s->all); p; p = next) {
		next = TAILQ_NEXT(p, all);
		client_end(p->client, tick_wall_ms());
	}
	event_active(s->ready_event, 0, 0);
}
