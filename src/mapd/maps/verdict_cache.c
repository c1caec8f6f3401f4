/*
 * verdict_cache.c - see verdict_cache.h.
 *
 * An entry with one line, or the three of one form, and a usual key is one cache line. Eviction is a clock's hand over
 * the table's buckets: a hit only sets a flag in the entry it has read anyway. Not here: the lines (verdict_store.c).
 */
#include "mapd/maps/verdict_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/refmap.h"
#include "base/xalloc.h"
#include "mapd/maps/verdict_store.h"

#define SECOND_CHANCES 128   /* entries looked at for one eviction */
#define EVICTIONS_AT_ONCE 16 /* for one line put: a much smaller bound is reached little by little */
#define BYTES_PER_ENTRY 1024
#define AHEAD_MIN 16384 /* entries: fewer are in the processor's cache anyway */

struct verdict_entry {
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
	struct verdict_store store; /* entries and lines */
	uint64_t hand;
	size_t max_entries;
	unsigned long evicted;
	uint32_t generation;
	struct ahead ahead[VERDICT_AHEAD];
	unsigned ahead_count, ahead_next;
};

static struct verdict_entry *entry_at(const struct verdict_cache *c, slab_ref ref)
{
	return slab_at(&c->store.slab, ref);
}

static unsigned count_lines(unsigned has)
{
	static const uint8_t bits[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

	return bits[has & 15] + bits[has >> 4];
}

/* Where LINE stands among those that are there. */
static unsigned place_of(const struct verdict_entry *e, unsigned line)
{
	return count_lines(e->has & ((1u << line) - 1));
}

static char *entry_key(struct verdict_entry *e)
{
	return (char *)&e->line[count_lines(e->has)];
}

static size_t entry_size(unsigned lines, size_t key_len)
{
	return sizeof(struct verdict_entry) + lines * sizeof(slab_ref) + key_len;
}

static uint32_t verdict_cache_hash_of(slab_ref ref, const void *cache)
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

	refmap_init(&c->map, verdict_cache_hash_of, c);
	verdict_store_init(&c->store);
	verdict_cache_resize(c, max_entries);
	return c;
}

void verdict_cache_free(struct verdict_cache **c)
{
	if (!*c)
		return;
	refmap_fini(&(*c)->map);
	verdict_store_fini(&(*c)->store);
	free(*c);
	*c = NULL;
}

void verdict_cache_resize(struct verdict_cache *c, size_t max_entries)
{
	c->max_entries = max_entries ? max_entries : 1;
	/* sizes that come and go leave holes: the rest of the bound is for those */
	slab_set_max(&c->store.slab, bytes_max(c->max_entries) + bytes_max(c->max_entries) / 4);
}

/* ---- entries ---- */

static void entry_clear(struct verdict_cache *c, struct verdict_entry *e)
{
	for (unsigned i = 0; i < count_lines(e->has); i++)
		verdict_text_drop(&c->store, &e->line[i]);
}

static void entry_free(struct verdict_cache *c, slab_ref ref)
{
	struct verdict_entry *e = entry_at(c, ref);

	refmap_remove(&c->map, e->hash, ref);
	entry_clear(c, e);
	verdict_block_free(&c->store, ref, entry_size(count_lines(e->has), e->key_len));
}

static bool verdict_cache_over_bound(const struct verdict_cache *c)
{
	return c->map.count > c->max_entries || c->store.bytes > bytes_max(c->max_entries);
}

/* The clock's hand on its way. */
struct eviction {
	struct verdict_cache *c;
	size_t wanted;
	slab_ref keep;
	unsigned chances;
};

static void evict_entry(slab_ref ref, void *arg)
{
	struct eviction *ev = arg;
	struct verdict_entry *e = entry_at(ev->c, ref);

	if (ref == ev->keep || ev->wanted == 0)
		return;
	if (e->used && ev->chances > 0) {
		e->used = false;
		ev->chances--;
		return;
	}
	entry_free(ev->c, ref);
	ev->chances = SECOND_CHANCES;
	ev->wanted--;
	ev->c->evicted++;
}

