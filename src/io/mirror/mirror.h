/*
 * mirror.h - the complete copy of the settings in memory, kept exact by invalidation messages.
 *
 * On connect (with settings in force: when it is our turn, mirror_turn.c): SCAN, then HGETALL and PTTL of every
 * settings key, into a new table that is swapped in at the end. On an invalidation: that key is read again; a key
 * invalidated while it is being read is read once more. More of them than settings.max_changes: everything is read
 * again, once the flood is over or now and then. Redis away: the last known settings stay. The snapshot file is read at
 * start, so that neither an absent nor an emptied Redis finds us without; one that cannot be read means that there were
 * settings: the state stays unknown until Redis has some, or the operator's word. Mass loss past guard_percent: the lost keys
 * stay until the operator's `tlsmode settings accept` (rkeys.h RKEY_ACCEPT with a time after our last exact state) or
 * their return.
 *
 * One thread runs the loop and changes the table; others (libmilter's) read between mirror_read() and mirror_done().
 */
#ifndef TLSMODE_IO_MIRROR_H
#define TLSMODE_IO_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/settings.h"
#include "io/conf/conf.h"
#include "io/mirror/early_keys.h"
#include "io/redis/redis.h"

struct mirror;

enum mirror_state {
	MIRROR_UNKNOWN, /* never filled: neither Redis nor a snapshot; or a damaged one, and none in Redis */
	MIRROR_LIVE,    /* exact */
	MIRROR_STALE,   /* last known; Redis is away or being re-read */
	MIRROR_HELD     /* last known; a mass loss waits for the operator */
};
extern const struct name_code mirror_state_names[]; /* unknown live stale held */

struct mirror_events {
	/* The setting KIND NAME was put, changed or removed (also at its end). */
	void (*on_setting)(enum setting_kind kind, const char *name, void *arg);
	/* Any setting may have changed; also a change of mirror_state(). */
	void (*on_all)(void *arg);
	/* The fact tlsmode:sts:NAME (rkeys.h kind) was written or removed; NAME NULL: all facts may have been (Redis was
	 * flushed or away). One that we wrote ourselves is announced too: Redis counts a script as somebody else. Facts
	 * of MX and TLSA are not announced. NULL: Redis is not asked to announce any. */
	void (*on_fact)(int rkey_kind, const char *name, void *arg);
	/* Redis is there and all settings are being read: early_keys.h answers from here on, should nothing be known yet.
	 * Not after a snapshot that cannot be read. */
	void (*on_reading)(void *arg);
	/* First time the settings are read from Redis, or Redis is found to be away at start (or, with a snapshot at
	 * hand, not done within 2 s): the program may begin to serve. Once. */
	void (*on_settled)(void *arg);
};

/* Owns its struct redis. CONF must live until mirror_free() or mirror_reconf(). EVENTS may have NULLs. OWNER, a constant,
 * names the program's own snapshot (mirror_snapshot.h); NULL: settings.snapshot itself. */
struct mirror *mirror_new(struct event_base *base, const struct conf *conf, const char *owner,
			  const struct mirror_events *events, void *arg);
void mirror_free(struct mirror **m);
/* Writes the last snapshot, as mirror_free() does: for a program that ends without it. */
void mirror_finish(struct mirror *m);
/* A reloaded configuration: reconnects only when the redis section differs. */
void mirror_reconf(struct mirror *m, const struct conf *conf);

struct redis *mirror_redis(struct mirror *m);
/* Redis is there and may have what is not in force here yet: all settings are being read, or wait for that. What was
 * known before is not believed without a look then (mirror_early_keys()). Not after a snapshot that cannot be read, until
 * all have been: what Redis lacks may be what it has lost. The loop's own thread only. */
bool mirror_is_behind(const struct mirror *m);
/* How many changes were announced so far: what was read before the last of them may be old. */
uint32_t mirror_heard(const struct mirror *m);
/* The settings of one question, read while that is so (early_keys.h). A sender's or a destination's key that Redis does
 * not have, but was in force, stays as far as it demands something: whether it was deleted or lost is judged when all
 * have been read. An exception does not: what weakens is never guessed. */
struct early_keys *mirror_early_keys(struct mirror *m, early_keys_fn *fn, void *arg);
enum mirror_state mirror_state(const struct mirror *m); /* any thread */

/* The table, under a read lock; from the loop's own thread too. Never NULL (empty while UNKNOWN). Short: no waiting in
 * between, and not twice by one thread (the writer goes first). */
const struct settings *mirror_read(struct mirror *m);
void mirror_done(struct mirror *m);

struct mirror_counts {
	size_t settings, held;    /* keys in force; of them only held by the guard */
	unsigned long bad_values; /* values read strictly, seen so far */
	unsigned long reloads;    /* full re-reads */
	int64_t loaded_at_ms;     /* wall: last exact state; now, while LIVE */
	size_t exceptions_without_end;
	bool lost; /* a damaged snapshot and no settings in Redis: UNKNOWN until the operator's word, or settings */
	int64_t snapshot_age_ms, snapshot_behind_ms; /* mirror_snapshot_ages() */
};
void mirror_counts(struct mirror *m, struct mirror_counts *out);

#endif
