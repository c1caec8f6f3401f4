/*
 * mirror_copy.h - the copy of the settings itself: what is in force, how exact that is, and the guard over what vanishes.
 *
 * Knows nothing of Redis: mirror.c tells what was read, lost and judged, and answers what only it knows. One thread
 * changes it; any thread may read between mirror_copy_read() and mirror_copy_done(), and the counts.
 */
#ifndef TLSMODE_IO_MIRROR_COPY_H
#define TLSMODE_IO_MIRROR_COPY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/guard.h"
#include "io/mirror/complaints.h"
#include "io/mirror/mirror.h"
#include "io/mirror/mirror_table.h"
#include "io/mirror/snapshot.h"

struct mirror_copy_events {
	void (*on_touch)(void *arg); /* the snapshot is no longer what is in force */
	/* A full reading is under way, or due: nothing can be said of what Redis has but by it. */
	bool (*is_due)(void *arg);
	/* Redis announces every change, and all before that was read. */
	bool (*is_exact)(void *arg);
};

struct mirror_copy {
	struct mirror_copy_events ev;
	void *arg;
	void (*on_setting)(enum setting_kind kind, const char *name, void *arg); /* or NULL */
	void (*on_all)(void *arg);                                               /* or NULL */
	void *told_arg;
	struct mirror_table table;
	struct guard guard;
	struct complaints *complaints;
	bool counts_held; /* NEXT has all that Redis has: what is held can be counted */

	/* for any thread */
	_Atomic int state;
	atomic_size_t held, endless;
	atomic_bool lost;            /* guard: blind and held */
	_Atomic int64_t exact_at_ms; /* guard.exact_at_ms */
};

/* EV get ARG; of TOLD only on_setting and on_all are called, with TOLD_ARG. All are copied. */
void mirror_copy_init(struct mirror_copy *c, struct complaints *complaints, const struct mirror_copy_events *ev,
		      void *arg, const struct mirror_events *told, void *told_arg);
void mirror_copy_fini(struct mirror_copy *c);
void mirror_copy_set_guard(struct mirror_copy *c, unsigned percent); /* settings.guard_percent */
struct mirror_table *mirror_copy_table(struct mirror_copy *c);       /* for who reads its ends, or keeps it in a file */
/* Settings and guard as a snapshot has them: the table was filled with them. Nobody is told. */
void mirror_copy_resume(struct mirror_copy *c, const struct snapshot_info *info);
/* There is a snapshot, but none that can be read: guard_blind(). */
void mirror_copy_blind(struct mirror_copy *c);
/* Until settings were taken from Redis: that it lacks a key says nothing. */
bool mirror_copy_is_blind(const struct mirror_copy *c);
/* What a snapshot made now says of itself. False: there is nothing to be kept yet. */
bool mirror_copy_describe(const struct mirror_copy *c, struct snapshot_info *out);

/* What the state rests on has changed. CHANGED: any setting may have, too. */
void mirror_copy_update(struct mirror_copy *c, bool changed);
/* The counts are brought up to date for other threads. */
void mirror_copy_publish(struct mirror_copy *c);
/* The one place that says so: what is in force may not be what Redis has from here on. Before whatever makes it so. */
void mirror_copy_inexact(struct mirror_copy *c);
/* Settings are in force, and nothing of them is in doubt but for changes that were not announced. */
bool mirror_copy_is_sound(const struct mirror_copy *c);

/* The key was read. */
void mirror_copy_put(struct mirror_copy *c, enum setting_kind kind, const char *name, const struct setting *value);
/* The key has ended, or is lost as the guard says (not GUARD_MASS_LOSS). */
void mirror_copy_lose(struct mirror_copy *c, enum setting_kind kind, const char *name, enum guard_loss how);
/* What KIND NAME, which Redis does not have now, demanded while it was in force: no less until its loss is judged. False:
 * nothing. */
bool mirror_copy_last_demand(const struct mirror_copy *c, enum setting_kind kind, const char *name,
			     struct setting *out);
/* Redis is known to have it. */
bool mirror_copy_has(const struct mirror_copy *c, enum setting_kind kind, const char *name);
/* What Redis is known to have. */
const struct settings *mirror_copy_exact(const struct mirror_copy *c);

/* A full reading begins (what is put goes into a new table, too); is given up; is complete and judged: the caller says
 * whether changes were MISSED and how many readings before were PUT_OFF. */
void mirror_copy_begin(struct mirror_copy *c);
void mirror_copy_abort(struct mirror_copy *c);
enum guard_verdict mirror_copy_complete(struct mirror_copy *c, bool missed, unsigned put_off, int64_t took_ms);

/* LOST of mirror_copy_exact() vanished together. */
enum guard_loss mirror_copy_judge(struct mirror_copy *c, size_t lost);
void mirror_copy_flushed(struct mirror_copy *c);
/* The operator's word (accept_key.h). */
void mirror_copy_word(struct mirror_copy *c, int64_t raw_ms);

/* Any thread. */
enum mirror_state mirror_copy_state(const struct mirror_copy *c);
const struct settings *mirror_copy_read(struct mirror_copy *c);
void mirror_copy_done(struct mirror_copy *c);
void mirror_copy_counts(struct mirror_copy *c, struct mirror_counts *out); /* but for what it does not know */

#endif
