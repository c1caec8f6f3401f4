/*
 * job.h - one next hop being resolved: starts what the planner asks for, takes the answers in any order, keeps the
 * deadlines.
 *
 * Not here: who waits for the job, what is kept, shared and refreshed (resolve.c, by the functions of struct
 * job_owner). Everything happens in job_run(), which the loop calls: an answer is stored and job_run() is called again.
 */
#ifndef TLSMODE_MAPD_JOB_H
#define TLSMODE_MAPD_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/hmap.h"
#include "core/facts.h"
#include "core/plan.h"
#include "io/fact_store.h"
#include "mapd/backends.h"
#include "mapd/due.h"
#include "mapd/fetch_turn.h"

struct job;
struct job_question;
struct resolve_wait;
TAILQ_HEAD(job_waits, resolve_wait);

enum job_limit { JOB_IN_TIME, JOB_LATE_DNS, JOB_LATE_ALL };

struct job_owner {
	struct event_base *base;
	struct redis *redis;
	struct due_queue *mono;
	struct fetch_turns *turns;
	unsigned dns_timeout_s, sts_timeout_s, deadline_s;
	/* All of these get the owner's ARG. on_ready: the facts decide; may come again when job_kick() was called. */
	void (*on_ready)(struct job *job, void *arg);
	/* Nothing is on its way and nobody waits: the owner removes and frees the job. */
	void (*on_over)(struct job *job, void *arg);
	/* Redis was read. SERVED: the hashes as they are (facts_text_take_*() is the owner's). */
	void (*on_shared)(struct job *job, bool served, const struct text_field *sts, size_t sts_count,
			  const struct text_field *dane, size_t dane_count, void *arg);
	/* While waiting for another node's fetch the sts hash changed. True: nothing is left to fetch. */
	bool (*on_other_fetch)(struct job *job, const struct text_field *sts, size_t count, void *arg);
	/* The policy fetch ended, as the facts say. Before the lock is left. OURS false: it was another node's, and too
	 * long. */
	void (*on_policy)(struct job *job, bool ours, void *arg);
	void (*on_late)(struct job *job, enum job_limit limit, void *arg);
	void *arg;
};

struct job {
	struct hmap_node node;  /* the owner's, by next hop key */
	TAILQ_ENTRY(job) entry; /* the owner's, of jobs in the background */
	struct job_waits waits; /* the owner's */
	const struct job_owner *owner;
	struct facts facts;

	/* The owner's notes. */
	unsigned marks;  /* known_facts.h: what was to be read again when the job began */
	unsigned stale;  /* the same: what another node changed since */
	unsigned unread; /* the same: Redis was away when it was to be read */
	bool prefetch, refresh;
	bool in_background;
	bool told;                  /* on_ready was called for this round */
	bool answered;              /* somebody was given the facts */
	bool news;                  /* facts changed since they were given or kept */
	bool policy_news;           /* also those of the domain's other next hops */
	bool dane_asked, sts_asked; /* by us, not read somewhere: worth sharing */
	bool forgot;                /* an operator made us forget the policy */
	bool share_policy;          /* Redis has lost our policy: share it again */
	enum txt_state shared_txt;  /* as Redis has it, whatever its end; UNKNOWN: not */
	char shared_id[STS_ID_SIZE];
	int64_t ends_by; /* prefetch: what ends by then (wall seconds) counts as ended */

	/* job.c's own. */
	struct backend *backend;
	struct due due;
	LIST_HEAD(, job_question) questions;
	struct fact_read *read;
	struct fetch_asker fetch;
	bool kicked;
	enum job_limit late;
	int64_t started_ms, dns_by_ms, answer_by_ms; /* monotonic */
	char was_id[STS_ID_SIZE];                    /* of the policy before the fetch; "" */
	int64_t fetch_ms, sts_by_ms, fetch_by_ms;    /* when the fetch began (0: none), and its limits */
};

/* Nothing starts before job_kick(). */
struct job *job_new(const struct job_owner *owner, const struct nexthop *nexthop, struct backend *backend);
void job_free(struct job **j); /* aborts what is on its way */
/* job_run() will be called from the loop: to begin, or because somebody new waits. */
void job_kick(struct job *j);
/* The rounds begin anew, with new deadlines; a fetch on its way goes on. */
void job_restart(struct job *j);

#endif
