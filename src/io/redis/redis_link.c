/*
 * redis_link.c - one connection to Redis on the event loop (redis_link.h).
 *
 * A non-blocking redisContext, two plain events and a ring of those who wait for a reply. Replies come in the order of
 * the commands; on a subscribed connection arrays that begin with "message" belong to nobody and go to on_push.
 */
#include "io/redis/redis_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/redis_address.h"
#include "io/redis/redis_advice.h"
#include "io/redis/redis_tls.h"

#define RING_MIN 64
#define IDLE_MS 1000       /* nothing heard for so long: PING */
#define TLS_READS 32       /* reads per turn: bytes may wait inside the TLS layer, where poll() does not see them */
#define TURN_WEIGHT 500    /* of replies and their elements, handed out in one turn: about a millisecond of work */
#define TLS_RETRY_US 10000 /* a TLS write that made no way may wait for a byte to read: look again */

struct waiter {
	redis_reply_fn *fn;
	void *arg;
};

struct redis_link {
	struct redis_link_events ev;
	void *arg;
	redisContext *c;
	const struct conf_redis *conf;
	struct ssl_st *session; /* of TLS; c's */
	struct event *read, *write;
	struct event *retry; /* a TLS write that made no way */
	struct event *more;  /* replies that were left for the next turn */
	struct waiter *ring;
	size_t size, first, count; /* of the ring; size is a power of two */
	int64_t heard_ms;
	int64_t owed_since_ms;
	bool open, tls, pushes, lost;
	bool behind; /* some were: nothing is read meanwhile */
	bool *freed; /* set while a callback runs: tells the caller up the stack that we are gone */
};

static void redis_link_lose(struct redis_link *l, const char *why)
{
	if (l->lost)
		return;
	l->lost = true;
	event_del(l->read);
	event_del(l->write);
	event_del(l->retry);
	event_del(l->more);
	l->ev.on_lost(l, why, l->arg);
}

static const char *link_error(const struct redis_link *l)
{
	const char *bad = l->session ? redis_tls_why(l->session) : NULL;

	if (bad)
		return bad;
	return l->c->err == REDIS_ERR_EOF ? "connection closed by Redis" : l->c->errstr;
}

/* ---- waiters ---- */
static void ring_push(struct redis_link *l, redis_reply_fn *fn, void *arg)
{
	if (l->count == l->size) {
		struct waiter *grown = xcalloc(l->size ? l->size * 2 : RING_MIN, sizeof(*grown));

		for (size_t i = 0; i < l->count; i++)
			grown[i] = l->ring[(l->first + i) & (l->size - 1)];
		free(l->ring);
		l->ring = grown;
		l->first = 0;
		l->size = l->size ? l->size * 2 : RING_MIN;
	}
	l->ring[(l->first + l->count++) & (l->size - 1)] = (struct waiter){fn, arg};
}

static struct waiter ring_shift(struct redis_link *l)
{
	struct waiter w = l->ring[l->first];

	l->first = (l->first + 1) & (l->size - 1);
	l->count--;
	return w;
}

/* ---- bytes in ---- */
/* "max number of clients", "protected mode": Redis speaks unasked and hangs up. */
static void lose_unasked(struct redis_link *l, const struct redis_reply *reply)
{
	struct redis_text error;

	redis_link_lose(l, redis_reply_error(reply, &error) ? error.text : "Redis spoke out of turn");
}

static void redis_link_deliver(struct redis_link *l, const struct redis_reply *reply)
{
	struct waiter w;

	if (l->pushes && redis_reply_is_message(reply)) {
		l->ev.on_push(reply, l->arg);
		return;
	}
	if (l->count == 0) {
		lose_unasked(l, reply);
		return;
	}
	w = ring_shift(l);
	l->owed_since_ms = l->count ? l->heard_ms : 0;
	if (w.fn)
		w.fn(reply, w.arg);
}

static void leave_the_rest(struct redis_link *l)
{
	static const struct timeval next_turn = {0, 0};

	l->behind = true;
	evtimer_add(l->more, &next_turn);
}

/* Hands out whole replies read so far, TURN_WEIGHT of them and the rest in the next turn of the loop, so that others
 * have theirs. False: the link is gone or lost. */
static bool deliver_some(struct redis_link *l)
{
	bool freed = false;
	size_t weight = 0;
	void *reply;

	l->behind = false;
	for (;;) {
		if (weight >= TURN_WEIGHT) {
			leave_the_rest(l);
			return true;
		}
		reply = NULL;
		if (redisReaderGetReply(l->c->reader, &reply) != REDIS_OK) {
			redis_link_lose(l, l->c->reader->errstr);
			return false;
		}
		if (!reply)
			return true;
		weight += redis_reply_weight(reply);
		l->freed = &freed;
		redis_link_deliver(l, reply);
		freeReplyObject(reply);
		if (freed)
			return false;
		l->freed = NULL;
		if (l->lost)
			return false;
	}
}

static void redis_link_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;
	size_t before;

	(void)fd;
	(void)what;
	for (int i = 0; i < (l->tls ? TLS_READS : 1) && !l->behind; i++) {
		before = l->c->reader->len;
		if (redisBufferRead(l->c) != REDIS_OK) {
			redis_link_lose(l, link_error(l));
			return;
		}
		if (l->c->reader->len == before)
			return;
		l->heard_ms = tick_mono_ms();
		if (l->owed_since_ms != 0)
			l->owed_since_ms = l->heard_ms;
		if (!deliver_some(l))
			return;
	}
	if (l->tls && !l->behind)
		event_active(l->read, EV_READ, 0);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	struct redis_link *l = arg;

	(void)fd;
	(void)what;
	if (deliver_some(l) && !l->behind && l->tls)
		event_active(l->read, EV_READ, 0);
}

