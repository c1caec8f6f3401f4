/*
 * https_curl.c - policy fetches: who waits for which host, and what they are told.
 *
 * Not the fetch thread (https_worker.c), not one transfer (https_transfer.c), not which addresses are good
 * (https_address.c). Called by mapd/resolve/fetch_turn.c. All of this is on BASE's thread.
 */
#include "io/https/https_curl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hmap.h"
#include "base/xalloc.h"
#include "io/https/https_worker.h"
#include "io/regular.h"

/* One transfer and all who wait for it. */
struct https_shared {
	struct https_job work; /* first: the worker hands out a pointer to it */
	struct hmap_node node; /* in https.jobs, by host */
	TAILQ_HEAD(, https_fetch) waiters;
	bool closed; /* dropped, or being delivered: nobody joins any more */
};

struct https_fetch {
	TAILQ_ENTRY(https_fetch) link; /* in job.waiters */
	struct https *https;
	struct https_shared *job;
	https_result_fn *fn;
	void *arg;
};

struct https {
	struct https_worker *worker;
	struct event *readable;
	bool allow_private;
	uint16_t port;
	unsigned limit_s;
	struct hmap jobs;
	size_t pending;
	bool delivering, closing; /* a result's receiver may free us */
};

/* --- jobs --- */

static uint64_t hash_of(const struct https *h, const char *host)
{
	return hmap_hash(&h->jobs, host, strlen(host));
}

static struct https_shared *job_new(struct https *h, const char *host)
{
	struct https_shared *j = xcalloc(1, sizeof(*j));
	struct https_transfer *t = &j->work.t;

	snprintf(t->target.host, sizeof(t->target.host), "%s", host);
	t->target.port = h->port;
	t->limit_s = h->limit_s;
	TAILQ_INIT(&j->waiters);
	hmap_insert(&h->jobs, &j->node, hash_of(h, host));
	return j;
}

static void job_free(struct https *h, struct https_shared *j)
{
	struct https_fetch *f;

	while ((f = TAILQ_FIRST(&j->waiters))) {
		TAILQ_REMOVE(&j->waiters, f, link);
		free(f);
	}
	hmap_remove(&h->jobs, &j->node);
	free(j->work.t.body);
	free(j);
}

static struct https_shared *job_of(struct https *h, const char *host)
{
	for (struct hmap_node *n = hmap_first(&h->jobs, hash_of(h, host)); n; n = hmap_next(n)) {
		struct https_shared *j = hmap_entry(n, struct https_shared, node);

		if (!j->closed && strcmp(j->work.t.target.host, host) == 0)
			return j;
	}
	return NULL;
}

static bool is_address(const char *text)
{
	struct in6_addr ignored;

	return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static void take_addresses(const struct https *h, struct https_target *to, const char *const *addresses, size_t count)
{
	for (size_t i = 0; i < count && to->count < HTTPS_ADDRESSES_MAX; i++)
		if (h->allow_private ? is_address(addresses[i]) : https_address_public(addresses[i]))
			snprintf(to->address[to->count++], sizeof(to->address[0]), "%s", addresses[i]);
}

/* Its answer travels as any other, so that it does not come from inside https_fetch(). */
static void https_curl_refuse(struct https *h, struct https_shared *j, const char *const *addresses, size_t count)
{
	struct https_transfer *t = &j->work.t;

	j->closed = true;
	t->failure = FETCH_FAILED;
	if (count == 0)
		snprintf(t->why, sizeof(t->why), "no address");
	else
		snprintf(t->why, sizeof(t->why), "no public address, but %.45s", addresses[0]);
	https_worker_pass(h->worker, &j->work);
}

/* --- results --- */

static void https_curl_deliver(struct https *h, struct https_shared *j)
{
	const struct https_transfer *t = &j->work.t;
	struct policy_result result = {.failure = t->failure};
	struct https_fetch *f;

	if (t->failure == FETCH_OK) {
		result.body = !t->body ? "" : t->body;
		result.len = t->len;
	} else {
		result.why = t->why;
	}
	j->closed = true;
	while (!h->closing && (f = TAILQ_FIRST(&j->waiters))) {
		https_result_fn *fn = f->fn;
		void *arg = f->arg;

		TAILQ_REMOVE(&j->waiters, f, link);
		h->pending--;
		free(f);
		fn(&result, arg);
	}
	job_free(h, j);
}

static void free_node(struct hmap_node *node, void *arg)
{
	job_free(arg, hmap_entry(node, struct https_shared, node));
}

static void destroy(struct https *h)
{
	hmap_each(&h->jobs, free_node, h);
	hmap_fini(&h->jobs);
	free(h);
}

static void https_curl_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct https *h = arg;
	struct https_job *work;

	(void)fd;
	(void)what;
	h->delivering = true;
	while (!h->closing && (work = https_worker_take(h->worker)))
		https_curl_deliver(h, (struct https_shared *)work);
	h->delivering = false;
	if (h->closing)
		destroy(h);
}

