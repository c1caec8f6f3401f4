/*
 * verdict_cache.c - see verdict_cache.h.
 *
 * An entry with one line, or the three of one form, and a usual key is one cache line. Lines that many domains share
 * ("OK encrypt ...", "NOTFOUND ") exist once: a small direct-mapped table of the latest ones finds them. Eviction is a
 * clock's hand over the table's buckets: a hit only sets a flag in the entry it has read anyway.
 */
#include "mapd/verdict_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/refmap.h"
#include "base/slab.h"
#include "base/xalloc.h"

#define SHARED_LINES 64       /* a power of two */
#define SHARED_LINE_MAX 128   /* octets: longer lines name a domain's own hosts */
#define SECOND_CHANCES 128    /* entries looked at for one eviction */
#define EVICTIONS_AT_ONCE 256 /* for one line put: a much smaller bound is reached little by little */
#define BYTES_PER_ENTRY 1024
#define BUCKET_MAX 64
#define AHEAD_MIN 16384 /* entries: fewer are in the processor's cache anyway */

struct line {
	uint32_t owners; /* entries, and the table of shared lines */
	uint32_t len;
	char text[];
};

struct entry {
	int64_t until_ms;
	uint32_t life_ms; /* it was made so long before its end */
	uint32_t hash;
	uint32_t generation;
	uint32_t touched_s[MODE_COUNT - 1]; /* of the strict modes */
	uint16_t key_len;
	uint8_t has;         /* the lines that are there, a bit each */
	bool used : 1;       /* hit since the hand came by */
	bool prefetched : 1; /* asked for already */
	slab_ref line[];     /* those lines in order, then the key */
};

/* A key named before it is asked for, with its hash. */
struct ahead {
	const char *key;
	uint32_t hash;
};

struct verdict_cache {
	struct refmap map;
	struct slab slab; /* entries and lines */
	uint64_t hand;
	size_t max_entries;
	size_t bytes;
	unsigned long evicted;
	uint32_t generation;
	slab_ref shared[SHARED_LINES];
	struct ahead ahead[VERDICT_AHEAD];
	unsigned ahead_count, ahead_next;
};

static struct entry *entry_at(const struct verdict_cache *c, slab_ref ref)
{
	return slab_at(&c->slab, ref);
}

static struct line *line_at(const struct verdict_cache *c, slab_ref ref)
{
	return slab_at(&c->slab, ref);
}

static unsigned count_lines(unsigned has)
{
	static const uint8_t bits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

	return bits[has & 15] + bits[has >> 4];
}

/* Where LINE stands among those that are there. */
static unsigned place_of(const struct entry *e, unsigned line)
{
	return count_lines(e->has & ((1u << line) - 1));
}

static char *entry_key(struct entry *e)
{
	return (char *)&e->line[count_lines(e->has)];
}

static size_t entry_size(unsigned lines, size_t key_len)
{
	return sizeof(struct entry) + lines * sizeof(slab_ref) + key_len;
}

static uint32_t hash_of(slab_ref ref, const void *cache)
{
	return entry_at(cache, ref)->hash;
}

static size_t bytes_max(size_t max_entries)
{
	return max_entries < SIZE_MAX / BYTES_PER_ENTRY ? max_entries * BYTES_PER_ENTRY : SIZE_MAX;
}

struct verdict_cache *verdict_cache_new(size_t max_entries)
{
	struct verdict_cache *c = xcalloc(1, sizeof(*c));

	refmap_init(&c->map, hash_of, c);
	slab_init(&c->slab, 0);
	verdict_cache_resize(c, max_entries);
	return c;
}

void verdict_cache_free(struct verdict_cache **c)
{
	if (!*c)
		return;
	refmap_fini(&(*c)->map);
	slab_fini(&(*c)->slab);
	free(*c);
	*c = NULL;
}

void verdict_cache_resize(struct verdict_cache *c, size_t max_entries)
{
	c->max_entries = max_entries ? max_entries : 1;
	/* sizes that come and go leave holes: the rest of the bound is for those */
	slab_set_max(&c->slab, bytes_max(c->max_entries) + bytes_max(c->max_entries) / 4);
}

