/*
 * jobs.c - a keyed table and a list.
 */
#include "mapd/resolve/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"

struct jobs {
	struct hmap table;
	TAILQ_HEAD(, inquiry) background; /* the oldest first */
	void (*fn)(struct inquiry *q, void *arg);
	void *arg;
};

static uint64_t jobs_hash_of(const struct jobs *jobs, const char *domain)
{
	return hmap_hash(&jobs->table, domain, strlen(domain));
}

/* The first of DOMAIN's from NODE on. */
static struct inquiry *of_domain(struct hmap_node *node, const char *domain)
{
	for (; node; node = hmap_next(node)) {
		struct inquiry *q = hmap_entry(node, struct inquiry, node);

		if (strcmp(q->finding.facts.nexthop.domain, domain) == 0)
			return q;
	}
	return NULL;
}

static struct inquiry *domain_first(const struct jobs *jobs, const char *domain)
{
	return of_domain(hmap_first(&jobs->table, jobs_hash_of(jobs, domain)), domain);
}

static struct inquiry *domain_next(const struct inquiry *q)
{
	return of_domain(hmap_next(&q->node), q->finding.facts.nexthop.domain);
}

struct jobs *jobs_new(void)
{
	struct jobs *jobs = xcalloc(1, sizeof(*jobs));

	hmap_init(&jobs->table, 0);
	TAILQ_INIT(&jobs->background);
	return jobs;
}

static void end_node(struct hmap_node *node, void *arg)
{
	struct jobs *jobs = arg;
	struct inquiry *q = hmap_entry(node, struct inquiry, node);

	jobs_remove(jobs, q);
	jobs->fn(q, jobs->arg);
}

void jobs_free(struct jobs **jobs, void (*fn)(struct inquiry *q, void *arg), void *arg)
{
	(*jobs)->fn = fn;
	(*jobs)->arg = arg;
	hmap_each(&(*jobs)->table, end_node, *jobs);
	hmap_fini(&(*jobs)->table);
	free(*jobs);
	*jobs = NULL;
}

void jobs_add(struct jobs *jobs, struct inquiry *q)
{
	hmap_insert(&jobs->table, &q->node, jobs_hash_of(jobs, q->finding.facts.nexthop.domain));
}

void jobs_remove(struct jobs *jobs, struct inquiry *q)
{
	jobs_leave_background(jobs, q);
	hmap_remove(&jobs->table, &q->node);
}

struct inquiry *jobs_find(const struct jobs *jobs, const struct nexthop *nexthop)
{
	for (struct inquiry *q = domain_first(jobs, nexthop->domain); q; q = domain_next(q))
		if (strcmp(q->finding.facts.nexthop.key, nexthop->key) == 0)
			return q;
	return NULL;
}

bool jobs_has_domain(const struct jobs *jobs, const char *domain)
{
	return domain_first(jobs, domain);
}

size_t jobs_of_domain(const struct jobs *jobs, const char *domain)
{
	size_t count = 0;

	for (struct inquiry *q = domain_first(jobs, domain); q; q = domain_next(q))
		count++;
	return count;
}

size_t jobs_count(const struct jobs *jobs)
{
	return jobs->table.count;
}

void jobs_mark(struct jobs *jobs, const char *domain, unsigned mark)
{
	for (struct inquiry *q = domain_first(jobs, domain); q; q = domain_next(q))
		q->finding.stale |= mark;
}

void jobs_enter_background(struct jobs *jobs, struct inquiry *q)
{
	TAILQ_INSERT_TAIL(&jobs->background, q, entry);
	q->in_background = true;
}

void jobs_leave_background(struct jobs *jobs, struct inquiry *q)
{
	if (q->in_background)
		TAILQ_REMOVE(&jobs->background, q, entry);
	q->in_background = false;
}

struct inquiry *jobs_oldest_in_background(const struct jobs *jobs)
{
	return TAILQ_FIRST(&jobs->background);
}

struct inquiry *jobs_background_of(const struct jobs *jobs, const char *domain)
{
	for (struct inquiry *q = domain_first(jobs, domain); q; q = domain_next(q))
		if (q->in_background)
			return q;
	return NULL;
}
