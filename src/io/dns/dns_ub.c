/*
 * dns_ub.c - DNS questions and their validated answers. Not the making of a context (dns_context.c), nor what a
 * result means (dns_answer.c).
 *
 * A query's life: asked -> queued (dns_feed.c) -> a thread of libunbound works on it -> ub_process() calls on_result()
 * -> its answer is handed over, and it is freed. Or its deadline comes first: RR_ERROR. Asked by
 * mapd/resolve/job.c.
 *
 * A context of libunbound has one thread, which validates; several contexts use several cores, and each has caches of
 * its own. So what is asked about one domain goes to one of them: its keys are fetched and validated once.
 */
#include "io/dns/dns_ub.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include <event2/event_struct.h>
#include <unbound.h>

#include "base/hmap.h"
#include "base/sbuf.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/dns/dns_answer.h"
#include "io/dns/dns_closer.h"
#include "io/dns/dns_context.h"
#include "io/dns/dns_feed.h"

/* One context, the thread in it, and the thread that feeds it. */
struct worker {
	struct dns *dns;
	struct ub_ctx *ctx;
	struct dns_feed *feed;
	struct event *readable;
};

struct dns_query {
	TAILQ_ENTRY(dns_query) link;
	struct worker *worker;
	struct event timer; /* the deadline; unused without a base */
	struct dns_ticket *ticket;
	dns_answer_fn *fn;
	void *arg;
};

struct dns {
	struct event_base *base; /* or NULL */
	struct worker *worker;
	size_t workers;
	uint64_t key[2]; /* strangers choose the names: they shall not choose the worker */
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
	struct dns *d = q->worker->dns;

	TAILQ_REMOVE(&d->queries, q, link);
	d->pending--;
	if (d->base)
		event_del(&q->timer);
	free(q);
}

static void dns_ub_fail(struct dns_query *q, const char *why)
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
	struct dns *d = q->worker->dns;
	const char *failure;
	char why[sizeof(d->late)];

	(void)fd;
	(void)what;
	failure = dns_feed_failure(q->ticket);
	snprintf(why, sizeof(why), "%s", failure ? failure : d->late); /* FN may free D */
	dns_feed_drop(q->ticket);
	dns_ub_fail(q, why);
}

static void on_result(void *arg, int err, struct ub_result *result)
{
	struct dns_query *q = arg;
	dns_answer_fn *fn = q->fn;
	void *fn_arg = q->arg;

	if (q->worker->dns->closing) {
		ub_resolve_free(result);
		return; /* freed with the others */
	}
	if (err != 0) {
		dns_ub_fail(q, ub_strerror(err));
		return;
	}
	query_free(q);
	dns_answer_hand_over(fn, fn_arg, result);
	ub_resolve_free(result);
}

static struct worker *worker_for(const struct dns *d, const char *about)
{
	return &d->worker[d->workers == 1 ? 0 : siphash13(d->key, about, strlen(about)) % d->workers];
}

static struct dns_query *query_new(struct worker *w, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));

	q->worker = w;
	q->fn = fn;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&w->dns->queries, q, link);
	w->dns->pending++;
	q->ticket = dns_feed_ask(w->feed, name, (int)type, on_result, q);
	return q;
}

struct dns_query *dns_ask(struct dns *d, const char *about, const char *name, enum rr_type type, dns_answer_fn *fn,
			  void *arg)
{
	struct dns_query *q = query_new(worker_for(d, about), name, type, fn, arg);

	event_assign(&q->timer, d->base, -1, 0, on_deadline, q);
	event_add(&q->timer, d->common_timeout);
	return q;
}

void dns_abort(struct dns_query **query)
{
	struct dns_query *q = *query;

	*query = NULL;
	if (!q)
		return;
	dns_feed_drop(q->ticket);
	query_free(q);
}

size_t dns_pending(const struct dns *d)
{
	return d->pending;
}

/* --- the contexts in our loop --- */

