/*
 * refmap.h - keyed hash table of 32-bit names (slab.h) of what the caller keeps elsewhere; grown a bucket at a time.
 *
 * Keyed with SipHash-1-3 and a random key per table: names come from strangers. A bucket is one cache line with eight
 * bits of each entry's hash, so that a look-up touches that line and the thing that is looked for, seldom more. Linear
 * hashing (W. Litwin, 1980): every eighth insertion splits one bucket, no call takes long, and what was there is never
 * moved as a whole. Never shrinks. Finding changes nothing: readers may share a lock. libc only.
 *
 * Nothing here fails however many entries one hash value has: they stand in a chain, and what touches that value walks
 * it, once. Who leaves out part of the key when he hashes bounds that chain himself (verdict_cache.c).
 */
#ifndef TLSMODE_BASE_REFMAP_H
#define TLSMODE_BASE_REFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slab.h"

#define REFMAP_SLOTS 12
#define REFMAP_SEGMENTS 27 /* 2^32 buckets */

struct refmap_bucket {
	uint8_t tag[REFMAP_SLOTS]; /* of the hash; 0: free */
	slab_ref ref[REFMAP_SLOTS];
	slab_ref more; /* another bucket, should this one be full; 0: none */
};

/* The hash of what REF names, as refmap_hash() gave it for its key. */
typedef uint32_t refmap_hash_fn(slab_ref ref, const void *arg);

struct refmap {
	struct refmap_bucket *segment[REFMAP_SEGMENTS]; /* each as large as all before it */
	uint64_t buckets;
	uint64_t doubled; /* mask: the power of two above buckets, less one */
	size_t count;     /* entries */
	struct slab more;
	refmap_hash_fn *hash_of;
	const void *arg;
	uint64_t key[2];
};

void refmap_init(struct refmap *m, refmap_hash_fn *hash_of, const void *arg);
void refmap_fini(struct refmap *m);           /* what was named is the caller's */
size_t refmap_octets(const struct refmap *m); /* of memory in use */
uint32_t refmap_hash(const struct refmap *m, const void *bytes, size_t len);

/* Entries that may be what is looked for, one after another: compare the key. 0: no more. */
struct refmap_find {
	const struct refmap_bucket *bucket;
	uint64_t match;  /* slots of its half not looked at yet whose tag may be the one, a bit in the octet of each */
	unsigned second; /* slots before that half: 0 or 8 */
	uint8_t tag;
};
slab_ref refmap_first(const struct refmap *m, uint32_t hash, struct refmap_find *f);
slab_ref refmap_next(const struct refmap *m, struct refmap_find *f);

void refmap_insert(struct refmap *m, uint32_t hash, slab_ref ref);
void refmap_remove(struct refmap *m, uint32_t hash, slab_ref ref);                /* must be there */
void refmap_replace(struct refmap *m, uint32_t hash, slab_ref old, slab_ref ref); /* OLD must be there */

/* Calls FN for each of the next bucket's entries, round and round, for a clock's hand or a walk; FN may remove the one
 * it is given, and change nothing else. True when HAND came by the end. An entry that stays is met at least once a
 * round. */
bool refmap_turn(const struct refmap *m, uint64_t *hand, void (*fn)(slab_ref ref, void *arg), void *arg);

/* Wants the bucket of HASH in the cache soon. */
void refmap_prefetch(const struct refmap *m, uint32_t hash);

#endif
