/*
 * log_queue.h - log lines on their way to the thread that writes them. For log.c only; what it promises is in log.h.
 *
 * Two halves: callers fill one while the thread writes the other. Memory is LOG_QUEUE_SIZE twice. Nobody who puts a line
 * waits for the target: what finds no room is dropped and counted, and the thread names the number behind the half that
 * was full (event=log_dropped). Debug lines may fill half of it, info three quarters, warnings seven eighths: what is
 * worse than they still has room.
 */
#ifndef TLSMODE_BASE_LOG_QUEUE_H
#define TLSMODE_BASE_LOG_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/log.h"

#define LOG_QUEUE_SIZE 1048576

/* Not a level: a sentence for standard error, as it is. */
#define LOG_QUEUE_TELL ((enum log_level)(LOG_LVL_DEBUG + 1))

/* Lines are kept from here on. WRITE will be called for each of them, DONE after each half, both in the thread. Once.
 * False: there is no memory for them: xalloc.h says so through the log, so it is not used here. */
bool log_queue_hold(void (*write)(enum log_level level, const struct timespec *at, const char *line),
		    void (*done)(void));
/* The thread begins; after the last fork. False: there is none to be had. */
bool log_queue_start(void);
/* Takes a copy of LINE, or drops it. False: nothing is held, the caller writes it. Any thread. */
bool log_queue_put(enum log_level level, const struct timespec *at, const char *line);
/* Waits until all lines put before have been written, for MS at most; begins the thread when nobody has. False: some have
 * not. Any thread but the queue's own. */
bool log_queue_flush(unsigned ms);
/* LINES could not be written. In the thread, from WRITE and DONE. */
void log_queue_lost(uint64_t lines);
/* Lines dropped or lost so far. Any thread. */
uint64_t log_queue_dropped(void);

#endif
