/*
 * refusal_memory.c - see refusal_memory.h.
 */
#include "mapd/maps/refusal_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"
#include "mapd/maps/verdict_cache.h"

/* Served lines are noted again every VERDICT_TOUCH_MS only, so an answer may be that much later than its note. */
#define OTHERS_LATELY_MS (REFUSAL_LATELY_MS + VERDICT_TOUCH_MS)
#define NEVER (INT64_MIN / 2)
#define FORGOTTEN_AT_ONCE 64 /* for one new host: a much smaller bound is reached little by little */

struct host {
	struct hmap_node node;
	struct host *older, *newer; /* by the last note */
	int64_t born_ms;
	int64_t last_ms[MODE_COUNT]; /* last answer that was this mode alone; under opportunistic what was not */
	char name[];
};

struct refusal_memory {
	struct hmap map;
	struct host *oldest, *newest;
	size_t max_hosts;
	int64_t forgotten_ms; /* last time a host went while another kind of answer was still fresh */
};

struct refusal_memory *refusal_memory_new(size_t max_hosts)
{
	struct refusal_memory *m = xcalloc(1, sizeof(*m));

	hmap_init(&m->map, 0);
	m->forgotten_ms = NEVER;
	refusal_memory_resize(m, max_hosts);
	return m;
}

void refusal_memory_resize(struct refusal_memory *m, size_t max_hosts)
{
	m->max_hosts = max_hosts ? max_hosts : 1;
}

static void refusal_memory_list_remove(struct refusal_memory *m, struct host *h)
{
	*(h->newer ? &h->newer->older : &m->newest) = h->older;
	*(h->older ? &h->older->newer : &m->oldest) = h->newer;
}

static void list_add_newest(struct refusal_memory *m, struct host *h)
{
	h->newer = NULL;
	h->older = m->newest;
	*(m->newest ? &m->newest->newer : &m->oldest) = h;
	m->newest = h;
}

static void host_free(struct refusal_memory *m, struct host *h)
{
	hmap_remove(&m->map, &h->node);
	refusal_memory_list_remove(m, h);
	free(h);
}

void refusal_memory_free(struct refusal_memory **m)
{
	if (!*m)
		return;
	while ((*m)->oldest)
		host_free(*m, (*m)->oldest);
	hmap_fini(&(*m)->map);
	free(*m);
	*m = NULL;
}

static struct host *refusal_memory_find(const struct refusal_memory *m, uint64_t hash, const char *name)
{
	for (struct hmap_node *n = hmap_first(&m->map, hash); n; n = hmap_next(n)) {
		struct host *h = hmap_entry(n, struct host, node);

		if (strcmp(h->name, name) == 0)
			return h;
	}
	return NULL;
}

static void refusal_memory_make_room(struct refusal_memory *m, int64_t now_ms)
{
	for (int i = 0; i < FORGOTTEN_AT_ONCE && m->map.count >= m->max_hosts; i++) {
		if (now_ms - m->oldest->last_ms[MODE_OPPORTUNISTIC] < OTHERS_LATELY_MS)
			m->forgotten_ms = now_ms;
		host_free(m, m->oldest);
	}
}

static struct host *host_new(struct refusal_memory *m, uint64_t hash, const char *name, size_t len, int64_t now_ms)
{
	struct host *h;

	refusal_memory_make_room(m, now_ms);
	h = xmalloc(sizeof(*h) + len + 1);
	memcpy(h->name, name, len + 1);
	h->born_ms = now_ms;
	for (int i = 0; i < MODE_COUNT; i++)
		h->last_ms[i] = NEVER;
	hmap_insert(&m->map, &h->node, hash);
	list_add_newest(m, h);
	return h;
}

void refusal_memory_note(struct refusal_memory *m, const char *name, enum mode alone, int64_t now_ms)
{
	size_t len = strlen(name);
	uint64_t hash = hmap_hash(&m->map, name, len);
	struct host *h = refusal_memory_find(m, hash, name);

	if (!h)
		h = host_new(m, hash, name, len, now_ms);
	h->last_ms[alone] = now_ms;
	refusal_memory_list_remove(m, h);
	list_add_newest(m, h);
}

static bool lately(const struct host *h, enum mode mode, int64_t now_ms)
{
	return now_ms - h->last_ms[mode] < OTHERS_LATELY_MS;
}

unsigned refusal_memory_modes(struct refusal_memory *m, const char *name, int64_t now_ms)
{
	struct host *h = refusal_memory_find(m, hmap_hash(&m->map, name, strlen(name)), name);

	if (!h || lately(h, MODE_OPPORTUNISTIC, now_ms))
		return 0;
	/* a host that is newer than that may be one of those forgotten, come back */
	if (h->born_ms >= m->forgotten_ms && now_ms - m->forgotten_ms < OTHERS_LATELY_MS)
		return 0;
	return (unsigned)lately(h, MODE_ENFORCED, now_ms) << MODE_ENFORCED | (unsigned)lately(h, MODE_VERIFIED, now_ms)
										 << MODE_VERIFIED;
}

size_t refusal_memory_count(const struct refusal_memory *m)
{
	return m->map.count;
}
