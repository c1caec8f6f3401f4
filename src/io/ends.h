/*
 * ends.h - when temporary settings end: a heap by time with a hash table by key.
 *
 * Redis drops an expired key when it comes by, and announces it then, with many such keys minutes late: so the mirror
 * ends them itself. Pure bookkeeping: the clock comes as an argument. One thread (mirror.c).
 */
#ifndef TLSMODE_IO_ENDS_H
#define TLSMODE_IO_ENDS_H

#include "io/key_set.h"

struct end;
struct ends {
	struct key_set keys;
	struct end **heap;
	size_t count, size;
};

void ends_init(struct ends *e);
void ends_fini(struct ends *e);
/* KIND NAME ends at AT_MS (0: it does not). True when that moved the first end of all. */
bool ends_set(struct ends *e, enum setting_kind kind, const char *name, int64_t at_ms);
/* The first end; INT64_MAX when there is none. */
int64_t ends_first_ms(const struct ends *e);
/* Takes the first key out if it has ended at NOW_MS: its kind and name (into NAME). */
bool ends_take(struct ends *e, int64_t now_ms, enum setting_kind *kind, char name[SETTING_NAME_SIZE]);

#endif
