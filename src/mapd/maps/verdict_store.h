/*
 * verdict_store.h - the memory of the verdict cache: blocks counted by their octets, and rendered lines.
 *
 * Lines that many domains share ("OK encrypt ...", "NOTFOUND ") exist once: a small direct-mapped table of the latest
 * ones finds them. For verdict_cache.c only. libbase only; one thread.
 */
#ifndef TLSMODE_MAPD_VERDICT_STORE_H
#define TLSMODE_MAPD_VERDICT_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/slab.h"

#define VERDICT_SHARED_LINES 64 /* a power of two */

struct verdict_text {
	uint32_t owners; /* entries, and the table of shared lines */
	uint32_t len;
	char text[];
};

struct verdict_store {
	struct slab slab;
	size_t bytes;
	uint64_t key[2];
	slab_ref shared[VERDICT_SHARED_LINES];
};

void verdict_store_init(struct verdict_store *s);
void verdict_store_fini(struct verdict_store *s);

slab_ref verdict_block_new(struct verdict_store *s, size_t size); /* 0: no room */
void verdict_block_free(struct verdict_store *s, slab_ref ref, size_t size);

/* A line with TEXT of which the caller is an owner until verdict_text_drop(); 0: no room. */
slab_ref verdict_text_get(struct verdict_store *s, const char *text, size_t len);
void verdict_text_drop(struct verdict_store *s, slab_ref *ref); /* *REF may be 0, and is afterwards */
static inline const struct verdict_text *verdict_text_at(const struct verdict_store *s, slab_ref ref)
{
	return slab_at(&s->slab, ref);
}

#endif
