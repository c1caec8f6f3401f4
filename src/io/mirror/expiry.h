/*
 * expiry.h - when temporary settings end: a heap by time with a hash table by key.
 *
 * Redis drops an expired key when it comes by, and announces it then, with many such keys minutes late: so the mirror
 * ends them itself. Pure bookkeeping: the clock comes as an argument. One thread (mirror.c).
 */
#ifndef TLSMODE_IO_EXPIRY_H
#define TLSMODE_IO_EXPIRY_H

#include "base/heap.h"
#include "io/mirror/key_set.h"

struct expiry {
	struct key_set keys;
	struct heap heap; /* by milliseconds */
};

void expiry_init(struct expiry *e);
void expiry_fini(struct expiry *e);
/* KIND NAME ends at AT_MS (0: it does not). True when that moved the first end of all. */
bool expiry_set(struct expiry *e, enum setting_kind kind, const char *name, int64_t at_ms);
/* The first end; INT64_MAX when there is none. */
int64_t expiry_first_ms(const struct expiry *e);
/* Takes the first key out if it has ended at NOW_MS: its kind and name (into NAME). */
bool expiry_take(struct expiry *e, int64_t now_ms, enum setting_kind *kind, char name[SETTING_NAME_SIZE]);

#endif
