/*
 * hmap.c - hash table of embedded nodes; keyed, grown a few buckets at a time.
 */
#include "base/hmap.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define SIZE_MIN 16
#define MOVE_STEP 8 /* buckets moved per change while growing: done long before the next growth is due */

void hmap_init(struct hmap *m, size_t expected)
{
	memset(m, 0, sizeof(*m));
	siphash_make_key(m->key);
	m->size[0] = SIZE_MIN;
	while (m->size[0] < expected)
		m->size[0] *= 2;
	m->table[0] = xcalloc(m->size[0], sizeof(m->table[0][0]));
}

void hmap_fini(struct hmap *m)
{
	free(m->table[0]);
	free(m->table[1]);
	memset(m, 0, sizeof(*m));
}

uint64_t hmap_hash(const struct hmap *m, const void *bytes, size_t len)
{
	return siphash13(m->key, bytes, len);
}

/* The chain of HASH: in the new table when its old bucket has been moved already. */
static inline struct hmap_node **bucket(const struct hmap *m, uint64_t hash)
{
	size_t old = hash & (m->size[0] - 1);

	if (m->table[1] && old < m->moved)
		return &m->table[1][hash & (m->size[1] - 1)];
	return &m->table[0][old];
}

struct hmap_node *hmap_first(const struct hmap *m, uint64_t hash)
{
	struct hmap_node *n;

	for (n = *bucket(m, hash); n && n->hash != hash; n = n->next)
		;
	return n;
}

struct hmap_node *hmap_next(const struct hmap_node *node)
{
	struct hmap_node *n;

	for (n = node->next; n && n->hash != node->hash; n = n->next)
		;
	return n;
}

static void move_bucket(struct hmap *m)
{
	struct hmap_node *next;
	struct hmap_node **to;

	for (struct hmap_node *n = m->table[0][m->moved]; n; n = next) {
		next = n->next;
		to = &m->table[1][n->hash & (m->size[1] - 1)];
		n->next = *to;
		*to = n;
	}
	m->table[0][m->moved] = NULL;
	m->moved++;
}

static void end_growth(struct hmap *m)
{
	free(m->table[0]);
	m->table[0] = m->table[1];
	m->size[0] = m->size[1];
	m->table[1] = NULL;
	m->size[1] = 0;
	m->moved = 0;
}

/* Moves a few buckets on, or begins to grow when the chains get long. calloc() of a large table is a mapping of zero
 * pages: the pages are touched only as buckets arrive. */
static void step(struct hmap *m)
{
	if (!m->table[1]) {
		if (m->count < m->size[0])
			return;
		m->size[1] = m->size[0] * 2;
		m->table[1] = xcalloc(m->size[1], sizeof(m->table[1][0]));
	}
	for (int i = 0; i < MOVE_STEP && m->moved < m->size[0]; i++)
		move_bucket(m);
	if (m->moved == m->size[0])
		end_growth(m);
}

void hmap_insert(struct hmap *m, struct hmap_node *node, uint64_t hash)
{
	struct hmap_node **to;

	step(m);
	to = bucket(m, hash);
	node->hash = hash;
	node->next = *to;
	*to = node;
	m->count++;
}

void hmap_remove(struct hmap *m, struct hmap_node *node)
{
	struct hmap_node **at = bucket(m, node->hash);

	while (*at != node) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	m->count--;
	if (m->table[1])
		step(m);
}

static void each_in(struct hmap_node **table, size_t size, void (*fn)(struct hmap_node *, void *), void *arg)
{
	struct hmap_node *next;

	for (size_t i = 0; i < size; i++)
		for (struct hmap_node *n = table[i]; n; n = next) {
			next = n->next;
			fn(n, arg);
		}
}

void hmap_each(struct hmap *m, void (*fn)(struct hmap_node *node, void *arg), void *arg)
{
	while (m->table[1]) /* one table only, so that a removal in FN moves nothing */
		step(m);
	each_in(m->table[0], m->size[0], fn, arg);
}
