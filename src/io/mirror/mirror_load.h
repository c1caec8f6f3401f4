/*
 * mirror_load.h - full readings of all settings, and when the next one is due.
 *
 * SCAN names the keys, key_reads.h reads them, a bounded number at a time; what is announced as changed meanwhile is read
 * with the rest.
 *
 * A change that found no room (settings.max_changes) is missed: when no more are missed for a moment, or after as long as
 * a reading takes, everything is read again, beside the changes that did find room. What is missed during that reading
 * makes it be followed by another; each comes to its end (key_reads.h), so what is in force is never older than one
 * reading. Only what vanished waits for a reading without misses (core/guard.h): a key that SCAN met between its
 * deletion and its return may be among those missed, and would be out of force until the next reading.
 *
 * Called by mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_LOAD_H
#define TLSMODE_IO_MIRROR_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "io/mirror/key_reads.h"
#include "io/redis/redis.h"

struct mirror_load;

struct mirror_load_result {
	int64_t took_ms;
	bool missed;      /* changes found no room meanwhile: another reading follows */
	unsigned put_off; /* readings right before this one that were put off */
};

struct mirror_load_events {
	/* A reading begins: also one that is due because changes were missed; reads under way go on then, and count. */
	void (*on_begin)(void *arg);
	/* Every key that SCAN named has been read. False: it is put off, as what was missed counts. */
	bool (*on_complete)(const struct mirror_load_result *r, void *arg);
};

struct mirror_load *mirror_load_new(struct event_base *base, struct redis *redis, struct key_reads *reads,
				    const struct mirror_load_events *ev, void *arg);
void mirror_load_free(struct mirror_load **l);

/* Begins to read; one under way must have been given up before. WHY is for the log. */
void mirror_load_start(struct mirror_load *l, const char *why);
/* A reading under way, or due, is given up; its replies are not heard. The reads are the caller's to abort. */
void mirror_load_abort(struct mirror_load *l);
/* After each key read: more to scan, or the end. */
void mirror_load_step(struct mirror_load *l);
/* A change was not noted: all is read again soon. True: the first one since the last reading began. */
bool mirror_load_miss(struct mirror_load *l);

bool mirror_load_runs(const struct mirror_load *l);
/* It runs, or changes were missed: it judges what vanished. */
bool mirror_load_due(const struct mirror_load *l);
unsigned long mirror_load_count(const struct mirror_load *l); /* that came to their end */

#endif
