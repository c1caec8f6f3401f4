/*
 * refmap.c - see refmap.h.
 *
 * Buckets stand in segments of doubling size, so that growth moves none of them: bucket B of 64 and more is in the
 * segment of its highest bit.
 */
#include "base/refmap.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "base/siphash.h"
#include "base/xalloc.h"

#define FIRST_BITS 6 /* of the first segment's buckets */
#define FULL 8       /* entries a bucket on the average, before there is one more */
#define SECOND_HALF (((uint64_t)1 << (REFMAP_SLOTS - 8) * 8) - 1) /* octets of it that are tags */

_Static_assert(sizeof(struct refmap_bucket) == 64, "a bucket is a cache line");

static unsigned segment_of(uint64_t bucket)
{
	return bucket >> FIRST_BITS == 0 ? 0 : 64 - FIRST_BITS - (unsigned)__builtin_clzll(bucket);
}

static uint64_t segment_first(unsigned segment)
{
	return segment == 0 ? 0 : (uint64_t)1 << (segment + FIRST_BITS - 1);
}

static size_t segment_size(unsigned segment)
{
	return (segment == 0 ? (size_t)1 << FIRST_BITS : segment_first(segment)) * sizeof(struct refmap_bucket);
}

static struct refmap_bucket *bucket_at(const struct refmap *m, uint64_t bucket)
{
	unsigned segment = segment_of(bucket);

	return &m->segment[segment][bucket - segment_first(segment)];
}

/* Buckets beyond the last doubling are split already, those before it not yet. */
static uint64_t bucket_of(const struct refmap *m, uint32_t hash)
{
	uint64_t bucket = hash & m->doubled;

	return bucket < m->buckets ? bucket : hash & m->doubled >> 1;
}

static void set_buckets(struct refmap *m, uint64_t buckets)
{
	m->buckets = buckets;
	m->doubled = ((uint64_t)2 << (63 - __builtin_clzll(buckets))) - 1;
}

static uint8_t tag_of(uint32_t hash)
{
	uint8_t tag = (uint8_t)(hash >> 24);

	return tag ? tag : 1;
}

static void segment_new(struct refmap *m, unsigned segment)
{
	size_t size = segment_size(segment);

	assert(segment < REFMAP_SEGMENTS);
	m->segment[segment] = pages_map(size, size >= PAGES_LARGE);
}

void refmap_init(struct refmap *m, refmap_hash_fn *hash_of, const void *arg)
{
	memset(m, 0, sizeof(*m));
	siphash_make_key(m->key);
	m->hash_of = hash_of;
	m->arg = arg;
	slab_init(&m->more, 0);
	segment_new(m, 0);
	set_buckets(m, (uint64_t)1 << FIRST_BITS);
}

void refmap_fini(struct refmap *m)
{
	for (unsigned i = 0; i < REFMAP_SEGMENTS; i++)
		if (m->segment[i])
			pages_unmap(m->segment[i], segment_size(i));
	slab_fini(&m->more);
	memset(m, 0, sizeof(*m));
}

size_t refmap_octets(const struct refmap *m)
{
	return (size_t)m->buckets * sizeof(struct refmap_bucket) + m->more.mapped;
}

uint32_t refmap_hash(const struct refmap *m, const void *bytes, size_t len)
{
	return (uint32_t)siphash13(m->key, bytes, len);
}

void refmap_prefetch(const struct refmap *m, uint32_t hash)
{
	__builtin_prefetch(bucket_at(m, bucket_of(m, hash)));
}

/* ---- finding ---- */

static struct refmap_bucket *next_bucket(const struct refmap *m, const struct refmap_bucket *b)
{
	return b->more ? slab_at(&m->more, b->more) : NULL;
}

/* The top bit of every octet of TAGS that is TAG; of some above such a one, too. */
static uint64_t octets_like(uint64_t tags, uint8_t tag)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t zero = tags ^ ones * tag;

	return (zero - ones) & ~zero & tops;
}

static uint64_t load_tags(const uint8_t *tag, size_t count)
{
	uint64_t tags = 0;

	memcpy(&tags, tag, count);
	return le64toh(tags);
}

static void look_at(struct refmap_find *f, const struct refmap_bucket *b)
{
	f->bucket = b;
	f->second = 0;
	if (b)
		f->match = octets_like(load_tags(b->tag, 8), f->tag);
}

/* Most are found in the first half of their bucket: the second is looked at when it comes to that. */
static void look_on(const struct refmap *m, struct refmap_find *f)
{
	if (f->second != 0) {
		look_at(f, next_bucket(m, f->bucket));
		return;
	}
	f->second = 8;
	f->match = octets_like(load_tags(f->bucket->tag + 8, REFMAP_SLOTS - 8), f->tag) & SECOND_HALF;
}

slab_ref refmap_next(const struct refmap *m, struct refmap_find *f)
{
	while (f->bucket) {
		while (f->match != 0) {
			unsigned slot = f->second + (unsigned)__builtin_ctzll(f->match) / 8;

			f->match &= f->match - 1;
			if (f->bucket->tag[slot] == f->tag)
				return f->bucket->ref[slot];
		}
		look_on(m, f);
	}
	return 0;
}

