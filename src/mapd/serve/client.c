/*
 * client.c - see client.h and client_life.h: the bytes of one connection.
 *
 * A turn of the loop reads what is there, hands every whole request on, and sends all answers with one write.
 */
#include "mapd/serve/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "core/sockmap.h"
#include "mapd/serve/client_life.h"

#define READS_PER_TURN 4 /* then others have their turn */

struct client {
	struct client_env *env;
	void *owner;
	int fd;
	struct event read_event, write_event;
	char *in; /* octets that are no whole request yet, or are held back */
	size_t in_len;
	struct answers answers;
	unsigned long requests;
	bool reads, writes; /* its events are added */
	bool half_done;     /* as the server was told */
	bool ending;        /* nothing more is read; closed after the last answer */
	bool rejected;      /* what came after the last request is not looked at */
	size_t gathered;    /* its place in env->gather; 0: none */
};

/* ---- the end of a connection ---- */

static void set_half_done(struct client *c, int64_t since_ms)
{
	if (!c->half_done && !since_ms)
		return;
	c->half_done = since_ms;
	c->env->on_half_done(c->owner, since_ms);
}

void client_close(struct client *c)
{
	struct client_env *env = c->env;
	void *owner = c->owner;

	answers_fini(&c->answers);
	event_del(&c->read_event);
	event_del(&c->write_event);
	close(c->fd);
	if (c->gathered)
		gather_forget(env->gather, c->gathered);
	env->clients--;
	free(c->in);
	free(c);
	env->on_close(owner);
}

static void log_dropped(struct client *c, const char *reason, int64_t now_ms)
{
	unsigned long suppressed;

	if (ratelimit_ok(&c->env->malformed_lines, now_ms, &suppressed))
		log_warn("event=client_dropped reason=\"%s\" fd=%d requests=%lu suppressed=%lu", reason, c->fd,
			 c->requests, suppressed);
}

void client_give_up(struct client *c, int64_t now_ms)
{
	log_dropped(c, answers_half_sent(&c->answers) ? "answers are not taken" : "request not finished", now_ms);
	client_close(c);
}

/* ---- answers ---- */

void client_answer(struct client *c, const char *reply, size_t len)
{
	answers_add(&c->answers, reply, len);
}

struct client_ask *client_wait(struct client *c, void (*abandon)(void *work), void *work)
{
	return answers_await(&c->answers, abandon, work);
}

void client_ask_wait_on(struct client_ask *a, void (*abandon)(void *work), void *work)
{
	answers_await_other(a, abandon, work);
}

void client_ask_answer(struct client_ask *a, const char *reply, size_t len)
{
	struct client *c = answers_take(a, reply, len);

	if (c)
		c->env->on_ready(c->owner);
}

/* ---- requests ---- */

/* Too much is unanswered or unsent: its requests stay where they are. */
static bool is_held(const struct client *c)
{
	const struct client_env *env = c->env;
	size_t unsent = answers_unsent(&c->answers);

	return answers_waiting(&c->answers) >= env->max_asks || unsent >= env->max_output ||
	       (unsent > 0 && env->sum.unsent >= env->max_unsent);
}

void client_reject(struct client *c, const char *reason)
{
	c->env->malformed++;
	log_dropped(c, reason, tick_wall_ms());
	c->ending = true;
	c->rejected = true;
}

static size_t handle_one(struct client *c, const struct netstring *request, int64_t now_ms)
{
	c->requests++;
	c->env->fn(c, request->payload, request->len, now_ms, c->env->arg);
	return request->used;
}

/* Handles the whole requests in BUF, CLIENT_TOGETHER at most, of which FIRST is known, as far as the client is not held
 * back; they are told ahead. How many octets are done with. */
static size_t handle_together(struct client *c, const struct netstring *first, const char *buf, size_t len,
			      int64_t now_ms)
{
	struct client_env *env = c->env;
	struct netstring request[CLIENT_TOGETHER];
	size_t count = 1, used = first->used;

	request[0] = *first;
	while (count < CLIENT_TOGETHER && used < len &&
	       netstring_next(&request[count], buf + used, len - used, SOCKMAP_REQUEST_MAX) == NETSTRING_OK)
		used += request[count++].used;
	if (count > 1)
		env->ahead(request, count, env->arg);
	used = 0;
	for (size_t i = 0; i < count && !is_held(c) && !c->rejected; i++)
		used += handle_one(c, &request[i], now_ms);
	if (count > 1)
		env->ahead(NULL, 0, env->arg);
	return used;
}