/* ---- blocks ---- */

static slab_ref block_new(struct verdict_cache *c, size_t size)
{
	slab_ref ref = slab_alloc(&c->slab, size);

	if (ref)
		c->bytes += slab_size(size);
	return ref;
}

static void block_free(struct verdict_cache *c, slab_ref ref, size_t size)
{
	c->bytes -= slab_size(size);
	slab_free(&c->slab, ref);
}

/* ---- lines ---- */

static void line_drop(struct verdict_cache *c, slab_ref *ref)
{
	struct line *l;

	if (*ref == 0)
		return;
	l = line_at(c, *ref);
	if (--l->owners == 0)
		block_free(c, *ref, sizeof(*l) + l->len);
	*ref = 0;
}

/* 0: no room. */
static slab_ref line_new(struct verdict_cache *c, const char *text, size_t len)
{
	slab_ref ref = block_new(c, sizeof(struct line) + len);
	struct line *l;

	if (ref == 0)
		return 0;
	l = line_at(c, ref);
	l->owners = 1;
	l->len = (uint32_t)len;
	memcpy(l->text, text, len);
	return ref;
}

static bool line_is(const struct verdict_cache *c, slab_ref ref, const char *text, size_t len)
{
	const struct line *l = ref ? line_at(c, ref) : NULL;

	return l != NULL && l->len == len && memcmp(l->text, text, len) == 0;
}

/* A line with TEXT of which the caller is an owner; 0: no room. */
static slab_ref line_get(struct verdict_cache *c, const char *text, size_t len)
{
	slab_ref *slot;

	if (len > SHARED_LINE_MAX)
		return line_new(c, text, len);
	slot = &c->shared[refmap_hash(&c->map, text, len) & (SHARED_LINES - 1)];
	if (!line_is(c, *slot, text, len)) {
		line_drop(c, slot);
		*slot = line_new(c, text, len);
	}
	if (*slot)
		line_at(c, *slot)->owners++;
	return *slot;
}

/* ---- entries ---- */

static void entry_clear(struct verdict_cache *c, struct entry *e)
{
	for (unsigned i = 0; i < count_lines(e->has); i++)
		line_drop(c, &e->line[i]);
}

static void entry_free(struct verdict_cache *c, slab_ref ref)
{
	struct entry *e = entry_at(c, ref);

	refmap_remove(&c->map, e->hash, ref);
	entry_clear(c, e);
	block_free(c, ref, entry_size(count_lines(e->has), e->key_len));
}

static bool over_bound(const struct verdict_cache *c)
{
	return c->map.count > c->max_entries || c->bytes > bytes_max(c->max_entries);
}

/* Moves the hand until WANTED entries have gone, but not KEEP: those not hit since it last came by, or after some
 * chances any. */
static void evict(struct verdict_cache *c, size_t wanted, slab_ref keep)
{
	slab_ref refs[BUCKET_MAX];
	unsigned chances = SECOND_CHANCES;
	size_t gone = 0;

	while (gone < wanted && c->map.count > 1) {
		bool round;
		size_t count = refmap_turn(&c->map, &c->hand, refs, BUCKET_MAX, &round);

		for (size_t i = 0; i < count && gone < wanted; i++) {
			struct entry *e = entry_at(c, refs[i]);

			if (refs[i] == keep)
				continue;
			if (e->used && chances > 0) {
				e->used = false;
				chances--;
				continue;
			}
			entry_free(c, refs[i]);
			chances = SECOND_CHANCES;
			gone++;
		}
	}
	c->evicted += gone;
}

static void make_room(struct verdict_cache *c, slab_ref keep)
{
	for (int i = 0; i < EVICTIONS_AT_ONCE && over_bound(c) && c->map.count > 1; i++)
		evict(c, 1, keep);
}