/* Moves the hand until WANTED entries have gone, but not KEEP: those not hit since it last came by, or after some
 * chances any. */
static void verdict_cache_evict(struct verdict_cache *c, size_t wanted, slab_ref keep)
{
	struct eviction ev = {c, wanted, keep, SECOND_CHANCES};

	while (ev.wanted > 0 && c->map.count > 1)
		refmap_turn(&c->map, &c->hand, evict_entry, &ev);
}

static void verdict_cache_make_room(struct verdict_cache *c, slab_ref keep)
{
	for (int i = 0; i < EVICTIONS_AT_ONCE && verdict_cache_over_bound(c) && c->map.count > 1; i++)
		verdict_cache_evict(c, 1, keep);
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

static slab_ref verdict_cache_find(const struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	struct refmap_find f;

	for (slab_ref ref = refmap_first(&c->map, hash, &f); ref; ref = refmap_next(&c->map, &f)) {
		struct verdict_entry *e = entry_at(c, ref);

		if (e->key_len == len && memcmp(entry_key(e), key, len) == 0)
			return ref;
	}
	return 0;
}

/* ---- answers ---- */

static unsigned take_due(struct verdict_entry *e, enum mode mode, int64_t now_ms)
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

bool verdict_cache_ahead(struct verdict_cache *c, const struct verdict_key *keys, size_t count)
{
	struct refmap_find f;

	c->ahead_next = 0;
	c->ahead_count = 0;
	if (c->map.count < AHEAD_MIN)
		return false;
	c->ahead_count = (unsigned)count;
	for (unsigned i = 0; i < c->ahead_count; i++) {
		c->ahead[i] = (struct ahead){keys[i].key, hash_domain(c, keys[i].key, keys[i].len)};
		refmap_prefetch(&c->map, c->ahead[i].hash);
	}
	for (unsigned i = 0; i < c->ahead_count; i++) {
		slab_ref ref = refmap_first(&c->map, c->ahead[i].hash, &f);

		if (ref)
			__builtin_prefetch(entry_at(c, ref));
	}
	return true;
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
	slab_ref ref = verdict_cache_find(c, hash_asked(c, key, len), key, len);
	const struct verdict_text *l;
	struct verdict_entry *e;

	if (ref == 0)
		return false;
	e = entry_at(c, ref);
	if (e->generation != c->generation || !(e->has & 1u << line))
		return false;
	/* a clock set back leaves nothing alive for longer */
	if (now_ms >= e->until_ms || now_ms < e->until_ms - e->life_ms)
		return false;
	e->used = true;
	l = verdict_text_at(&c->store, e->line[place_of(e, line)]);
	out->text = l->text;
	out->len = l->len;
	out->due = take_due(e, (enum mode)(line / 2), now_ms);
	return true;
}

static slab_ref entry_new(struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	slab_ref ref = verdict_block_new(&c->store, entry_size(0, len));
	struct verdict_entry *e;

	if (ref == 0)
		return 0;
	e = entry_at(c, ref);
	*e = (struct verdict_entry){.until_ms = INT64_MIN, .hash = hash, .key_len = (uint16_t)len};
	memcpy(entry_key(e), key, len);
	refmap_insert(&c->map, hash, ref);
	return ref;
}

/* Of other facts than before: what was made of those goes. */
static void entry_renew(struct verdict_cache *c, struct verdict_entry *e, int64_t now_ms, int64_t until_ms)
{
	char *key = entry_key(e);
	size_t old = entry_size(count_lines(e->has), e->key_len);

	entry_clear(c, e);
	e->has = 0;
	memmove(entry_key(e), key, e->key_len);
	c->store.bytes -= slab_size(old) - slab_size(entry_size(0, e->key_len));
	e->life_ms = (uint32_t)(until_ms - now_ms);
	e->until_ms = until_ms;
	e->prefetched = false;
	e->generation = c->generation;
}

/* The entry with room for LINE, which has none yet, in a block that may be another one; 0: no room, and it is gone. */
static slab_ref entry_widen(struct verdict_cache *c, slab_ref ref, unsigned line)
{
	struct verdict_entry *e = entry_at(c, ref), *wide;
	unsigned lines = count_lines(e->has), place = place_of(e, line);
	slab_ref wider = verdict_block_new(&c->store, entry_size(lines + 1, e->key_len));

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
	verdict_block_free(&c->store, ref, entry_size(lines, e->key_len));
	return wider;
}

static void set_line(struct verdict_cache *c, slab_ref ref, unsigned line, const char *text, size_t len, int64_t now_ms)
{
	slab_ref made = verdict_text_get(&c->store, text, len);
	struct verdict_entry *e = entry_at(c, ref);
	slab_ref *at = &e->line[place_of(e, line)];

	verdict_text_drop(&c->store, at);
	if (made == 0) {
		entry_free(c, ref);
		return;
	}
	*at = made;
	if (line / 2 != MODE_OPPORTUNISTIC)
		e->touched_s[line / 2 - 1] = (uint32_t)(now_ms / 1000);
}

/* key = name ":" port, the name perhaps in brackets, where an address may have colons of its own */
static bool has_port(const char *key, size_t len)
{
	const char *colon = memrchr(key, ':', len);

	return colon && !memchr(colon, ']', (size_t)(key + len - colon));
}

/* Who goes first where one name has too many variants: one that nobody hit lately before one that somebody did, and one
 * with a port before either of those without, so that no question about ports takes the usual answer. */
static unsigned dispensable(struct verdict_entry *e)
{
	return (unsigned)has_port(entry_key(e), e->key_len) * 2 + !e->used;
}

/* A new entry would be one too many of its hash, which leaves out ports and brackets: another one goes. */
static bool verdict_cache_make_way(struct verdict_cache *c, uint32_t hash)
{
	struct refmap_find f;
	slab_ref victim = 0;
	unsigned count = 0;

	for (slab_ref ref = refmap_first(&c->map, hash, &f); ref; ref = refmap_next(&c->map, &f)) {
		if (entry_at(c, ref)->hash != hash)
			continue;
		count++;
		if (!victim || dispensable(entry_at(c, ref)) > dispensable(entry_at(c, victim)))
			victim = ref;
	}
	if (count < VERDICT_VARIANTS)
		return false;
	entry_free(c, victim);
	c->evicted++;
	return true;
}

/* Full of blocks of other sizes: some entries go, so that whole pages may. */
static slab_ref entry_new_anyhow(struct verdict_cache *c, uint32_t hash, const char *key, size_t len)
{
	slab_ref ref = entry_new(c, hash, key, len);

	if (ref)
		return ref;
	verdict_cache_evict(c, EVICTIONS_AT_ONCE, 0);
	return entry_new(c, hash, key, len);
}

bool verdict_cache_put(struct verdict_cache *c, const char *key, unsigned line, const char *text, size_t len,
		       int64_t now_ms, int64_t until_ms)
{
	size_t key_len = strlen(key);
	uint32_t hash = hash_domain(c, key, key_len);
	slab_ref ref = verdict_cache_find(c, hash, key, key_len);
	struct verdict_entry *e;
	bool crowded;

	if (until_ms <= now_ms) {
		if (ref)
			entry_free(c, ref);
		return false;
	}
	if (until_ms - now_ms > UINT32_MAX)
		until_ms = now_ms + UINT32_MAX;
	crowded = !ref && verdict_cache_make_way(c, hash);
	if (!ref && !(ref = entry_new_anyhow(c, hash, key, key_len)))
		return crowded;
	e = entry_at(c, ref);
	if (e->until_ms != until_ms || e->generation != c->generation || now_ms < e->until_ms - e->life_ms)
		entry_renew(c, e, now_ms, until_ms);
	if (!(e->has & 1u << line) && !(ref = entry_widen(c, ref, line)))
		return crowded;
	set_line(c, ref, line, text, len, now_ms);
	verdict_cache_make_room(c, ref);
	return crowded;
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
	out->bytes = c->store.bytes;
	out->evicted = c->evicted;
}
