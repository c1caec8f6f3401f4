/*
 * jobs.c - a keyed table and a list.
 */
#include "mapd/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"

struct jobs {
	struct hmap table;
	TAILQ_HEAD(, job) background; /* the oldest first */
	void (*fn)(struct job *job, void *arg);
	void *arg;
};

static uint64_t jobs_hash_of(const struct jobs *jobs, const char *domain)
{
	return hmap_hash(&jobs->table, domain, strlen(domain));
}

/* The first of DOMAIN's from NODE on. */
static struct job *of_domain(struct hmap_node *node, const char *domain)
{
	for (; node; node = hmap_next(node)) {
		struct job *j = hmap_entry(node, struct job, node);

		if (strcmp(j->facts.nexthop.domain, domain) == 0)
			return j;
	}
	return NULL;
}

static struct job *domain_first(const struct jobs *jobs, const char *domain)
{
	return of_domain(hmap_first(&jobs->table, jobs_hash_of(jobs, domain)), domain);
}

static struct job *domain_next(const struct job *j)
{
	return of_domain(hmap_next(&j->node), j->facts.nexthop.domain);
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
	struct job *j = hmap_entry(node, struct job, node);

	jobs_remove(jobs, j);
	jobs->fn(j, jobs->arg);
}

void jobs_free(struct jobs **jobs, void (*fn)(struct job *job, void *arg), void *arg)
{
	(*jobs)->fn = fn;
	(*jobs)->arg = arg;
	hmap_each(&(*jobs)->table, end_node, *jobs);
	hmap_fini(&(*jobs)->table);
	free(*jobs);
	*jobs = NULL;
}

void jobs_add(struct jobs *jobs, struct job *j)
{
	hmap_insert(&jobs->table, &j->node, jobs_hash_of(jobs, j->facts.nexthop.domain));
}

void jobs_remove(struct jobs *jobs, struct job *j)
{
	jobs_leave_background(jobs, j);
	hmap_remove(&jobs->table, &j->node);
}

struct job *jobs_find(const struct jobs *jobs, const struct nexthop *nexthop)
{
	for (struct job *j = domain_first(jobs, nexthop->domain); j; j = domain_next(j))
		if (strcmp(j->facts.nexthop.key, nexthop->key) == 0)
			return j;
	return NULL;
}

bool jobs_has_domain(const struct jobs *jobs, const char *domain)
{
	return domain_first(jobs, domain);
}

size_t jobs_count(const struct jobs *jobs)
{
	return jobs->table.count;
}

void jobs_mark(struct jobs *jobs, const char *domain, unsigned mark)
{
	for (struct job *j = domain_first(jobs, domain); j; j = domain_next(j))
		j->stale |= mark;
}

void jobs_enter_background(struct jobs *jobs, struct job *j)
{
	TAILQ_INSERT_TAIL(&jobs->background, j, entry);
	j->in_background = true;
}

void jobs_leave_background(struct jobs *jobs, struct job *j)
{
	if (j->in_background)
		TAILQ_REMOVE(&jobs->background, j, entry);
	j->in_background = false;
}

struct job *jobs_oldest_in_background(const struct jobs *jobs)
{
	return TAILQ_FIRST(&jobs->background);
}
