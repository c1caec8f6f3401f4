/*
 * heap.h - what comes first by time: a binary heap of embedded nodes that know their place, so that each can move or go.
 *
 * Pure bookkeeping: no clock. Users: mapd/resolve/due.c (timers), io/mirror/expiry.c (ends of settings).
 */
#ifndef TLSMODE_BASE_HEAP_H
#define TLSMODE_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t at;
	size_t place; /* from 1; 0: in no heap */
};

struct heap {
	struct heap_node **node; /* node[1] is the first */
	size_t count, room;
};

#define heap_entry(n, type, member) ((type *)(void *)((char *)(n)-offsetof(type, member)))

void heap_init(struct heap *h);
/* Forgets all nodes: each is in no heap afterwards. They are the caller's. */
void heap_fini(struct heap *h);

/* N stands at AT from now on, whether or not it was in H before. */
void heap_set(struct heap *h, struct heap_node *n, int64_t at);
void heap_remove(struct heap *h, struct heap_node *n); /* allowed when it is in none */
/* The one with the smallest AT; NULL: H is empty. */
struct heap_node *heap_first(const struct heap *h);

#endif
