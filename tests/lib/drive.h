/*
 * drive.h - a driver for the planner over a scripted world: what mapd's resolver does with sockets, done with a script,
 * in any order of answers.
 */
#ifndef TLSMODE_TESTS_DRIVE_H
#define TLSMODE_TESTS_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/plan.h"
#include "lib/world.h"

#define DRIVE_ORDERS 6 /* first come first served, last come first served, four shuffles */
#define DRIVE_QUESTIONS 400
#define QUESTION_SIZE (DOMAIN_SIZE + 20)

struct drive_job {
	struct facts facts;
	size_t waiting_count;
	struct ask waiting[PLAN_ASKS_MAX * 2]; /* asked, not answered */
};

struct drive {
	struct world *world;
	unsigned order;
	uint32_t seed;
	bool unread;      /* in this round Redis is not to be read any more */
	unsigned gave_up; /* times a deadline had to end the waiting */
	size_t asked_count;
	char asked[DRIVE_QUESTIONS][QUESTION_SIZE]; /* "MX a.example", "shared", "policy mta-sts.a.example" */
	char error[400]; /* the script is silent about a question, or the planner broke its word; "" */
};

/* Makes JOB's facts ready at NOW: a round from facts_begin() on. What never comes meets the deadline; a policy fetch
 * that never ends is overdue and stays on its way. ON_READY (may be NULL) is called once, at the moment the facts
 * decide. Then everything that can come comes, and what is worth it goes to the world's Redis. */
typedef void drive_ready_fn(struct drive_job *job, void *arg);
void drive_round(struct drive *d, struct drive_job *job, int64_t now, drive_ready_fn *on_ready, void *arg);
/* What was on its way may come now, without a new round. */
void drive_late(struct drive *d, struct drive_job *job, int64_t now);
/* The fetch under way turns out to be another node's, whose result is in the world's Redis by now. */
void drive_elsewhere(struct drive *d, struct drive_job *job, int64_t now);

#endif
