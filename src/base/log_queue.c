/*
 * log_queue.c - see log_queue.h.
 *
 * The thread writes a first line at once, then looks again LINGER_NS later: under load it is woken a few hundred times
 * a second, not at every line.
 */
#include "base/log_queue.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_NS 2000000

struct log_entry {
	struct timespec at;
	enum log_level level;
	size_t size; /* of the line, with its NUL; it stands behind */
};

static struct {
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake, written; /* the thread; those who wait for it */
	char *filling, *writing;
	size_t filled;
	bool idle;            /* the thread waits for a first line */
	bool hurry;           /* somebody waits: no lingering */
	uint64_t put, passed; /* halves handed over, halves written */
	void (*write)(enum log_level level, const struct timespec *at, const char *line);
	void (*done)(void);
} q = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .written = PTHREAD_COND_INITIALIZER};

/* ---- the thread ---- */

static void write_half(const char *half, size_t len)
{
	struct log_entry e;

	for (size_t at = 0; at < len; at += sizeof(e) + e.size) {
		memcpy(&e, half + at, sizeof(e));
		q.write(e.level, &e.at, half + at + sizeof(e));
	}
	q.done();
}

/* Lines that come meanwhile are written together. */
static void linger(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LINGER_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!q.hurry && pthread_cond_timedwait(&q.wake, &q.lock, &until) == 0)
		;
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&q.lock);
	for (;;) {
		char *half = q.filling;
		size_t len = q.filled;

		if (len == 0) {
			q.idle = true;
			pthread_cond_wait(&q.wake, &q.lock);
			q.idle = false;
			continue;
		}
		q.filling = q.writing;
		q.writing = half;
		q.filled = 0;
		q.hurry = false;
		q.put++;
		pthread_cond_broadcast(&q.written);
		pthread_mutex_unlock(&q.lock);
		write_half(half, len);
		pthread_mutex_lock(&q.lock);
		q.passed++;
		pthread_cond_broadcast(&q.written);
		linger();
	}
	return NULL;
}

/* Signals are for the other threads. */
static bool start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&thread, NULL, run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ok)
		pthread_detach(thread);
	return ok;
}

bool log_queue_start(void (*write)(enum log_level level, const struct timespec *at, const char *line),
		     void (*done)(void))
{
	assert(!q.started);
	q.filling = malloc(LOG_QUEUE_SIZE);
	q.writing = malloc(LOG_QUEUE_SIZE);
	q.write = write;
	q.done = done;
	q.started = q.filling && q.writing && start_thread();
	return q.started;
}

/* ---- those who log ---- */

static void hurry(void)
{
	q.hurry = true;
	pthread_cond_signal(&q.wake);
}

bool log_queue_put(enum log_level level, const struct timespec *at, const char *line)
{
	struct log_entry e = {*at, level, strlen(line) + 1};

	if (!q.started)
		return false;
	assert(sizeof(e) + e.size <= LOG_QUEUE_SIZE);
	pthread_mutex_lock(&q.lock);
	while (q.filled + sizeof(e) + e.size > LOG_QUEUE_SIZE) {
		hurry();
		pthread_cond_wait(&q.written, &q.lock);
	}
	memcpy(q.filling + q.filled, &e, sizeof(e));
	memcpy(q.filling + q.filled + sizeof(e), line, e.size);
	q.filled += sizeof(e) + e.size;
	if (q.idle)
		pthread_cond_signal(&q.wake);
	pthread_mutex_unlock(&q.lock);
	return true;
}

void log_queue_flush(void)
{
	uint64_t until;

	if (!q.started)
		return;
	pthread_mutex_lock(&q.lock);
	until = q.put + (q.filled > 0);
	while (q.passed < until) {
		hurry();
		pthread_cond_wait(&q.written, &q.lock);
	}
	pthread_mutex_unlock(&q.lock);
}
