/*
 * snapshot.h - the settings as a text file: the last good copy, for a start while Redis is away.
 *
 *   tlsmode-settings 1 EXACT_AT_MS HELD        HELD 1: a mass loss waited for the operator
 *   KIND NAME ENDS_AT_MS UNKNOWN FIELD=VALUE ...   "?" for a value nobody understands, so that it is read strictly
 * again end LINES HASH                             of all octets before this line (FNV-1a, 64 bits)
 *
 * Written whole (a temporary file, then rename), mode 0600. Called by mirror_snapshot.c (reads) and snapshot_writer.c.
 */
#ifndef TLSMODE_IO_SNAPSHOT_H
#define TLSMODE_IO_SNAPSHOT_H

#include "core/settings.h"

struct snapshot_info {
	int64_t exact_at_ms; /* wall: when this was exactly what Redis had */
	bool held;
};

enum snapshot_status {
	SNAPSHOT_OK,
	SNAPSHOT_NONE,   /* no such file */
	SNAPSHOT_DAMAGED /* cannot be read, or is not what was written: WHY */
};

/* Puts the settings of FILE into INTO, those that have ended by NOW_MS left out. Unless OK, INTO is empty or what it
 * was filled with so far. */
enum snapshot_status snapshot_read(const char *file, struct settings *into, struct snapshot_info *info, int64_t now_ms,
				   char *why, size_t size);

#define SNAPSHOT_LINE_SIZE 2048
#define SNAPSHOT_HASH_START 0xcbf29ce484222325ULL
void snapshot_format_head(struct sbuf *out, const struct snapshot_info *info);
void snapshot_format_line(struct sbuf *out, enum setting_kind kind, const char *name, const struct setting *value);
void snapshot_format_end(struct sbuf *out, size_t lines, uint64_t hash);
uint64_t snapshot_hash(uint64_t hash, const char *bytes, size_t len);

#endif