/* --- the doors --- */

struct https_fetch *https_fetch(struct https *h, const char *host, const char *const *addresses, size_t count,
				https_result_fn *fn, void *arg)
{
	struct https_fetch *f = xcalloc(1, sizeof(*f));
	struct https_shared *j = job_of(h, host);
	bool fresh = !j;

	if (fresh)
		j = job_new(h, host);
	*f = (struct https_fetch){.https = h, .job = j, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&j->waiters, f, link);
	h->pending++;
	if (!fresh)
		return f;
	take_addresses(h, &j->work.t.target, addresses, count);
	if (j->work.t.target.count == 0)
		https_curl_refuse(h, j, addresses, count);
	else
		https_worker_start(h->worker, &j->work);
	return f;
}

void https_abort(struct https_fetch **fetch)
{
	struct https_fetch *f = *fetch;
	struct https_shared *j;
	struct https *h;

	*fetch = NULL;
	if (!f)
		return;
	j = f->job;
	h = f->https;
	TAILQ_REMOVE(&j->waiters, f, link);
	h->pending--;
	free(f);
	if (!TAILQ_EMPTY(&j->waiters) || j->closed)
		return;
	j->closed = true;
	if (https_worker_drop(h->worker, &j->work))
		job_free(h, j);
}

size_t https_pending(const struct https *h)
{
	return h->pending;
}

void https_tune(struct https *h, uint16_t port, unsigned limit_s)
{
	h->port = port;
	h->limit_s = limit_s;
}

static X509_STORE *read_roots(const char *file, char *error, size_t size)
{
	X509_STORE *roots;
	const char *why;
	FILE *f = regular_open(file, &why);

	if (!f) {
		snprintf(error, size, "sts.ca_file \"%s\": %s", file, why);
		return NULL;
	}
	fclose(f);
	roots = X509_STORE_new();
	if (roots && X509_STORE_load_locations(roots, file, NULL) == 1)
		return roots;
	snprintf(error, size, "sts.ca_file \"%s\": no certificates in PEM form can be read from it", file);
	X509_STORE_free(roots);
	return NULL;
}

struct https *https_new(struct event_base *base, const struct conf_sts *conf, char *error, size_t size)
{
	X509_STORE *roots = read_roots(conf->ca_file, error, size);
	struct https_worker *worker = !roots ? NULL : https_worker_new(roots, conf->max_fetches, 2 * conf->max_fetches);
	struct https *h;

	if (!worker) {
		if (roots)
			snprintf(error, size, "no thread for HTTPS: %s", strerror(errno));
		return NULL;
	}
	h = xcalloc(1, sizeof(*h));
	h->worker = worker;
	h->allow_private = conf->allow_private;
	h->port = 443;
	h->limit_s = HTTPS_LIMIT_S;
	hmap_init(&h->jobs, 0);
	h->readable = event_new(base, https_worker_fd(worker), EV_READ | EV_PERSIST, https_curl_on_readable, h);
	event_add(h->readable, NULL);
	return h;
}

void https_free(struct https **https)
{
	struct https *h = *https;

	*https = NULL;
	if (!h)
		return;
	event_free(h->readable);
	https_worker_free(&h->worker);
	h->closing = true;
	if (!h->delivering)
		destroy(h);
}
