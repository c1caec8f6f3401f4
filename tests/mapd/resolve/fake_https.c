/*
 * fake_https.c - the names of https_curl.h: policy hosts that answer, fail or hang as the test says.
 */
#include "mapd/resolve/fake_adapter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct https {
	int unused;
};

struct site {
	LIST_ENTRY(site) entry;
	char host[DOMAIN_SIZE];
	char body[1000];
	struct policy_result result;
	bool held;
	size_t fetches;
};

struct https_fetch {
	LIST_ENTRY(https_fetch) entry;
	struct fake_call call;
	struct site *site;
	https_result_fn *fn;
	void *arg;
};

static LIST_HEAD(, site) sites;
static LIST_HEAD(, https_fetch) fetches;
static size_t fetch_count;

static struct site *site_of(const char *host)
{
	struct site *s;

	LIST_FOREACH(s, &sites, entry)
	if (strcmp(s->host, host) == 0)
		return s;
	s = xcalloc(1, sizeof(*s));
	snprintf(s->host, sizeof(s->host), "%s", host);
	s->result = (struct policy_result){.failure = FETCH_FAILED, .why = "connection refused"};
	LIST_INSERT_HEAD(&sites, s, entry);
	return s;
}

void world_policy(const char *host, const char *mode, unsigned max_age, const char *mx)
{
	struct site *s = site_of(host);

	s->result = (struct policy_result){.body = s->body};
	s->result.len = (size_t)snprintf(s->body, sizeof(s->body), "version: STSv1\nmode: %s\nmax_age: %u\nmx: %s\n",
					 mode, max_age, mx);
}

void world_policy_fails(const char *host, enum fetch_failure failure, const char *why)
{
	site_of(host)->result = (struct policy_result){.failure = failure, .why = why};
}

void world_hold(const char *host)
{
	site_of(host)->held = true;
}

size_t world_fetches(const char *host)
{
	return !host ? fetch_count : site_of(host)->fetches;
}

size_t world_fetches_open(void)
{
	struct https_fetch *f;
	size_t count = 0;

	LIST_FOREACH(f, &fetches, entry)
	count++;
	return count;
}

static void fetch_end(struct https_fetch *f)
{
	fake_call_end(&f->call);
	LIST_REMOVE(f, entry);
	free(f);
}

static void answer_fetch(evutil_socket_t fd, short what, void *arg)
{
	struct https_fetch *f = arg, told = *f;

	(void)fd;
	(void)what;
	fetch_end(f);
	told.fn(&told.site->result, told.arg);
}

void world_release(const char *host)
{
	struct https_fetch *f;
	struct site *s = site_of(host);

	s->held = false;
	LIST_FOREACH(f, &fetches, entry)
	if (f->site == s && !f->call.event)
		fake_call_soon(&f->call, answer_fetch, f);
}

struct https_fetch *https_fetch(struct https *h, const char *host, const char *const *addresses, size_t count,
				https_result_fn *fn, void *arg)
{
	struct https_fetch *f = xcalloc(1, sizeof(*f));

	assert(h && count > 0 && addresses[0][0] != '\0');
	*f = (struct https_fetch){.site = site_of(host), .fn = fn, .arg = arg};
	f->site->fetches++;
	fetch_count++;
	LIST_INSERT_HEAD(&fetches, f, entry);
	if (!f->site->held)
		fake_call_soon(&f->call, answer_fetch, f);
	return f;
}

void https_abort(struct https_fetch **f)
{
	fetch_end(*f);
	*f = NULL;
}

struct https *world_https(void)
{
	fake_contexts++;
	return xcalloc(1, sizeof(struct https));
}

void https_free(struct https **h)
{
	fake_contexts--;
	free(*h);
	*h = NULL;
}

void fake_https_begin(void)
{
	fetch_count = 0;
}

void fake_https_end(void)
{
	assert(LIST_EMPTY(&fetches));
	FAKE_FREE_ALL(&sites);
}
