/*
 * verdict_cache.c - see verdict_cache.h.
 *
 * Eviction is second chance over a list: a hit only sets a flag in the entry it has read anyway. Lines that many
 * domains share ("OK encrypt ...", "NOTFOUND ") exist once: a small direct-mapped table of the latest ones finds them.
 */
#include "mapd/verdict_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"

#define SHARED_LINES 64       /* a power of two */
#define SHARED_LINE_MAX 128   /* octets: longer lines name a domain's own hosts */
#define SECOND_CHANCES 128    /* entries looked at for one eviction */
#define EVICTIONS_AT_ONCE 256 /* for one line put: a much smaller bound is reached little by little */
#define BYTES_PER_ENTRY 1024

struct line {
	uint32_t owners; /* entries, and the table of shared lines */
	uint32_t len;
	char text[];
};

struct entry {
	struct hmap_node node;
	struct entry *older, *newer;
	int64_t made_ms, until_ms;
	int64_t prefetch_ms;                /* INT64_MAX: asked for already */
	int64_t touched_ms[MODE_COUNT - 1]; /* of the strict modes */
	struct line *line[VERDICT_LINES];
	uint32_t generation;
	uint16_t key_len;
	bool used; /* hit since it was last passed over */
	char key[];
};

struct verdict_cache {
	struct hmap map;
	struct entry *oldest, *newest;
	size_t max_entries;
	size_t bytes;
	unsigned long evicted;
	uint32_t generation;
	struct line *shared[SHARED_LINES];
};

struct verdict_cache *verdict_cache_new(size_t max_entries)
{
	struct verdict_cache *c = xcalloc(1, sizeof(*c));

	hmap_init(&c->map, 0);
	c->max_entries = max_entries ? max_entries : 1;
	return c;
}

static void line_drop(struct verdict_cache *c, struct line **l)
{
	if (*l && --(*l)->owners == 0) {
		c->bytes -= sizeof(**l) + (*l)->len;
		free(*l);
	}
	*l = NULL;
}

static struct line *line_new(struct verdict_cache *c, const char *text, size_t len)
{
	struct line *l = xmalloc(sizeof(*l) + len);

	l->owners = 1;
	l->len = (uint32_t)len;
	memcpy(l->text, text, len);
	c->bytes += sizeof(*l) + len;
	return l;
}

/* A line with TEXT of which the caller is an owner. */
static struct line *line_get(struct verdict_cache *c, const char *text, size_t len)
{
	struct line **slot;

	if (len > SHARED_LINE_MAX)
		return line_new(c, text, len);
	slot = &c->shared[hmap_hash(&c->map, text, len) & (SHARED_LINES - 1)];
	if (!*slot || (*slot)->len != len || memcmp((*slot)->text, text, len) != 0) {
		line_drop(c, slot);
		*slot = line_new(c, text, len);
	}
	(*slot)->owners++;
	return *slot;
}

static void entry_clear(struct verdict_cache *c, struct entry *e)
{
	for (size_t i = 0; i < VERDICT_LINES; i++)
		line_drop(c, &e->line[i]);
}