slab_ref refmap_first(const struct refmap *m, uint32_t hash, struct refmap_find *f)
{
	f->tag = tag_of(hash);
	look_at(f, bucket_at(m, bucket_of(m, hash)));
	return refmap_next(m, f);
}

/* ---- changing ---- */

/* REFMAP_SLOTS: none. */
static unsigned free_slot(const struct refmap_bucket *b)
{
	uint64_t first = octets_like(load_tags(b->tag, 8), 0);
	uint64_t second = octets_like(load_tags(b->tag + 8, REFMAP_SLOTS - 8), 0) & SECOND_HALF;

	if (first != 0)
		return (unsigned)__builtin_ctzll(first) / 8;
	return second != 0 ? 8 + (unsigned)__builtin_ctzll(second) / 8 : REFMAP_SLOTS;
}

static void bucket_add(struct refmap *m, struct refmap_bucket *b, uint8_t tag, slab_ref ref)
{
	unsigned slot;

	while ((slot = free_slot(b)) == REFMAP_SLOTS) {
		if (b->more == 0) {
			b->more = slab_alloc(&m->more, sizeof(*b));
			memset(slab_at(&m->more, b->more), 0, sizeof(*b));
		}
		b = slab_at(&m->more, b->more);
	}
	b->tag[slot] = tag;
	b->ref[slot] = ref;
}

/* The next free slot of a chain that is being filled, which has no holes before it. */
struct refmap_end {
	struct refmap_bucket *bucket;
	unsigned slot;
};

static void refmap_end_add(struct refmap *m, struct refmap_end *e, uint8_t tag, slab_ref ref)
{
	if (e->slot == REFMAP_SLOTS) {
		e->bucket->more = slab_alloc(&m->more, sizeof(*e->bucket));
		e->bucket = slab_at(&m->more, e->bucket->more);
		memset(e->bucket, 0, sizeof(*e->bucket));
		e->slot = 0;
	}
	e->bucket->tag[e->slot] = tag;
	e->bucket->ref[e->slot] = ref;
	e->slot++;
}

/* One more bucket: the entries of the one that is due are shared between both. Each is touched once, however long the
 * chain behind the bucket is. */
static void split(struct refmap *m)
{
	uint64_t half = (uint64_t)1 << (63 - __builtin_clzll(m->buckets)), grown = m->buckets;
	struct refmap_bucket *head = bucket_at(m, grown - half), from = *head;
	struct refmap_end old = {head, 0}, new = {NULL, 0};

	if (!m->segment[segment_of(grown)])
		segment_new(m, segment_of(grown));
	set_buckets(m, grown + 1);
	memset(head, 0, sizeof(*head));
	new.bucket = bucket_at(m, grown);
	for (bool more = true; more;) {
		slab_ref next = from.more;

		for (unsigned i = 0; i < REFMAP_SLOTS; i++)
			if (from.tag[i] != 0) {
				uint32_t hash = m->hash_of(from.ref[i], m->arg);

				refmap_end_add(m, bucket_of(m, hash) == grown ? &new : &old, from.tag[i], from.ref[i]);
			}
		more = next != 0;
		if (more) {
			from = *(struct refmap_bucket *)slab_at(&m->more, next);
			slab_free(&m->more, next);
		}
	}
}

void refmap_insert(struct refmap *m, uint32_t hash, slab_ref ref)
{
	if (m->count >= m->buckets * FULL)
		split(m);
	bucket_add(m, bucket_at(m, bucket_of(m, hash)), tag_of(hash), ref);
	m->count++;
}

static struct refmap_bucket *find_ref(struct refmap *m, uint32_t hash, slab_ref ref, unsigned *slot)
{
	for (struct refmap_bucket *b = bucket_at(m, bucket_of(m, hash)); b; b = next_bucket(m, b))
		for (*slot = 0; *slot < REFMAP_SLOTS; (*slot)++)
			if (b->ref[*slot] == ref && b->tag[*slot] != 0)
				return b;
	abort(); /* what is removed is there */
}

void refmap_remove(struct refmap *m, uint32_t hash, slab_ref ref)
{
	unsigned slot;
	struct refmap_bucket *b = find_ref(m, hash, ref, &slot);

	b->tag[slot] = 0;
	m->count--;
}

void refmap_replace(struct refmap *m, uint32_t hash, slab_ref old, slab_ref ref)
{
	unsigned slot;
	struct refmap_bucket *b = find_ref(m, hash, old, &slot);

	b->ref[slot] = ref;
}

bool refmap_turn(const struct refmap *m, uint64_t *hand, void (*fn)(slab_ref ref, void *arg), void *arg)
{
	if (*hand >= m->buckets)
		*hand = 0;
	for (const struct refmap_bucket *b = bucket_at(m, *hand); b; b = next_bucket(m, b))
		for (unsigned i = 0; i < REFMAP_SLOTS; i++)
			if (b->tag[i] != 0)
				fn(b->ref[i], arg);
	return ++*hand == m->buckets;
}
