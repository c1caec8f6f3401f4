/*
 * slab.h - blocks of memory for millions of small things: no head each, a whole cache line or a piece of one, in large
 * pages, named by 32 bits.
 *
 * Memory comes from the system in chunks of 2 MB, which are cut into pages of 64 KB, each for blocks of one size; an
 * empty page serves any size again, an empty chunk goes back. No call takes long: the most is a fresh chunk. A block's
 * name stays true for its life. libc only; one thread, or readers under the owner's lock.
 */
#ifndef TLSMODE_BASE_SLAB_H
#define TLSMODE_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#define SLAB_UNIT_BITS 4   /* octets of a unit, which names count */
#define SLAB_PAGE_BITS 12  /* units of a page */
#define SLAB_CHUNK_BITS 17 /* units of a chunk */
#define SLAB_BLOCK_MAX ((size_t)1 << (SLAB_CHUNK_BITS + SLAB_UNIT_BITS))
#define SLAB_CLASSES 40

typedef uint32_t slab_ref; /* 0: none */

struct slab_page;
struct slab {
	unsigned char **chunk; /* [0] is none */
	uint32_t *taken;       /* pages of each chunk, a bit each */
	struct slab_page *page;
	uint32_t chunks, room;          /* numbers in use, and of the arrays */
	uint32_t spare;                 /* a chunk without blocks; 0: none */
	uint32_t first_free;            /* no chunk before it has a free page */
	slab_ref partial[SLAB_CLASSES]; /* first page with free blocks of this size */
	size_t mapped;                  /* octets from the system */
	size_t max;
};

/* At most MAX octets from the system, 0: as many as there are. */
void slab_init(struct slab *s, size_t max);
void slab_fini(struct slab *s); /* everything goes back */
void slab_set_max(struct slab *s, size_t max);

/* SIZE octets (1 to SLAB_BLOCK_MAX), not cleared, aligned to 16 octets; sizes that are multiples of 64 up to 256 to a
 * cache line. 0: that would be more than MAX. */
slab_ref slab_alloc(struct slab *s, size_t size);
void slab_free(struct slab *s, slab_ref ref);
/* Octets that a block of SIZE really takes. */
size_t slab_size(size_t size);

static inline void *slab_at(const struct slab *s, slab_ref ref)
{
	return s->chunk[ref >> SLAB_CHUNK_BITS] + ((size_t)(ref & ((1u << SLAB_CHUNK_BITS) - 1)) << SLAB_UNIT_BITS);
}

#endif
