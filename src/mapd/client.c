/*
 * client.c - see client.h: the bytes of one connection.
 *
 * A turn of the loop reads what is there, hands every whole request on, and sends all answers with one write.
 */
#include "mapd/client.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/netstring.h"
#include "core/sockmap.h"

#define READS_PER_TURN 4 /* then others have their turn */
#define OUTPUT_FIRST 512
#define OUTPUT_KEPT 16384 /* a larger output buffer is given back when it is empty */

/* A place in the order of a client's answers. */
struct client_ask {
	STAILQ_ENTRY(client_ask) next;
	struct client *client;
	void (*abandon)(void *work);
	void *work;
	char *reply; /* NULL: not answered yet */
	size_t len;
};

/* ---- the end of a connection ---- */

static void add_unsent(struct client *c, size_t len)
{
	c->unsent += len;
	c->server->counts.unsent += len;
}

static void take_unsent(struct client *c, size_t len)
{
	c->unsent -= len;
	c->server->counts.unsent -= len;
}

static void client_ask_free(struct client *c, struct client_ask *a)
{
	STAILQ_REMOVE_HEAD(&c->asks, next);
	c->ask_count--;
	c->server->counts.waiting--;
	free(a->reply);
	free(a);
}

static void set_stalled(struct client *c, int64_t at_ms)
{
	if (c->stalled_at_ms)
		TAILQ_REMOVE(&c->server->stalled, c, stalled);
	c->stalled_at_ms = at_ms;
	if (at_ms)
		TAILQ_INSERT_TAIL(&c->server->stalled, c, stalled);
}

void client_close(struct client *c)
{
	struct server *s = c->server;
	struct client_ask *a;

	while ((a = STAILQ_FIRST(&c->asks))) {
		if (!a->reply)
			a->abandon(a->work);
		client_ask_free(c, a);
	}
	event_del(&c->read_event);
	event_del(&c->write_event);
	close(c->fd);
	set_stalled(c, 0);
	take_unsent(c, c->unsent);
	gather_forget(s, c);
	if (c->is_ready)
		TAILQ_REMOVE(&s->ready, c, ready);
	TAILQ_REMOVE(&s->all, c, all);
	s->counts.clients--;
	free(c->in);
	free(c->out);
	free(c);
	if (s->drained && TAILQ_EMPTY(&s->all))
		event_active(s->ready_event, 0, 0);
}

/* ---- answers ---- */

static void output_add(struct client *c, const char *bytes, size_t len)
{
	if (c->out_size - c->out_len < len && c->out_sent) {
		c->out_len -= c->out_sent;
		memmove(c->out, c->out + c->out_sent, c->out_len);
		c->out_sent = 0;
	}
	if (c->out_size - c->out_len < len) {
		while (c->out_size - c->out_len < len)
			c->out_size = c->out_size ? c->out_size * 2 : OUTPUT_FIRST;
		c->out = xrealloc(c->out, c->out_size);
	}
	memcpy(c->out + c->out_len, bytes, len);
	c->out_len += len;
}

static struct client_ask *client_ask_new(struct client *c)
{
	struct client_ask *a = xcalloc(1, sizeof(*a));

	a->client = c;
	STAILQ_INSERT_TAIL(&c->asks, a, next);
	c->ask_count++;
	c->server->counts.waiting++;
	return a;
}

void client_answer(struct client *c, const char *reply, size_t len)
{
	struct client_ask *a;

	add_unsent(c, len);
	if (STAILQ_EMPTY(&c->asks)) {
		output_add(c, reply, len);
		return;
	}
	a = client_ask_new(c);
	a->reply = xmemdup(reply, len);
	a->len = len;
}

struct client_ask *client_wait(struct client *c, void (*abandon)(void *work), void *work)
{
	struct client_ask *a = client_ask_new(c);

	a->abandon = abandon;
	a->work = work;
	return a;
}

void client_ask_wait_on(struct client_ask *a, void (*abandon)(void *work), void *work)
{
	a->abandon = abandon;
	a->work = work;
}

void client_ask_answer(struct client_ask *a, const char *reply, size_t len)
{
	struct client *c = a->client;

	assert(!a->reply);
	add_unsent(c, len);
	a->reply = xmemdup(reply, len);
	a->len = len;
	if (a != STAILQ_FIRST(&c->asks) || c->is_ready)
		return;
	/* all that is answered in one turn of the loop goes out with one write */
	c->is_ready = true;
	TAILQ_INSERT_TAIL(&c->server->ready, c, ready);
	event_active(c->server->ready_event, 0, 0);
}

