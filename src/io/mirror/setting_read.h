/*
 * setting_read.h - one settings key as Redis answers it, read strictly, with its faults logged once per change.
 *
 * Not here: what a field means (core/setting.c), asking Redis (key_reads.c). Called by key_reads.c and early_keys.c;
 * the control tool reads strictly as the daemons do.
 */
#ifndef TLSMODE_IO_SETTING_READ_H
#define TLSMODE_IO_SETTING_READ_H

#include "core/rkeys.h"
#include "core/settings.h"
#include "io/mirror/complaints.h"
#include "io/redis/redis_reply.h"

enum setting_read {
	SETTING_READ_OK,
	SETTING_READ_NONE,  /* no such key */
	SETTING_READ_FAILED /* Redis would not say (NOPERM, LOADING...), or what it says is no hash's fields: not an
			     * answer about the key */
};

/* Takes the reply to HGETALL. BAD counts values that were read strictly and not counted before. */
enum setting_read setting_read(struct setting *out, enum setting_kind kind, const char *name,
			       const struct redis_reply *reply, struct complaints *complaints, unsigned long *bad);

/* Takes the reply to PTTL, which follows: when the key ends (wall clock, ms); 0: it does not. NONE: it went between the
 * two replies. */
enum setting_read setting_read_end(struct setting *out, const struct redis_reply *reply);

/* What a key of another type, or a field list that is none, means: nobody understands it. A mode is demanded strictly,
 * an exception is not made; as any other unreadable value it hides what a farther key says. OUT is fresh. */
void setting_read_strictly(struct setting *out, enum setting_kind kind);

/* Takes a key's name as it is in Redis. False: it is no settings key, or one whose name is faulty, which is logged
 * once. */
bool setting_read_name(char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw, size_t len,
		       struct complaints *complaints, unsigned long *bad);

#endif
