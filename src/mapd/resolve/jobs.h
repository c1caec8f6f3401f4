/*
 * jobs.h - the jobs under way, found by next hop and by domain, and the order in which those in the background give
 * way.
 *
 * Hashed by domain, so that its variants stand in one chain, of which resolve.c starts JOBS_VARIANTS at most. Called by
 * resolve.c and fact_news.c.
 */
#ifndef TLSMODE_MAPD_JOBS_H
#define TLSMODE_MAPD_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/hmap.h"
#include "mapd/resolve/finding.h"
#include "mapd/resolve/job.h"
#include "mapd/resolve/waits.h"

/* Next hops of one domain under way at once: anybody may ask for 65,535 ports of it, each a question of its own. */
#define JOBS_VARIANTS 16

struct resolver;

/* A next hop under way: what is found out of it, by which job, and who waits. */
struct inquiry {
	struct finding finding;
	struct job *job;
	struct waits waits;
	struct resolver *resolver;
	bool answered; /* somebody was given the facts as they are */

	/* jobs.c's own. */
	struct hmap_node node;
	TAILQ_ENTRY(inquiry) entry;
	bool in_background;
};

struct jobs;
struct jobs *jobs_new(void);
/* FN ends each job that is left. */
void jobs_free(struct jobs **jobs, void (*fn)(struct inquiry *q, void *arg), void *arg);

void jobs_add(struct jobs *jobs, struct inquiry *q);
void jobs_remove(struct jobs *jobs, struct inquiry *q);
struct inquiry *jobs_find(const struct jobs *jobs, const struct nexthop *nexthop);
bool jobs_has_domain(const struct jobs *jobs, const char *domain);
size_t jobs_count(const struct jobs *jobs);
size_t jobs_of_domain(const struct jobs *jobs, const char *domain);
/* known_facts.h: another node changed what the jobs of DOMAIN may have read already. */
void jobs_mark(struct jobs *jobs, const char *domain, unsigned mark);

/* All were told, but the fetch goes on. */
void jobs_enter_background(struct jobs *jobs, struct inquiry *q);
void jobs_leave_background(struct jobs *jobs, struct inquiry *q); /* allowed when not in it */
struct inquiry *jobs_oldest_in_background(const struct jobs *jobs);
struct inquiry *jobs_background_of(const struct jobs *jobs, const char *domain); /* one of DOMAIN's, or NULL */

#endif