static void output_take_answers(struct client *c)
{
	struct client_ask *a;

	while ((a = STAILQ_FIRST(&c->asks)) && a->reply) {
		output_add(c, a->reply, a->len);
		client_ask_free(c, a);
	}
}

/* False: the client is gone. */
static bool output_send(struct client *c)
{
	ssize_t n;

	while (c->out_sent < c->out_len) {
		n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->out_sent += (size_t)n;
		take_unsent(c, (size_t)n);
	}
	c->out_sent = c->out_len = 0;
	if (c->out_size > OUTPUT_KEPT) {
		free(c->out);
		c->out = NULL;
		c->out_size = 0;
	}
	return true;
}

/* ---- requests ---- */

bool client_held(const struct client *c)
{
	const struct server *s = c->server;

	return c->ask_count >= s->limits.max_asks || c->unsent >= s->limits.max_output ||
	       (c->unsent > 0 && s->counts.unsent >= s->limits.max_unsent);
}

void client_log_dropped(struct client *c, const char *reason, int64_t now_ms)
{
	unsigned long suppressed;

	if (ratelimit_ok(&c->server->malformed_lines, now_ms, &suppressed))
		log_warn("event=client_dropped reason=\"%s\" fd=%d requests=%lu suppressed=%lu", reason, c->fd,
			 c->requests, suppressed);
}

void client_reject(struct client *c, const char *reason)
{
	c->server->counts.malformed++;
	client_log_dropped(c, reason, tick_wall_ms());
	c->ending = true;
	c->rejected = true;
}

/* The whole requests at the start of BUF, at most SERVER_TOGETHER; how many. *STATUS is of what stands behind the last
 * one. */
static size_t next_requests(struct netstring *out, const char *buf, size_t len, enum netstring_status *status)
{
	size_t count = 0, used = 0;

	*status = NETSTRING_MORE;
	while (count < SERVER_TOGETHER && used < len &&
	       (*status = netstring_next(&out[count], buf + used, len - used, SOCKMAP_REQUEST_MAX)) == NETSTRING_OK)
		used += out[count++].used;
	return count;
}

/* Handles COUNT requests, fewer when the client is held back. How many octets are done with. */
static size_t handle_some(struct client *c, const struct netstring *request, size_t count, int64_t now_ms)
{
	struct server *s = c->server;
	bool together = count > 1 && s->together;
	size_t used = 0;

	if (together)
		s->ahead(request, count, s->arg);
	for (size_t i = 0; i < count && !client_held(c) && !c->rejected; i++) {
		used += request[i].used;
		c->requests++;
		s->fn(c, request[i].payload, request[i].len, now_ms, s->arg);
	}
	if (together)
		s->ahead(NULL, 0, s->arg);
	return used;
}

/* Handles the requests in BUF as far as they are whole and the client is not held back. How many octets are done
 * with. */
static size_t handle_requests(struct client *c, const char *buf, size_t len, int64_t now_ms)
{
	struct netstring request[SERVER_TOGETHER + 1];
	enum netstring_status status;
	size_t used = 0, count;

	do {
		count = next_requests(request, buf + used, len - used, &status);
		used += handle_some(c, request, count, now_ms);
	} while (count == SERVER_TOGETHER && !client_held(c) && !c->rejected);
	if (status == NETSTRING_BAD && !client_held(c) && !c->rejected)
		client_reject(c, request[count].reason);
	return c->rejected ? len : used;
}

static void input_drop(struct client *c)
{
	free(c->in);
	c->in = NULL;
	c->in_len = 0;
}

/* The octets of the server's buffer that wait for more. */
static void input_keep(struct client *c, const char *rest, size_t len)
{
	if (len == 0) {
		input_drop(c);
		return;
	}
	c->in = xrealloc(c->in, len);
	memcpy(c->in, rest, len);
	c->in_len = len;
}

/* USED octets of those kept are done with. */
static void input_advance(struct client *c, size_t used)
{
	c->in_len -= used;
	if (c->in_len == 0)
		input_drop(c);
	else
		memmove(c->in, c->in + used, c->in_len);
}

