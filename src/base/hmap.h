/*
 * hmap.h - hash table of nodes that the caller embeds in its own structs; keyed, and grown a little at every step.
 *
 * Keyed with SipHash-1-3 and a random key per table: names come from strangers. Growth moves a few buckets per
 * insert or removal (never at a look-up, so that readers under a read lock change nothing), so no call takes long.
 * All nodes of one hash value stand in one chain at any time: walk them with hmap_first() and hmap_next().
 */
#ifndef TLSMODE_BASE_HMAP_H
#define TLSMODE_BASE_HMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

struct hmap_node {
	struct hmap_node *next;
	uint64_t hash;
};

struct hmap {
	struct hmap_node **table[2]; /* [1] only while growing */
	size_t size[2];              /* buckets, a power of two; 0: none */
	size_t moved;                /* buckets of table[0] already moved to table[1] */
	size_t count;                /* nodes */
	uint64_t key[2];
};

/* Gets the struct that embeds NODE as MEMBER. */
#define hmap_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void hmap_init(struct hmap *m, size_t expected);
void hmap_fini(struct hmap *m); /* frees the tables; the nodes are the caller's */
uint64_t hmap_hash(const struct hmap *m, const void *bytes, size_t len);
struct hmap_node *hmap_first(const struct hmap *m, uint64_t hash);       /* first node with that hash, or NULL */
struct hmap_node *hmap_next(const struct hmap_node *node);               /* next node with the same hash, or NULL */
void hmap_insert(struct hmap *m, struct hmap_node *node, uint64_t hash); /* does not look for equals */
void hmap_remove(struct hmap *m, struct hmap_node *node);                /* NODE must be in M */

/* Calls FN for every node, in no order. FN may remove or free the node it is given, and no other; nothing may be
 * inserted. Ends a growth first, so it is a change of M, not a mere reading. */
void hmap_each(struct hmap *m, void (*fn)(struct hmap_node *node, void *arg), void *arg);

#endif
