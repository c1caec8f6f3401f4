/*
 * log_queue.h - log lines on their way to the thread that writes them. For log.c only; what it promises is in log.h.
 *
 * Two halves: callers fill one while the thread writes the other. Memory is LOG_QUEUE_SIZE twice; a caller that finds
 * its half full waits.
 */
#ifndef TLSMODE_BASE_LOG_QUEUE_H
#define TLSMODE_BASE_LOG_QUEUE_H

#include <stdbool.h>
#include <time.h>

#include "base/log.h"

#define LOG_QUEUE_SIZE 262144

/* WRITE is called for every line, DONE after each half of them; both in the thread. Once. False: there is no thread, or no
 * memory for them: xalloc.h says so through the log, so it is not used here. */
bool log_queue_start(void (*write)(enum log_level level, const struct timespec *at, const char *line),
		     void (*done)(void));
/* Takes a copy of LINE. False when the queue was not started: the caller writes it. Any thread. */
bool log_queue_put(enum log_level level, const struct timespec *at, const char *line);
/* Returns when all lines put before have been written. Any thread but the queue's own. */
void log_queue_flush(void);

#endif
