/*
 * dns_ub.c - DNS questions and their validated answers. Not the making of a context (dns_context.c), nor what a
 * result means (dns_answer.c).
 *
 * A query's life: asked -> libunbound's thread works on it -> ub_process() calls on_result() -> its answer is handed
 * over, and it is freed. Or its deadline comes first: RR_ERROR. Called by mapd/resolve and by the control tool.
 */
#include "io/dns_ub.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event_struct.h>
#include <unbound.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/dns_answer.h"
#include "io/dns_context.h"

#define DNS_CLASS_IN 1

struct dns_query {
	TAILQ_ENTRY(dns_query) link;
	struct dns *dns;
	struct event timer; /* the deadline; unused without a base */
	int id;             /* libunbound's */
	const char *failed; /* it could not even be asked: why */
	dns_answer_fn *fn;
	void *arg;
};

struct dns {
	struct event_base *base; /* or NULL */
	struct ub_ctx *ctx;
	struct event *readable;
	struct timeval timeout;
	const struct timeval
	    *common_timeout; /* libevent's: all deadlines are of one length, so a queue serves for a heap */
	char late[64];       /* why of a passed deadline */
	TAILQ_HEAD(, dns_query) queries;
	size_t pending;
	bool processing; /* inside ub_process(): its callbacks may free us */
	bool closing;
};

/* --- queries --- */

static void query_free(struct dns_query *q)
{
	TAILQ_REMOVE(&q->dns->queries, q, link);
	q->dns->pending--;
	if (q->dns->base != NULL)
		event_del(&q->timer);
	free(q);
}

static void fail(struct dns_query *q, const char *why)
{
	struct rr_answer a;
	dns_answer_fn *fn = q->fn;
	void *arg = q->arg;

	dns_answer_set_error(&a, why);
	query_free(q);
	fn(&a, arg);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *q = arg;
	struct dns *d = q->dns;
	char why[sizeof(d->late)];

	(void)fd;
	(void)what;
	if (q->failed != NULL) {
		fail(q, q->failed);
		return;
	}
	ub_cancel(d->ctx, q->id);
	memcpy(why, d->late, sizeof(why)); /* FN may free D */
	fail(q, why);
}

static void on_result(void *arg, int err, struct ub_result *result)
{
	struct dns_query *q = arg;
	dns_answer_fn *fn = q->fn;
	void *fn_arg = q->arg;

	if (q->dns->closing) {
		ub_resolve_free(result);
		return; /* freed with the others */
	}
	if (err != 0) {
		fail(q, ub_strerror(err));
		return;
	}
	query_free(q);
	dns_answer_hand_over(fn, fn_arg, result);
	ub_resolve_free(result);
}

static struct dns_query *query_new(struct dns *d, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));
	int rc;

	q->dns = d;
	q->fn = fn;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&d->queries, q, link);
	d->pending++;
	rc = ub_resolve_async(d->ctx, name, (int)type, DNS_CLASS_IN, q, on_result, &q->id);
	if (rc != 0)
		q->failed = ub_strerror(rc);
	return q;
}

struct dns_query *dns_ask(struct dns *d, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg)
{
	struct dns_query *q = query_new(d, name, type, fn, arg);

	event_assign(&q->timer, d->base, -1, 0, on_deadline, q);
	if (q->failed != NULL)
		event_active(&q->timer, EV_TIMEOUT, 1);
	else
		event_add(&q->timer, d->common_timeout);
	return q;
}

void dns_abort(struct dns_query **query)
{
	struct dns_query *q = *query;

	*query = NULL;
	if (q == NULL)
		return;
	if (q->failed == NULL)
		ub_cancel(q->dns->ctx, q->id);
	query_free(q);
}

size_t dns_pending(const struct dns *d)
{
	return d->pending;
}

/* --- the context in our loop --- */

/* Runs on the deleting thread, when libunbound knows the queries no more. */
static void dns_end(void *arg)
{
	struct dns *d = arg;
	struct dns_query *q;

	while ((q = TAILQ_FIRST(&d->queries)) != NULL) {
		TAILQ_REMOVE(&d->queries, q, link);
		free(q);
	}
	free(d);
}

static void process(struct dns *d)
{
	d->processing = true;
	ub_process(d->ctx);
	d->processing = false;
	if (d->closing)
		dns_context_delete(d->ctx, dns_end, d);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process(arg);
}

void dns_free(struct dns **dns)
{
	struct dns *d = *dns;
	struct dns_query *q;

	*dns = NULL;
	if (d == NULL)
		return;
	d->closing = true;
	if (d->readable != NULL)
		event_free(d->readable);
	if (d->base != NULL)
		TAILQ_FOREACH(q, &d->queries, link)
	event_del(&q->timer);
	if (!d->processing)
		dns_context_delete(d->ctx, dns_end, d);
}

struct dns *dns_new(struct event_base *base, const struct conf_dns *conf, char *error, size_t size)
{
	struct ub_ctx *ctx = dns_context_new(conf, error, size);
	struct dns *d;

	if (ctx == NULL)
		return NULL;
	d = xcalloc(1, sizeof(*d));
	d->base = base;
	d->ctx = ctx;
	d->timeout.tv_sec = conf->timeout_s;
	snprintf(d->late, sizeof(d->late), "no answer within %u s", conf->timeout_s);
	TAILQ_INIT(&d->queries);
	if (base != NULL) {
		d->common_timeout = event_base_init_common_timeout(base, &d->timeout);
		d->readable = event_new(base, ub_fd(ctx), EV_READ | EV_PERSIST, on_readable, d);
		event_add(d->readable, NULL);
	}
	return d;
}

/* --- blocking --- */

struct blocking {
	dns_answer_fn *fn;
	void *arg;
	bool done;
};

static void on_blocking(const struct rr_answer *answer, void *arg)
{
	struct blocking *b = arg;

	b->done = true;
	b->fn(answer, b->arg);
}

void dns_ask_blocking(struct dns *d, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg)
{
	struct blocking b = {fn, arg, false};
	struct dns_query *q = query_new(d, name, type, on_blocking, &b);
	int64_t end = tick_mono_ms() + (int64_t)d->timeout.tv_sec * 1000;
	struct pollfd pfd = {.fd = ub_fd(d->ctx), .events = POLLIN};

	if (d->base != NULL)
		event_assign(&q->timer, d->base, -1, 0, on_deadline, q);
	while (!b.done && q->failed == NULL) {
		int64_t left = end - tick_mono_ms();

		if (left <= 0 || poll(&pfd, 1, (int)left) == 0)
			break;
		process(d);
	}
	if (!b.done)
		on_deadline(-1, 0, q);
}
