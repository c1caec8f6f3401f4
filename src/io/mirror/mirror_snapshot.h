/*
 * mirror_snapshot.h - when the snapshot of a table is read and written (how: snapshot.h, snapshot_writer.h).
 *
 * It is read at every start, also when Redis is there: what was in force before the restart is what a mass loss is
 * measured by. Called by mirror.c; one thread.
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

/* FILE NULL or "": none is read or written. */
struct mirror_snapshot *mirror_snapshot_new(struct event_base *base, const char *file, struct mirror_table *table,
					    mirror_snapshot_fn *fn, void *arg);
/* Writes first what was asked for: Redis may be away when we are started again, and what has just changed must be found
 * then. */
void mirror_snapshot_free(struct mirror_snapshot **s);
void mirror_snapshot_reconf(struct mirror_snapshot *s, const char *file);

/* Puts the file's settings in force in the table. False: there are none that can be used (logged). */
bool mirror_snapshot_read(struct mirror_snapshot *s, struct snapshot_info *out);
/* The file is no longer what is in force: it is written soon, once for all that changes until then. */
void mirror_snapshot_touch(struct mirror_snapshot *s);

#endif