/* What recv(2) returned, nothing or an error, is the last of a connection. */
static bool is_end(ssize_t n)
{
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

/* Octets that have just arrived, with those kept before them. */
static void take_octets(struct client *c, const char *bytes, size_t len, int64_t now_ms)
{
	size_t used = handle_requests(c, bytes, len, now_ms);

	if (used)
		set_stalled(c, 0);
	input_keep(c, bytes + used, len - used);
}

/* One read and its requests. False: there is nothing more to be read now (or never: then ending is set). */
static bool client_read(struct client *c, int64_t now_ms)
{
	struct server *s = c->server;
	size_t len = c->in_len;
	ssize_t n;

	if (len > 0)
		memcpy(s->in, c->in, len);
	n = recv(c->fd, s->in + len, sizeof(s->in) - len, 0);
	if (n <= 0) {
		c->ending = c->ending || is_end(n);
		return false;
	}
	take_octets(c, s->in, len + (size_t)n, now_ms);
	return len + (size_t)n == sizeof(s->in) && !c->ending && !client_held(c);
}

/* ---- a connection's turn ---- */

/* PENDING: whether EVENT is added, kept here because event_pending() is dear for a question asked in every turn. */
static void want(struct event *event, bool *pending, bool wanted)
{
	if (*pending == wanted)
		return;
	if (wanted)
		event_add(event, NULL);
	else
		event_del(event);
	*pending = wanted;
}

/* Says what the connection waits for next, or ends it. */
static void client_settle(struct client *c, int64_t now_ms)
{
	bool unsent = c->out_len > 0, held = client_held(c);

	if (c->ending && !unsent && STAILQ_EMPTY(&c->asks)) {
		client_close(c);
		return;
	}
	want(&c->read_event, &c->reads, !c->ending && !held);
	want(&c->write_event, &c->writes, unsent);
	if (!unsent && (c->in_len == 0 || held || c->ending))
		set_stalled(c, 0);
	else if (!c->stalled_at_ms)
		set_stalled(c, now_ms);
}

void client_turn(struct client *c, int64_t now_ms)
{
	size_t used;

	do {
		output_take_answers(c);
		if (!output_send(c)) {
			client_close(c);
			return;
		}
		used = c->in_len && !client_held(c) ? handle_requests(c, c->in, c->in_len, now_ms) : 0;
		if (used)
			input_advance(c, used);
	} while (used);
	client_settle(c, now_ms);
}

void client_read_turn(struct client *c)
{
	int64_t now_ms = tick_wall_ms();

	for (int i = 0; i < READS_PER_TURN && client_read(c, now_ms); i++)
		;
	client_turn(c, now_ms);
}

void client_take(struct client *c, const char *bytes, size_t len, int64_t now_ms)
{
	take_octets(c, bytes, len, now_ms);
	client_turn(c, now_ms);
}

/* Reads for later in this turn of the loop. False: this connection is to be handled at once. */
static bool client_gather(struct client *c)
{
	char *room = c->in_len == 0 && !c->gathered ? gather_room(c->server) : NULL;
	ssize_t n;

	if (!room)
		return false;
	n = recv(c->fd, room, GATHER_READ, 0);
	if (n > 0 && n < GATHER_READ) {
		gather_add(c->server, c, (size_t)n);
	} else if (n > 0) {
		client_take(c, room, (size_t)n, tick_wall_ms()); /* the loop comes back for the rest */
	} else {
		c->ending = c->ending || is_end(n);
		client_turn(c, tick_wall_ms());
	}
	return true;
}

static void client_on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (!client_gather(arg))
		client_read_turn(arg);
}

static void client_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	set_stalled(c, 0);
	client_turn(c, tick_wall_ms());
}

/* ---- the beginning ---- */

void client_new(struct server *s, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->server = s;
	c->fd = fd;
	STAILQ_INIT(&c->asks);
	event_assign(&c->read_event, s->base, fd, EV_READ | EV_PERSIST, client_on_readable, c);
	event_assign(&c->write_event, s->base, fd, EV_WRITE | EV_PERSIST, client_on_writable, c);
	TAILQ_INSERT_TAIL(&s->all, c, all);
	s->counts.clients++;
	s->counts.accepted++;
	want(&c->read_event, &c->reads, true);
}