/* Handles the requests in BUF as far as they are whole and the client is not held back. How many octets are done
 * with. */
static size_t handle_requests(struct client *c, const char *buf, size_t len, int64_t now_ms)
{
	struct netstring request;
	enum netstring_status status;
	size_t used = 0;

	while (used < len && !is_held(c) && !c->rejected) {
		status = netstring_next(&request, buf + used, len - used, SOCKMAP_REQUEST_MAX);
		if (status == NETSTRING_MORE)
			break;
		if (status == NETSTRING_BAD)
			client_reject(c, request.reason);
		else if (request.used < len - used && gather_helps(c->env->gather))
			used += handle_together(c, &request, buf + used, len - used, now_ms);
		else
			used += handle_one(c, &request, now_ms);
	}
	return c->rejected ? len : used;
}

static void input_drop(struct client *c)
{
	free(c->in);
	c->in = NULL;
	c->in_len = 0;
}

/* The octets of the common buffer that wait for more. */
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
		set_half_done(c, 0);
	input_keep(c, bytes + used, len - used);
}

/* One read and its requests. False: there is nothing more to be read now (or never: then ending is set). */
static bool client_read(struct client *c, int64_t now_ms)
{
	struct client_env *env = c->env;
	size_t len = c->in_len;
	ssize_t n;

	if (len > 0)
		memcpy(env->in, c->in, len);
	n = recv(c->fd, env->in + len, sizeof(env->in) - len, 0);
	if (n <= 0) {
		c->ending = c->ending || is_end(n);
		return false;
	}
	take_octets(c, env->in, len + (size_t)n, now_ms);
	return len + (size_t)n == sizeof(env->in) && !c->ending && !is_held(c);
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
	bool unsent = answers_half_sent(&c->answers), held = is_held(c);

	if (c->ending && !unsent && answers_waiting(&c->answers) == 0) {
		client_close(c);
		return;
	}
	want(&c->read_event, &c->reads, !c->ending && !held);
	want(&c->write_event, &c->writes, unsent);
	if (!unsent && (c->in_len == 0 || held || c->ending))
		set_half_done(c, 0);
	else if (!c->half_done)
		set_half_done(c, now_ms);
}

void client_turn(struct client *c, int64_t now_ms)
{
	size_t used;

	do {
		if (!answers_send(&c->answers, c->fd)) {
			client_close(c);
			return;
		}
		used = c->in_len && !is_held(c) ? handle_requests(c, c->in, c->in_len, now_ms) : 0;
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

void client_read_rest(struct client *c)
{
	if (!c->ending && !is_held(c))
		client_read_turn(c);
}

void client_end(struct client *c, int64_t now_ms)
{
	c->ending = true;
	client_turn(c, now_ms);
}

void client_take(struct client *c, const char *bytes, size_t len, int64_t now_ms)
{
	c->gathered = 0;
	take_octets(c, bytes, len, now_ms);
	client_turn(c, now_ms);
}

/* Reads for later in this turn of the loop. False: this connection is to be handled at once. */
static bool client_gather(struct client *c)
{
	struct client_env *env = c->env;
	bool may = env->ahead && env->clients >= env->gather_clients && c->in_len == 0 && !c->gathered;
	char *room = may ? gather_room(env->gather) : NULL;
	ssize_t n;

	if (!room)
		return false;
	n = recv(c->fd, room, GATHER_READ, 0);
	if (n > 0 && n < GATHER_READ) {
		c->gathered = gather_add(env->gather, c, (size_t)n);
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
	set_half_done(c, 0);
	client_turn(c, tick_wall_ms());
}

/* ---- the beginning ---- */

struct client *client_new(struct client_env *env, int fd, void *owner)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->env = env;
	c->owner = owner;
	c->fd = fd;
	answers_init(&c->answers, &env->sum, c);
	event_assign(&c->read_event, env->base, fd, EV_READ | EV_PERSIST, client_on_readable, c);
	event_assign(&c->write_event, env->base, fd, EV_WRITE | EV_PERSIST, client_on_writable, c);
	env->clients++;
	want(&c->read_event, &c->reads, true);
	return c;
}
