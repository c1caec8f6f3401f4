/*
 * refresh.c - a date per domain in the wall clock's heap, and a short queue of those whose date has come.
 *
 * Does not fetch: the function given to refresh_new() does (resolve.c). RFC 8461 s3.3, s5.1.
 */
#include "mapd/resolve/refresh.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/hmap.h"
#include "base/xalloc.h"

struct dated {
	struct hmap_node node;
	struct refresh *refresh;
	struct due due;
	bool queued;
	TAILQ_ENTRY(dated) entry; /* when queued */
	char domain[];
};

struct refresh {
	struct due_queue *wall;
	refresh_fn *fn;
	void *arg;
	struct hmap domains;
	TAILQ_HEAD(, dated) queue;
	size_t running;
};

static struct dated *refresh_find(struct refresh *r, const char *domain)
{
	struct hmap_node *n;

	for (n = hmap_first(&r->domains, hmap_hash(&r->domains, domain, strlen(domain))); n; n = hmap_next(n)) {
		struct dated *d = hmap_entry(n, struct dated, node);

		if (strcmp(d->domain, domain) == 0)
			return d;
	}
	return NULL;
}

static void sleep_no_more(struct dated *d)
{
	due_clear(d->refresh->wall, &d->due);
	if (d->queued)
		TAILQ_REMOVE(&d->refresh->queue, d, entry);
	d->queued = false;
}

static void refresh_drop(struct dated *d)
{
	sleep_no_more(d);
	hmap_remove(&d->refresh->domains, &d->node);
	free(d);
}

static void start_queued(struct refresh *r)
{
	struct dated *d;

	while (r->running < REFRESH_AT_ONCE && (d = TAILQ_FIRST(&r->queue))) {
		char domain[DOMAIN_SIZE];

		memcpy(domain, d->domain, strlen(d->domain) + 1); /* the function may give the domain a new date */
		refresh_drop(d);
		r->running++;
		if (!r->fn(domain, r->arg))
			r->running--;
	}
}

static void on_due(void *arg)
{
	struct dated *d = arg;
	struct refresh *r = d->refresh;

	d->queued = true;
	TAILQ_INSERT_TAIL(&r->queue, d, entry);
	start_queued(r);
}

static struct dated *add(struct refresh *r, const char *domain)
{
	size_t len = strlen(domain);
	struct dated *d = xcalloc(1, sizeof(*d) + len + 1);

	d->refresh = r;
	memcpy(d->domain, domain, len + 1);
	due_init(&d->due, on_due, d);
	hmap_insert(&r->domains, &d->node, hmap_hash(&r->domains, domain, len));
	return d;
}

struct refresh *refresh_new(struct due_queue *wall, refresh_fn *fn, void *arg)
{
	struct refresh *r = xcalloc(1, sizeof(*r));

	r->wall = wall;
	r->fn = fn;
	r->arg = arg;
	hmap_init(&r->domains, 0);
	TAILQ_INIT(&r->queue);
	return r;
}

static void refresh_drop_node(struct hmap_node *node, void *arg)
{
	(void)arg;
	refresh_drop(hmap_entry(node, struct dated, node));
}

void refresh_free(struct refresh **r)
{
	if (!*r)
		return;
	hmap_each(&(*r)->domains, refresh_drop_node, NULL);
	hmap_fini(&(*r)->domains);
	free(*r);
	*r = NULL;
}

void refresh_set(struct refresh *r, const char *domain, int64_t at)
{
	struct dated *d = refresh_find(r, domain);

	if (at == INT64_MAX) {
		if (d)
			refresh_drop(d);
		return;
	}
	if (!d)
		d = add(r, domain);
	sleep_no_more(d);
	due_set(r->wall, &d->due, at * 1000);
}

void refresh_done(struct refresh *r)
{
	r->running--;
	start_queued(r);
}

size_t refresh_count(const struct refresh *r)
{
	return r->domains.count;
}

/* FNV-1a: the same on every node and after every start; nothing is won by choosing a name for it. */
static uint32_t share(const char *domain)
{
	uint32_t h = 2166136261u;

	for (; *domain != '\0'; domain++)
		h = (h ^ (unsigned char)*domain) * 16777619u;
	return h;
}

int64_t refresh_date(const struct facts *f)
{
	int64_t at = facts_refresh_at(f), earliest = f->sts.fetched_at + FACTS_REFRESH_MIN;
	int64_t spread = (at - f->sts.fetched_at) / REFRESH_SPREAD;

	if (at == INT64_MAX)
		return at;
	if (f->sts.failure != FETCH_OK && earliest < f->sts.fail_at + FACTS_HOLDOFF)
		earliest = f->sts.fail_at + FACTS_HOLDOFF;
	if (f->sts.contradicted)
		return earliest;
	if (spread > 0)
		at -= share(f->nexthop.domain) % spread;
	return at < earliest ? earliest : at;
}

int64_t refresh_next(const struct facts *f, int64_t now)
{
	int64_t at = refresh_date(f);

	if (!facts_policy(f, now))
		return INT64_MAX;
	return at < facts_policy_end(f) ? at : facts_policy_end(f);
}
