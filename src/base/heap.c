/*
 * heap.c - a binary heap (heap.h).
 */
#include "base/heap.h"

#include <stdlib.h>

#include "base/xalloc.h"

#define ROOM_FIRST 64

static void put(struct heap *h, size_t place, struct heap_node *n)
{
	h->node[place] = n;
	n->place = place;
}

static void sift_up(struct heap *h, size_t place, struct heap_node *n)
{
	for (; place > 1 && h->node[place / 2]->at > n->at; place /= 2)
		put(h, place, h->node[place / 2]);
	put(h, place, n);
}

static void sift_down(struct heap *h, size_t place, struct heap_node *n)
{
	size_t child;

	for (; (child = place * 2) <= h->count; place = child) {
		if (child < h->count && h->node[child + 1]->at < h->node[child]->at)
			child++;
		if (h->node[child]->at >= n->at)
			break;
		put(h, place, h->node[child]);
	}
	put(h, place, n);
}

/* N goes where it belongs; the hole at PLACE is its to fill. */
static void settle(struct heap *h, size_t place, struct heap_node *n)
{
	if (place > 1 && h->node[place / 2]->at > n->at)
		sift_up(h, place, n);
	else
		sift_down(h, place, n);
}

static size_t add_place(struct heap *h)
{
	if (h->count + 1 >= h->room) {
		h->room = h->room ? h->room * 2 : ROOM_FIRST;
		h->node = xrealloc(h->node, h->room * sizeof(*h->node));
	}
	return ++h->count;
}

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
	for (size_t i = 1; i <= h->count; i++)
		h->node[i]->place = 0;
	free(h->node);
	heap_init(h);
}

void heap_set(struct heap *h, struct heap_node *n, int64_t at)
{
	n->at = at;
	settle(h, n->place > 0 ? n->place : add_place(h), n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	size_t hole = n->place;
	struct heap_node *last;

	if (hole == 0)
		return;
	n->place = 0;
	last = h->node[h->count--];
	if (last != n)
		settle(h, hole, last);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count > 0 ? h->node[1] : NULL;
}