/* key = "[" name "]" [ ":" port ] / name [ ":" port ] : the hash of NAME */
static uint32_t hash_domain(const struct verdict_cache *c, const char *key, size_t len)
{
	const char *start = key, *end = key + len, *stop;

	if (len && *key == '[') {
		start++;
		stop = memchr(start, ']', len - 1);
	} else {
		stop = memchr(start, ':', len);
	}
	return refmap_hash(&c->map, start, (size_t)((stop ? stop : end) - start));
}

static slab_ref find(const struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	struct refmap_find f;

	for (slab_ref ref = refmap_first(&c->map, hash, &f); ref; ref = refmap_next(&c->map, &f)) {
		struct entry *e = entry_at(c, ref);

		if (e->key_len == len && memcmp(entry_key(e), key, len) == 0)
			return ref;
	}
	return 0;
}

/* ---- answers ---- */

static unsigned take_due(struct entry *e, enum mode mode, int64_t now_ms)
{
	unsigned due = 0;

	if (!e->prefetched && e->until_ms - now_ms <= e->life_ms / 4) {
		e->prefetched = true;
		due |= VERDICT_PREFETCH;
	}
	if (mode != MODE_OPPORTUNISTIC && now_ms - (int64_t)e->touched_s[mode - 1] * 1000 >= VERDICT_TOUCH_MS) {
		e->touched_s[mode - 1] = (uint32_t)(now_ms / 1000);
		due |= VERDICT_TOUCH;
	}
	return due;
}

void verdict_cache_ahead(struct verdict_cache *c, const struct verdict_key *keys, size_t count)
{
	struct refmap_find f;

	c->ahead_next = 0;
	c->ahead_count = c->map.count < AHEAD_MIN ? 0 : (unsigned)count;
	for (unsigned i = 0; i < c->ahead_count; i++) {
		c->ahead[i] = (struct ahead){keys[i].key, hash_domain(c, keys[i].key, keys[i].len)};
		refmap_prefetch(&c->map, c->ahead[i].hash);
	}
	for (unsigned i = 0; i < c->ahead_count; i++) {
		slab_ref ref = refmap_first(&c->map, c->ahead[i].hash, &f);

		if (ref)
			__builtin_prefetch(entry_at(c, ref));
	}
}

/* The hash of KEY's domain, which may be known from verdict_cache_ahead(). */
static uint32_t hash_asked(struct verdict_cache *c, const char *key, size_t len)
{
	while (c->ahead_next < c->ahead_count) {
		const struct ahead *a = &c->ahead[c->ahead_next++];

		if (a->key == key)
			return a->hash;
	}
	return hash_domain(c, key, len);
}

bool verdict_cache_get(struct verdict_cache *c, const char *key, size_t len, unsigned line, int64_t now_ms,
		       struct verdict_hit *out)
{
	slab_ref ref = find(c, hash_asked(c, key, len), key, len);
	const struct line *l;
	struct entry *e;

	if (ref == 0)
		return false;
	e = entry_at(c, ref);
	if (e->generation != c->generation || !(e->has & 1u << line))
		return false;
	/* a clock set back leaves nothing alive for longer */
	if (now_ms >= e->until_ms || now_ms < e->until_ms - e->life_ms)
		return false;
	e->used = true;
	l = line_at(c, e->line[place_of(e, line)]);
	out->text = l->text;
	out->len = l->len;
	out->due = take_due(e, (enum mode)(line / 2), now_ms);
	return true;
}

static slab_ref entry_new(struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	slab_ref ref = block_new(c, entry_size(0, len));
	struct entry *e;

	assert(len > 0 && len <= UINT16_MAX);
	if (ref == 0)
		return 0;
	e = entry_at(c, ref);
	*e = (struct entry){.until_ms = INT64_MIN, .hash = hash, .key_len = (uint16_t)len};
	memcpy(entry_key(e), key, len);
	refmap_insert(&c->map, hash, ref);
	return ref;
}

