/*
 * job.h - one next hop being resolved: starts what the planner asks for, takes the answers in any order, keeps the
 * deadlines.
 *
 * What comes goes into the finding, and through the ledger where Redis or the log must know. Not here: who waits for
 * the facts, and when they are kept (resolve.c). Everything happens in job_run(), which the loop calls: an answer is
 * stored and job_run() is called again.
 */
#ifndef TLSMODE_MAPD_JOB_H
#define TLSMODE_MAPD_JOB_H

#include <stdbool.h>

#include <event2/event.h>

#include "io/redis/redis.h"
#include "mapd/resolve/backends.h"
#include "mapd/resolve/due.h"
#include "mapd/resolve/fetch_turn.h"
#include "mapd/resolve/finding.h"
#include "mapd/resolve/ledger.h"

/* What all jobs stand on; it outlives them. */
struct job_env {
	struct event_base *base;
	struct redis *redis;
	struct due_queue *mono;
	struct fetch_turns *turns;
	struct ledger *ledger;
	unsigned dns_timeout_s, sts_timeout_s, deadline_s; /* of rounds and fetches that begin from now on */
	/* The facts decide. FIRST: in this round; it comes again when something was found since, or job_kick() was
	 * called. */
	void (*on_ready)(bool first, void *arg);
	/* Nothing is on its way and nothing is missing: the job is to be freed. */
	void (*on_over)(void *arg);
};

struct job;

/* Fills in F, the caller's, with ARG for the two functions. Nothing starts before job_kick(). */
struct job *job_new(const struct job_env *env, struct finding *f, struct backend *backend, void *arg);
void job_free(struct job **j); /* aborts what is on its way */
/* job_run() will be called from the loop: to begin, or because somebody new waits. */
void job_kick(struct job *j);
/* The rounds begin anew, with new deadlines; a fetch on its way goes on. */
void job_restart(struct job *j);
/* on_ready was called for this round: what still goes on is a policy fetch. */
bool job_is_ready(const struct job *j);

#endif