/* ---- connecting ---- */
static void opened(struct redis_link *l)
{
	int err = 0;
	socklen_t len = sizeof(err);
	char why[200];

	if (getsockopt(l->c->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err != 0) {
		redis_link_lose(l, strerror_r(err, why, sizeof(why)));
		return;
	}
	if (l->tls && !(l->session = redis_tls_start(l->c, l->conf, why, sizeof(why)))) {
		redis_link_lose(l, why);
		return;
	}
	l->open = true;
	l->heard_ms = tick_mono_ms();
	l->owed_since_ms = 0;
	event_add(l->read, NULL);
	l->ev.on_open(l, l->arg);
}

/* ---- bytes out ---- */
static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {0, TLS_RETRY_US};
	struct redis_link *l = arg;
	int done = 0;

	(void)fd;
	(void)what;
	if (!l->open) {
		opened(l);
		return;
	}
	if (redisBufferWrite(l->c, &done) != REDIS_OK) {
		redis_link_lose(l, link_error(l));
		return;
	}
	/* a TLS write may wait for a byte to read; the socket stays writable meanwhile, which would be a busy loop */
	if (!done && l->tls)
		evtimer_add(l->retry, &again);
	else if (!done)
		event_add(l->write, NULL);
}

void redis_link_send(struct redis_link *l, redis_reply_fn *fn, void *arg, int argc, const char *const *argv,
		     const size_t *argv_len)
{
	if (l->lost || redisAppendCommandArgv(l->c, argc, (const char **)(uintptr_t)argv, argv_len) != REDIS_OK)
		abort(); /* our bug, or no memory: hiredis has no other failure here */
	ring_push(l, fn, arg);
	if (l->owed_since_ms == 0)
		l->owed_since_ms = tick_mono_ms();
	if (l->open)
		event_add(l->write, NULL);
}

void redis_link_forget(struct redis_link *l, const void *arg)
{
	for (size_t i = 0; i < l->count; i++) {
		struct waiter *w = &l->ring[(l->first + i) & (l->size - 1)];

		if (w->arg == arg)
			w->fn = NULL;
	}
}

void redis_link_take(struct redis_link *l, void (*fn)(redis_reply_fn *reply_fn, void *reply_arg, void *arg), void *arg)
{
	struct waiter w;

	while (l->count > 0) {
		w = ring_shift(l);
		if (w.fn)
			fn(w.fn, w.arg, arg);
	}
}

size_t redis_link_waiting(const struct redis_link *l)
{
	return l->count;
}

/* +PONG, or on a subscribed connection "pong" and "". What else there is means that replies and questions have lost each
 * other; an error is an answer. */
static void on_pong(const struct redis_reply *reply, void *arg)
{
	struct redis_text head;
	char why[REDIS_WHY_SIZE];

	if (!reply || redis_reply_is_status(reply, "PONG") || redis_reply_is_error(reply, NULL) ||
	    (redis_reply_head(reply, &head) && redis_text_is(&head, "pong")))
		return;
	redis_reply_why(why, sizeof(why), "PING", reply);
	redis_link_lose(arg, why);
}

bool redis_link_alive(struct redis_link *l, bool ping)
{
	static const char *const words[] = {"PING"};
	int64_t now = tick_mono_ms();

	if (l->owed_since_ms != 0 && now - l->owed_since_ms >= REDIS_LINK_DEAD_S * 1000)
		return false;
	if (ping && l->owed_since_ms == 0 && now - l->heard_ms >= IDLE_MS)
		redis_link_send(l, on_pong, l, 1, words, NULL);
	return true;
}

/* ---- life ---- */
struct redis_link *redis_link_new(struct event_base *base, const struct conf_redis *conf, const char *address,
				  bool pushes, const struct redis_link_events *events, void *arg, char *error,
				  size_t size)
{
	struct redis_link *l = xcalloc(1, sizeof(*l));
	const char *why = redis_tls_unavailable(conf);

	l->ev = *events;
	l->arg = arg;
	l->pushes = pushes;
	l->tls = conf->tls;
	l->conf = conf;
	if (!why) {
		l->c = redis_address_connect(address, NULL);
		why = !l->c ? "no memory or bad address" : l->c->err ? l->c->errstr : NULL;
	}
	if (why) {
		snprintf(error, size, "%s", why);
		redis_link_free(&l);
		return NULL;
	}
	l->read = event_new(base, l->c->fd, EV_READ | EV_PERSIST, redis_link_on_readable, l);
	l->write = event_new(base, l->c->fd, EV_WRITE, on_writable, l);
	l->retry = evtimer_new(base, on_writable, l);
	l->more = evtimer_new(base, on_more, l);
	if (!l->read || !l->write || !l->retry || !l->more)
		abort();
	l->heard_ms = l->owed_since_ms = tick_mono_ms();
	event_add(l->write, NULL);
	return l;
}

void redis_link_reconf(struct redis_link *l, const struct conf_redis *conf)
{
	l->conf = conf;
}

void redis_link_free(struct redis_link **link)
{
	struct redis_link *l = *link;

	*link = NULL;
	if (!l)
		return;
	if (l->freed)
		*l->freed = true;
	if (l->read)
		event_free(l->read);
	if (l->write)
		event_free(l->write);
	if (l->retry)
		event_free(l->retry);
	if (l->more)
		event_free(l->more);
	if (l->c)
		redisFree(l->c);
	free(l->ring);
	free(l);
}
