/*
 * jobs.h - the jobs under way, found by next hop and by domain, and the order in which those in the background give
 * way.
 *
 * Hashed by domain, so that its variants stand in one chain. Called by resolve.c.
 */
#ifndef TLSMODE_MAPD_JOBS_H
#define TLSMODE_MAPD_JOBS_H

#include <stdbool.h>
#include <stddef.h>

#include "mapd/job.h"

struct jobs;
struct jobs *jobs_new(void);
/* FN ends each job that is left. */
void jobs_free(struct jobs **jobs, void (*fn)(struct job *job, void *arg), void *arg);

void jobs_add(struct jobs *jobs, struct job *j);
void jobs_remove(struct jobs *jobs, struct job *j);
struct job *jobs_find(const struct jobs *jobs, const struct nexthop *nexthop);
bool jobs_has_domain(const struct jobs *jobs, const char *domain);
size_t jobs_count(const struct jobs *jobs);
/* known_facts.h: another node changed what the jobs of DOMAIN may have read already. */
void jobs_mark(struct jobs *jobs, const char *domain, unsigned mark);

/* A job that was told but whose fetch goes on. */
void jobs_enter_background(struct jobs *jobs, struct job *j);
void jobs_leave_background(struct jobs *jobs, struct job *j); /* allowed when not in it */
struct job *jobs_oldest_in_background(const struct jobs *jobs);

#endif
