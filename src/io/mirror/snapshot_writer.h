/*
 * snapshot_writer.h - writes the snapshot in a thread of its own, a few keys at a time, so that the loop never waits
 * for a disk.
 *
 * What is asked for is tried once; whether it was written is told through a descriptor, and a failure is the caller's
 * to ask about again. The table may change meanwhile: each line was true when it was written, and the change asks for the next snapshot.
 * Called by mirror_snapshot.c.
 */
#ifndef TLSMODE_IO_SNAPSHOT_WRITER_H
#define TLSMODE_IO_SNAPSHOT_WRITER_H

#include "io/mirror/mirror_table.h"
#include "io/mirror/snapshot.h"

struct snapshot_writer;

/* TABLE must live as long. */
struct snapshot_writer *snapshot_writer_new(const char *file, struct mirror_table *table);
/* Writes what was asked for and ends; a failure is logged. */
void snapshot_writer_finish(struct snapshot_writer **w);
/* Stops at once; a snapshot under way is given up, the last one stays. */
void snapshot_writer_free(struct snapshot_writer **w);
/* What is in the file's place is damaged: it is kept as FILE.damaged when a good one replaces it. */
void snapshot_writer_keep(struct snapshot_writer *w);
/* To be polled: there is an outcome. */
int snapshot_writer_fd(const struct snapshot_writer *w);
/* The outcome of the last attempt that ended; false: none has since the last call. ERROR 0: it was written. A failure is the
 * caller's to log. */
bool snapshot_writer_outcome(struct snapshot_writer *w, int *error);
/* Asks for a snapshot; several requests before it begins are one. */
void snapshot_writer_ask(struct snapshot_writer *w, const struct snapshot_info *info);

#endif
