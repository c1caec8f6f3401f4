/*
 * answers.c - see answers.h.
 */
#include "mapd/serve/answers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/xalloc.h"

#define OUTPUT_FIRST 512
#define OUTPUT_KEPT 16384 /* a larger output buffer is given back when it is empty */

struct client_ask {
	STAILQ_ENTRY(client_ask) next;
	struct answers *answers;
	void (*abandon)(void *work);
	void *work;
	char *reply; /* NULL: not answered yet */
	size_t len;
};

static void add_unsent(struct answers *a, size_t len)
{
	a->unsent += len;
	a->sum->unsent += len;
}

static void take_unsent(struct answers *a, size_t len)
{
	a->unsent -= len;
	a->sum->unsent -= len;
}

static struct client_ask *ask_new(struct answers *a)
{
	struct client_ask *ask = xcalloc(1, sizeof(*ask));

	ask->answers = a;
	STAILQ_INSERT_TAIL(&a->asks, ask, next);
	a->waiting++;
	a->sum->waiting++;
	return ask;
}

/* The first one goes. */
static void ask_free(struct answers *a, struct client_ask *ask)
{
	STAILQ_REMOVE_HEAD(&a->asks, next);
	a->waiting--;
	a->sum->waiting--;
	free(ask->reply);
	free(ask);
}

static void ask_reply(struct client_ask *ask, const char *reply, size_t len)
{
	ask->reply = xmemdup(reply, len);
	ask->len = len;
}

void answers_init(struct answers *a, struct answers_sum *sum, void *owner)
{
	*a = (struct answers){.sum = sum, .owner = owner};
	STAILQ_INIT(&a->asks);
}

void answers_fini(struct answers *a)
{
	struct client_ask *ask;

	while ((ask = STAILQ_FIRST(&a->asks))) {
		if (!ask->reply)
			ask->abandon(ask->work);
		ask_free(a, ask);
	}
	take_unsent(a, a->unsent);
	free(a->out);
}

/* ---- in ---- */

static void output_add(struct answers *a, const char *bytes, size_t len)
{
	if (a->out_size - a->out_len < len && a->out_sent) {
		a->out_len -= a->out_sent;
		memmove(a->out, a->out + a->out_sent, a->out_len);
		a->out_sent = 0;
	}
	if (a->out_size - a->out_len < len) {
		while (a->out_size - a->out_len < len)
			a->out_size = a->out_size ? a->out_size * 2 : OUTPUT_FIRST;
		a->out = xrealloc(a->out, a->out_size);
	}
	memcpy(a->out + a->out_len, bytes, len);
	a->out_len += len;
}

void answers_add(struct answers *a, const char *reply, size_t len)
{
	add_unsent(a, len);
	if (STAILQ_EMPTY(&a->asks))
		output_add(a, reply, len);
	else
		ask_reply(ask_new(a), reply, len);
}

struct client_ask *answers_await(struct answers *a, void (*abandon)(void *work), void *work)
{
	struct client_ask *ask = ask_new(a);

	answers_await_other(ask, abandon, work);
	return ask;
}

void answers_await_other(struct client_ask *ask, void (*abandon)(void *work), void *work)
{
	ask->abandon = abandon;
	ask->work = work;
}

void *answers_take(struct client_ask *ask, const char *reply, size_t len)
{
	struct answers *a = ask->answers;

	assert(!ask->reply);
	add_unsent(a, len);
	ask_reply(ask, reply, len);
	return ask == STAILQ_FIRST(&a->asks) ? a->owner : NULL;
}

/* ---- out ---- */

static void output_take_ready(struct answers *a)
{
	struct client_ask *ask;

	while ((ask = STAILQ_FIRST(&a->asks)) && ask->reply) {
		output_add(a, ask->reply, ask->len);
		ask_free(a, ask);
	}
}

static void output_shrink(struct answers *a)
{
	free(a->out);
	a->out = NULL;
	a->out_size = 0;
}

bool answers_send(struct answers *a, int fd)
{
	ssize_t n;

	output_take_ready(a);
	while (a->out_sent < a->out_len) {
		n = send(fd, a->out + a->out_sent, a->out_len - a->out_sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		a->out_sent += (size_t)n;
		take_unsent(a, (size_t)n);
	}
	a->out_sent = a->out_len = 0;
	if (a->out_size > OUTPUT_KEPT)
		output_shrink(a);
	return true;
}
