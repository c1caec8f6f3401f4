/*
 * snapshot_writer.h - writes the snapshot in a thread of its own, a few keys at a time, so that the loop never waits
 * for a disk.
 *
 * The table may change meanwhile: each line was true when it was written, and the change asks for the next snapshot.
 * Called by mirror_snapshot.c.
 */
#ifndef TLSMODE_IO_SNAPSHOT_WRITER_H
#define TLSMODE_IO_SNAPSHOT_WRITER_H

#include "io/mirror/mirror_table.h"
#include "io/mirror/snapshot.h"

struct snapshot_writer;

/* TABLE must live as long. */
struct snapshot_writer *snapshot_writer_new(const char *file, struct mirror_table *table);
/* Writes what was asked for and ends. */
void snapshot_writer_finish(struct snapshot_writer **w);
/* Stops at once; a snapshot under way is given up, the last one stays. */
void snapshot_writer_free(struct snapshot_writer **w);
/* Asks for a snapshot; several requests before it begins are one. */
void snapshot_writer_ask(struct snapshot_writer *w, const struct snapshot_info *info);

#endif
