/*
 * https_worker.h - the fetch thread: jobs in, judged jobs out.
 *
 * For https_curl.c only; all calls are for one thread, the hot one. A job belongs to the worker from
 * https_worker_start() until https_worker_take() gives it back.
 */
#ifndef TLSMODE_IO_HTTPS_WORKER_H
#define TLSMODE_IO_HTTPS_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "io/https/https_transfer.h"

/* In whose hands a job is; changes under the worker's lock. */
enum https_job_state {
	HTTPS_JOB_NEW,     /* the caller's: not yet started, or taken back */
	HTTPS_JOB_QUEUED,  /* waits for its turn */
	HTTPS_JOB_RUNNING, /* the fetch thread's */
	HTTPS_JOB_DONE     /* judged, to be taken */
};

struct https_job {
	struct https_transfer t; /* the caller fills target and limit_s */
	/* the worker's */
	TAILQ_ENTRY(https_job) queue;   /* in START, DROP or DONE */
	TAILQ_ENTRY(https_job) running; /* in a lane */
	enum https_job_state state;
	bool dropped; /* in DROP */
	bool slow;    /* which lane */
	int64_t started_ms;
};

struct https_worker;

/* ROOTS is taken. MAX_YOUNG transfers run at once in their first HTTPS_PATIENCE_MS, more wait their turn; and MAX_SLOW
 * longer ones, of which the one that lasted longest ends for one more. NULL: no thread; errno says why. */
struct https_worker *https_worker_new(X509_STORE *roots, size_t max_young, size_t max_slow);
/* Ends the thread and what it runs; jobs that were not taken back are the caller's again. */
void https_worker_free(struct https_worker **w);

void https_worker_start(struct https_worker *w, struct https_job *j);
/* J is judged already (t.failure, t.why): it only travels the same way back. */
void https_worker_pass(struct https_worker *w, struct https_job *j);
/* Nobody wants J any more. True: it is the caller's again; false: it will be, by https_worker_take(). */
bool https_worker_drop(struct https_worker *w, struct https_job *j);

int https_worker_fd(const struct https_worker *w);           /* readable: https_worker_take() has something */
struct https_job *https_worker_take(struct https_worker *w); /* a judged job, or NULL */

#endif
