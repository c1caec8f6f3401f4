/*
 * mirror_table.h - the settings in force and, beside them, what Redis is known to have.
 *
 * LIVE answers the readers. NEXT is there while the two may differ: it is being filled by a full reading, or (a mass
 * loss held by the guard) it is exact and LIVE has more. New and changed keys go into both. Only the loop's thread
 * changes anything; readers hold the lock. COMMON is kept by counting, so that a loss is judged without a walk over a
 * million keys.
 */
#ifndef TLSMODE_IO_MIRROR_TABLE_H
#define TLSMODE_IO_MIRROR_TABLE_H

#include <pthread.h>

#include "core/settings.h"
#include "io/mirror/expiry.h"
#include "io/mirror/key_set.h"

struct mirror_table {
	pthread_rwlock_t lock;
	struct settings *live;    /* never NULL */
	struct settings *next;    /* or NULL: LIVE is all there is */
	bool known;               /* LIVE was filled once */
	size_t common;            /* keys in both */
	unsigned long generation; /* how often LIVE was exchanged */
	struct expiry ends;       /* of keys in either */
	struct key_set endless;   /* exceptions without an end */
};

void mirror_table_init(struct mirror_table *t);
void mirror_table_fini(struct mirror_table *t);

/* Puts VALUE into NEXT, if there is one, and into LIVE, if it is known. True: LIVE has changed. */
bool mirror_table_put(struct mirror_table *t, enum setting_kind kind, const char *name, const struct setting *value);
/* Removes the key from both. True: LIVE has changed. */
bool mirror_table_remove(struct mirror_table *t, enum setting_kind kind, const char *name);
/* Removes it from NEXT only: LIVE learns it at the exchange. */
void mirror_table_remove_next(struct mirror_table *t, enum setting_kind kind, const char *name);
/* Redis is known to have it: in NEXT, or in LIVE when there is no NEXT. */
bool mirror_table_has(const struct mirror_table *t, enum setting_kind kind, const char *name);

void mirror_table_begin(struct mirror_table *t);    /* a new, empty NEXT */
void mirror_table_drop(struct mirror_table *t);     /* no NEXT */
void mirror_table_exchange(struct mirror_table *t); /* NEXT becomes LIVE */
/* Keys of LIVE that NEXT lacks; 0 without a NEXT. */
size_t mirror_table_gone(const struct mirror_table *t);

#endif
