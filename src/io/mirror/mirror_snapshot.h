/*
 * mirror_snapshot.h - when the snapshot of a table is read and written (how: snapshot.h, snapshot_writer.h).
 *
 * It is read at every start, also when Redis is there: what was in force before the restart is what a mass loss is
 * measured by. A snapshot that could not be written is tried again, after pauses that grow from a second to five minutes,
 * and at the end. Called by mirror.c; one thread, but for the counts.
 *
 * Each program has a file of its own, FILE.OWNER: two of them may run under two accounts. One file for both, as there
 * was before, is read where the own one is not there yet, and left alone.
 */
#ifndef TLSMODE_IO_MIRROR_SNAPSHOT_H
#define TLSMODE_IO_MIRROR_SNAPSHOT_H

#include <stdbool.h>

#include <event2/event.h>

#include "io/mirror/mirror_table.h"
#include "io/mirror/snapshot.h"

struct mirror_snapshot;

/* What the next snapshot is to say of itself. False: there is nothing yet that is worth one. */
typedef bool mirror_snapshot_fn(struct snapshot_info *out, void *arg);

/* FILE NULL or "": none is read or written. OWNER NULL: FILE itself. */
struct mirror_snapshot *mirror_snapshot_new(struct event_base *base, const char *file, const char *owner,
					    struct mirror_table *table, mirror_snapshot_fn *fn, void *arg);
/* The last one: writes what was asked for, or has failed so far, and none from here on. Redis may be away when we are
 * started again, and what has just changed must be found then. */
void mirror_snapshot_finish(struct mirror_snapshot *s);
void mirror_snapshot_free(struct mirror_snapshot **s); /* finishes */
void mirror_snapshot_reconf(struct mirror_snapshot *s, const char *file);

/* OK: the file's settings are in force in the table. DAMAGED: there were settings, and nobody knows which (an alarm); the
 * file is kept as FILE.damaged when it is replaced. NONE: there is none, or it is not wanted. */
enum snapshot_status mirror_snapshot_read(struct mirror_snapshot *s, struct snapshot_info *out);
/* The file is no longer what is in force: it is written soon, once for all that changes until then. */
void mirror_snapshot_touch(struct mirror_snapshot *s);

/* Any thread. How old the last good copy is (of a program that has none: how long it has none), and for how long
 * a change waits to be in it; 0 where none is to be written. */
void mirror_snapshot_ages(const struct mirror_snapshot *s, int64_t *good_ms, int64_t *behind_ms);

#endif