/* Of other facts than before: what was made of those goes. */
static void entry_renew(struct verdict_cache *c, struct entry *e, int64_t now_ms, int64_t until_ms)
{
	char *key = entry_key(e);
	size_t old = entry_size(count_lines(e->has), e->key_len);

	entry_clear(c, e);
	e->has = 0;
	memmove(entry_key(e), key, e->key_len);
	c->bytes -= slab_size(old) - slab_size(entry_size(0, e->key_len));
	e->life_ms = (uint32_t)(until_ms - now_ms);
	e->until_ms = until_ms;
	e->prefetched = false;
	e->generation = c->generation;
}

/* The entry with room for LINE, which has none yet, in a block that may be another one; 0: no room, and it is gone. */
static slab_ref entry_widen(struct verdict_cache *c, slab_ref ref, unsigned line)
{
	struct entry *e = entry_at(c, ref), *wide;
	unsigned lines = count_lines(e->has), place = place_of(e, line);
	slab_ref wider = block_new(c, entry_size(lines + 1, e->key_len));

	if (wider == 0) {
		entry_free(c, ref);
		return 0;
	}
	wide = entry_at(c, wider);
	memcpy(wide, e, sizeof(*e) + place * sizeof(slab_ref));
	wide->has = (uint8_t)(e->has | 1u << line);
	wide->line[place] = 0;
	memcpy(&wide->line[place + 1], &e->line[place], (lines - place) * sizeof(slab_ref) + e->key_len);
	refmap_replace(&c->map, e->hash, ref, wider);
	block_free(c, ref, entry_size(lines, e->key_len));
	return wider;
}

static void set_line(struct verdict_cache *c, slab_ref ref, unsigned line, const char *text, size_t len, int64_t now_ms)
{
	slab_ref made = line_get(c, text, len);
	struct entry *e = entry_at(c, ref);
	slab_ref *at = &e->line[place_of(e, line)];

	line_drop(c, at);
	if (made == 0) {
		entry_free(c, ref);
		return;
	}
	*at = made;
	if (line / 2 != MODE_OPPORTUNISTIC)
		e->touched_s[line / 2 - 1] = (uint32_t)(now_ms / 1000);
}

/* Full of blocks of other sizes: some entries go, so that whole pages may. */
static slab_ref entry_new_anyhow(struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	slab_ref ref = entry_new(c, hash, key, len);

	if (ref)
		return ref;
	evict(c, EVICTIONS_AT_ONCE, 0);
	return entry_new(c, hash, key, len);
}

void verdict_cache_put(struct verdict_cache *c, const char *key, unsigned line, const char *text, size_t len,
		       int64_t now_ms, int64_t until_ms)
{
	size_t key_len = strlen(key);
	uint32_t hash = hash_domain(c, key, key_len);
	slab_ref ref = find(c, hash, key, key_len);
	struct entry *e;

	if (until_ms <= now_ms) {
		if (ref)
			entry_free(c, ref);
		return;
	}
	if (until_ms - now_ms > UINT32_MAX)
		until_ms = now_ms + UINT32_MAX;
	if (!ref && !(ref = entry_new_anyhow(c, hash, key, key_len)))
		return;
	e = entry_at(c, ref);
	if (e->until_ms != until_ms || e->generation != c->generation || now_ms < e->until_ms - e->life_ms)
		entry_renew(c, e, now_ms, until_ms);
	if (!(e->has & 1u << line) && !(ref = entry_widen(c, ref, line)))
		return;
	set_line(c, ref, line, text, len, now_ms);
	make_room(c, ref);
}

void verdict_cache_drop(struct verdict_cache *c, const char *key)
{
	uint32_t hash = hash_domain(c, key, strlen(key));
	struct refmap_find f;

	for (slab_ref ref = refmap_first(&c->map, hash, &f); ref; ref = refmap_next(&c->map, &f))
		if (entry_at(c, ref)->hash == hash)
			entry_free(c, ref);
}

void verdict_cache_drop_all(struct verdict_cache *c)
{
	c->generation++;
}

void verdict_cache_counts(const struct verdict_cache *c, struct verdict_cache_counts *out)
{
	out->entries = c->map.count;
	out->bytes = c->bytes;
	out->evicted = c->evicted;
}
