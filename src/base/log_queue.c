/*
 * log_queue.c - see log_queue.h.
 *
 * The thread writes a first line at once, then looks again LINGER_NS later, or at a warning, an error or HURRY_SIZE:
 * under load it is woken a few hundred times a second, not at every line. It may stand in a write for ever: it is
 * detached, holds no lock meanwhile, and whoever waits for it waits with a limit.
 */
#include "base/log_queue.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_NS 2000000
#define HURRY_SIZE (LOG_QUEUE_SIZE / 4)
#define SECOND_NS 1000000000
#define KINDS ((int)LOG_QUEUE_TELL + 1)

struct log_entry {
	struct timespec at;
	enum log_level level;
	size_t size; /* of the line, with its NUL; it stands behind */
};

/* How far each kind may fill a half. */
static const size_t room_of[KINDS] = {
    [LOG_LVL_ERROR] = LOG_QUEUE_SIZE,        [LOG_LVL_WARN] = LOG_QUEUE_SIZE / 8 * 7,
    [LOG_LVL_INFO] = LOG_QUEUE_SIZE / 8 * 6, [LOG_LVL_DEBUG] = LOG_QUEUE_SIZE / 8 * 4,
    [LOG_QUEUE_TELL] = LOG_QUEUE_SIZE,
};

static struct {
	bool held, started;
	pthread_mutex_t lock;
	pthread_cond_t wake, written; /* the thread; those who wait for it */
	char *filling, *writing;
	size_t filled;
	uint64_t missed[KINDS]; /* dropped while this half was filled, or lost since the last line about it */
	bool idle;              /* the thread waits for a first line */
	bool hurry;             /* somebody waits: no lingering */
	uint64_t put, passed;   /* halves handed over, halves written */
	atomic_uint_fast64_t dropped;
	void (*write)(enum log_level level, const struct timespec *at, const char *line);
	void (*done)(void);
} q = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_ns(struct timespec *t, long long ns)
{
	ns += t->tv_nsec;
	t->tv_sec += (time_t)(ns / SECOND_NS);
	t->tv_nsec = (long)(ns % SECOND_NS);
}

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

/* Behind the half that had no room for them. Whatever the level in force: a gap is never silent. */
static void write_missed(const uint64_t missed[KINDS])
{
	struct timespec now;
	uint64_t lines = 0;
	char text[300];

	for (int i = 0; i < KINDS; i++)
		lines += missed[i];
	if (lines == 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(
	    text, sizeof(text),
	    "event=log_dropped lines=%" PRIu64 " errors=%" PRIu64 " warnings=%" PRIu64 " total=%" PRIu64
	    " reason=\"who reads the log did not keep up\" do=\"look at syslogd, journald or the disk of the log\"",
	    lines, missed[LOG_LVL_ERROR], missed[LOG_LVL_WARN], log_queue_dropped());
	q.write(LOG_LVL_WARN, &now, text);
	q.done();
}

/* Lines that come meanwhile are written together. */
static void linger(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ns(&until, LINGER_NS);
	while (!q.hurry && pthread_cond_timedwait(&q.wake, &q.lock, &until) == 0)
		;
}

/* Under the lock, which is free while something is written. */
static void pass_half(void)
{
	char *half = q.filling;
	size_t len = q.filled;
	uint64_t missed[KINDS];

	memcpy(missed, q.missed, sizeof(missed));
	memset(q.missed, 0, sizeof(q.missed));
	q.filling = q.writing;
	q.writing = half;
	q.filled = 0;
	q.hurry = false;
	q.put++;
	pthread_mutex_unlock(&q.lock);
	write_half(half, len);
	write_missed(missed);
	pthread_mutex_lock(&q.lock);
	q.passed++;
	pthread_cond_broadcast(&q.written);
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&q.lock);
	for (;;) {
		if (q.filled == 0) {
			q.idle = true;
			pthread_cond_wait(&q.wake, &q.lock);
			q.idle = false;
			continue;
		}
		pass_half();
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

bool log_queue_hold(void (*write)(enum log_level level, const struct timespec *at, const char *line),
		    void (*done)(void))
{
	pthread_condattr_t attr;

	assert(!q.held);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q.wake, &attr);
	pthread_cond_init(&q.written, &attr);
	pthread_condattr_destroy(&attr);
	q.filling = malloc(LOG_QUEUE_SIZE);
	q.writing = malloc(LOG_QUEUE_SIZE);
	q.write = write;
	q.done = done;
	q.held = q.filling && q.writing;
	return q.held;
}

bool log_queue_start(void)
{
	bool ok;

	pthread_mutex_lock(&q.lock);
	ok = q.started || (q.held && start_thread());
	q.started = ok;
	pthread_mutex_unlock(&q.lock);
	return ok;
}

/* ---- those who log ---- */

static void hurry(void)
{
	q.hurry = true;
	pthread_cond_signal(&q.wake);
}

static void miss(enum log_level level, uint64_t lines)
{
	q.missed[level] += lines;
	atomic_fetch_add(&q.dropped, lines);
}

static void add_entry(enum log_level level, const struct timespec *at, const char *line)
{
	struct log_entry e = {*at, level, strlen(line) + 1};

	if (q.filled + sizeof(e) + e.size > room_of[level]) {
		miss(level, 1);
		return;
	}
	memcpy(q.filling + q.filled, &e, sizeof(e));
	memcpy(q.filling + q.filled + sizeof(e), line, e.size);
	q.filled += sizeof(e) + e.size;
	if (!q.hurry && (level <= LOG_LVL_WARN || q.filled > HURRY_SIZE))
		hurry();
	else if (q.idle)
		pthread_cond_signal(&q.wake);
}

bool log_queue_put(enum log_level level, const struct timespec *at, const char *line)
{
	if (!q.held)
		return false;
	pthread_mutex_lock(&q.lock);
	add_entry(level, at, line);
	pthread_mutex_unlock(&q.lock);
	return true;
}

bool log_queue_flush(unsigned ms)
{
	struct timespec end;
	uint64_t until;
	bool in_time = true;

	if (!q.held)
		return true;
	if (!log_queue_start())
		return false;
	clock_gettime(CLOCK_MONOTONIC, &end);
	add_ns(&end, ms * 1000000LL);
	pthread_mutex_lock(&q.lock);
	until = q.put + (q.filled > 0);
	while (q.passed < until && in_time) {
		hurry();
		in_time = pthread_cond_timedwait(&q.written, &q.lock, &end) == 0;
	}
	in_time = q.passed >= until;
	pthread_mutex_unlock(&q.lock);
	return in_time;
}

void log_queue_lost(uint64_t lines)
{
	pthread_mutex_lock(&q.lock);
	miss(LOG_LVL_INFO, lines);
	pthread_mutex_unlock(&q.lock);
}

uint64_t log_queue_dropped(void)
{
	return atomic_load(&q.dropped);
}