static void list_remove(struct verdict_cache *c, struct entry *e)
{
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_add_newest(struct verdict_cache *c, struct entry *e)
{
	e->newer = NULL;
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static void entry_free(struct verdict_cache *c, struct entry *e)
{
	hmap_remove(&c->map, &e->node);
	list_remove(c, e);
	entry_clear(c, e);
	c->bytes -= sizeof(*e) + e->key_len;
	free(e);
}

void verdict_cache_free(struct verdict_cache **c)
{
	if (!*c)
		return;
	while ((*c)->oldest)
		entry_free(*c, (*c)->oldest);
	for (size_t i = 0; i < SHARED_LINES; i++)
		line_drop(*c, &(*c)->shared[i]);
	hmap_fini(&(*c)->map);
	free(*c);
	*c = NULL;
}

void verdict_cache_resize(struct verdict_cache *c, size_t max_entries)
{
	c->max_entries = max_entries ? max_entries : 1;
}

/* The oldest entry that was not hit since it was last looked at, or after some chances the oldest one. */
static void evict_one(struct verdict_cache *c)
{
	for (int i = 0; i < SECOND_CHANCES && c->oldest->used; i++) {
		struct entry *e = c->oldest;

		e->used = false;
		list_remove(c, e);
		list_add_newest(c, e);
	}
	entry_free(c, c->oldest);
	c->evicted++;
}

static void make_room(struct verdict_cache *c)
{
	for (int i = 0; i < EVICTIONS_AT_ONCE && c->oldest != c->newest; i++) {
		if (c->map.count <= c->max_entries && c->bytes / BYTES_PER_ENTRY <= c->max_entries)
			return;
		evict_one(c);
	}
}

/* key = "[" name "]" [ ":" port ] / name [ ":" port ] : the hash of NAME */
static uint64_t hash_domain(const struct verdict_cache *c, const char *key, size_t len)
{
	const char *start = key, *end = key + len, *stop;

	if (len && *key == '[') {
		start++;
		stop = memchr(start, ']', len - 1);
	} else {
		stop = memchr(start, ':', len);
	}
	return hmap_hash(&c->map, start, (size_t)((stop ? stop : end) - start));
}

static struct entry *find(const struct verdict_cache *c, uint64_t hash, const char *key, size_t len)
{
	for (struct hmap_node *n = hmap_first(&c->map, hash); n; n = hmap_next(n)) {
		struct entry *e = hmap_entry(n, struct entry, node);

		if (e->key_len == len && memcmp(e->key, key, len) == 0)
			return e;
	}
	return NULL;
}

static unsigned take_due(struct entry *e, enum mode mode, int64_t now_ms)
{
	unsigned due = 0;

	if (now_ms >= e->prefetch_ms) {
		e->prefetch_ms = INT64_MAX;
		due |= VERDICT_PREFETCH;
	}
	if (mode != MODE_OPPORTUNISTIC && now_ms - e->touched_ms[mode - 1] >= VERDICT_TOUCH_MS) {
		e->touched_ms[mode - 1] = now_ms;
		due |= VERDICT_TOUCH;
	}
	return due;
}

bool verdict_cache_get(struct verdict_cache *c, const char *key, size_t len, unsigned line, int64_t now_ms,
		       struct verdict_hit *out)
{
	struct entry *e = find(c, hash_domain(c, key, len), key, len);

	if (!e || e->generation != c->generation || !e->line[line])
		return false;
	if (now_ms >= e->until_ms || now_ms < e->made_ms) /* a clock set back leaves nothing alive for longer */
		return false;
	e->used = true;
	out->text = e->line[line]->text;
	out->len = e->line[line]->len;
	out->due = take_due(e, (enum mode)(line / 2), now_ms);
	return true;
}

static struct entry *entry_new(struct verdict_cache *c, uint64_t hash, const char *key, size_t len)
{
	struct entry *e = xcalloc(1, sizeof(*e) + len);

	assert(len > 0 && len <= UINT16_MAX);
	memcpy(e->key, key, len);
	e->key_len = (uint16_t)len;
	e->until_ms = INT64_MIN;
	hmap_insert(&c->map, &e->node, hash);
	list_add_newest(c, e);
	c->bytes += sizeof(*e) + len;
	return e;
}

void verdict_cache_put(struct verdict_cache *c, const char *key, unsigned line, const char *text, size_t len,
		       int64_t now_ms, int64_t until_ms)
{
	size_t key_len = strlen(key);
	uint64_t hash = hash_domain(c, key, key_len);
	struct entry *e = find(c, hash, key, key_len);

	if (until_ms <= now_ms) {
		if (e)
			entry_free(c, e);
		return;
	}
	if (!e)
		e = entry_new(c, hash, key, key_len);
	if (e->until_ms != until_ms || e->generation != c->generation || now_ms < e->made_ms) {
		entry_clear(c, e);
		e->made_ms = now_ms;
		e->until_ms = until_ms;
		e->prefetch_ms = until_ms - (until_ms - now_ms) / 4;
		e->generation = c->generation;
	}
	line_drop(c, &e->line[line]);
	e->line[line] = line_get(c, text, len);
	if (line / 2 != MODE_OPPORTUNISTIC)
		e->touched_ms[line / 2 - 1] = now_ms;
	make_room(c);
}

void verdict_cache_drop(struct verdict_cache *c, const char *key)
{
	uint64_t hash = hash_domain(c, key, strlen(key));
	struct hmap_node *next;

	for (struct hmap_node *n = hmap_first(&c->map, hash); n; n = next) {
		next = hmap_next(n);
		entry_free(c, hmap_entry(n, struct entry, node));
	}
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