/* Runs on the deleting thread, when libunbound knows the queries no more. */
static void dns_end(void *arg)
{
	struct dns *d = arg;
	struct dns_query *q;

	for (size_t i = 0; i < d->workers; i++)
		dns_feed_free(&d->worker[i].feed);
	while ((q = TAILQ_FIRST(&d->queries))) {
		TAILQ_REMOVE(&d->queries, q, link);
		free(q);
	}
	free(d->worker);
	free(d);
}

/* Likewise, while it still does. */
static void dns_stop(void *arg)
{
	struct dns *d = arg;

	for (size_t i = 0; i < d->workers; i++)
		if (d->worker[i].feed)
			dns_feed_stop(d->worker[i].feed);
}

static void delete_contexts(struct dns *d)
{
	const struct dns_ending ending = {dns_stop, dns_end, d};
	struct ub_ctx *ctx[CONF_DNS_THREADS_MAX];

	for (size_t i = 0; i < d->workers; i++)
		ctx[i] = d->worker[i].ctx;
	dns_contexts_delete(ctx, d->workers, &ending);
}

static void process(struct worker *w)
{
	struct dns *d = w->dns;

	d->processing = true;
	ub_process(w->ctx);
	d->processing = false;
	if (d->closing)
		delete_contexts(d);
}

static void dns_ub_on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	process(arg);
}

static void free_events(struct dns *d)
{
	struct dns_query *q;

	for (size_t i = 0; i < d->workers; i++)
		if (d->worker[i].readable)
			event_free(d->worker[i].readable);
	if (d->base)
		TAILQ_FOREACH(q, &d->queries, link)
	event_del(&q->timer);
}

void dns_free(struct dns **dns)
{
	struct dns *d = *dns;

	*dns = NULL;
	if (!d)
		return;
	d->closing = true;
	free_events(d);
	if (!d->processing)
		delete_contexts(d);
}

static bool add_worker(struct dns *d, const struct conf_dns *conf, char *error, size_t size)
{
	struct worker *w = &d->worker[d->workers];

	w->dns = d;
	w->ctx = dns_context_new(conf, error, size);
	if (!w->ctx)
		return false;
	d->workers++;
	w->feed = dns_feed_new(w->ctx);
	if (!w->feed) {
		snprintf(error, size, "no thread can be had for DNS questions");
		return false;
	}
	if (!d->base)
		return true;
	w->readable = event_new(d->base, ub_fd(w->ctx), EV_READ | EV_PERSIST, dns_ub_on_readable, w);
	event_add(w->readable, NULL);
	return true;
}

struct dns *dns_new(struct event_base *base, const struct conf_dns *conf, char *error, size_t size)
{
	struct dns *d = xcalloc(1, sizeof(*d));
	size_t workers = !base ? 1 : conf->threads;

	d->base = base;
	d->worker = xcalloc(workers, sizeof(*d->worker));
	d->timeout.tv_sec = conf->timeout_s;
	snprintf(d->late, sizeof(d->late), "no answer within %u s", conf->timeout_s);
	TAILQ_INIT(&d->queries);
	if (getrandom(d->key, sizeof(d->key), 0) != sizeof(d->key))
		d->key[0] = (uint64_t)(uintptr_t)d;
	if (base)
		d->common_timeout = event_base_init_common_timeout(base, &d->timeout);
	while (d->workers < workers)
		if (!add_worker(d, conf, error, size)) {
			dns_free(&d);
			return NULL;
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
	struct worker *w = &d->worker[0];
	struct dns_query *q = query_new(w, name, type, on_blocking, &b);
	int64_t end = tick_mono_ms() + (int64_t)d->timeout.tv_sec * 1000;
	struct pollfd pfd = {.fd = ub_fd(w->ctx), .events = POLLIN};

	if (d->base)
		event_assign(&q->timer, d->base, -1, 0, on_deadline, q);
	while (!b.done) {
		int64_t left = end - tick_mono_ms();

		if (left <= 0 || poll(&pfd, 1, (int)left) == 0)
			break;
		process(w);
	}
	if (!b.done)
		on_deadline(-1, 0, q);
}

void dns_library(struct sbuf *out)
{
	sbuf_addf(out, "libunbound %s", ub_version());
}
