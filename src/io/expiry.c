/*
 * expiry.c - when temporary settings end (expiry.h). A binary heap whose members know their place, so that an end can move.
 */
#include "io/expiry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct end {
	struct key key;
	int64_t at_ms;
	size_t place;
};

static struct end *end_of(struct key *key)
{
	return hmap_entry(key, struct end, key);
}

void expiry_init(struct expiry *e)
{
	*e = (struct expiry){.count = 0};
	KEY_SET_INIT(&e->keys, struct end, key);
}

static void set_place(struct expiry *e, struct end *x, size_t place)
{
	e->heap[place] = x;
	x->place = place;
}

static void sift_up(struct expiry *e, struct end *x)
{
	size_t i = x->place;

	for (; i > 0 && e->heap[(i - 1) / 2]->at_ms > x->at_ms; i = (i - 1) / 2)
		set_place(e, e->heap[(i - 1) / 2], i);
	set_place(e, x, i);
}

static void sift_down(struct expiry *e, struct end *x)
{
	size_t i = x->place, child;

	while ((child = 2 * i + 1) < e->count) {
		if (child + 1 < e->count && e->heap[child + 1]->at_ms < e->heap[child]->at_ms)
			child++;
		if (e->heap[child]->at_ms >= x->at_ms)
			break;
		set_place(e, e->heap[child], i);
		i = child;
	}
	set_place(e, x, i);
}

static void drop(struct expiry *e, struct end *x)
{
	struct end *last = e->heap[--e->count];

	if (last != x) {
		last->place = x->place;
		sift_up(e, last);
		sift_down(e, last);
	}
	key_set_remove(&e->keys, &x->key);
}

static void expiry_add(struct expiry *e, enum setting_kind kind, const char *name, int64_t at_ms)
{
	struct end *x = end_of(key_set_add(&e->keys, kind, name));

	if (e->count == e->size) {
		e->size = e->size ? e->size * 2 : 64;
		e->heap = xrealloc(e->heap, e->size * sizeof(e->heap[0]));
	}
	x->at_ms = at_ms;
	x->place = e->count++;
	sift_up(e, x);
}

bool expiry_set(struct expiry *e, enum setting_kind kind, const char *name, int64_t at_ms)
{
	int64_t first = expiry_first_ms(e);
	struct key *k = key_set_find(&e->keys, kind, name);
	struct end *x = k ? end_of(k) : NULL;

	if (!x && at_ms != 0) {
		expiry_add(e, kind, name, at_ms);
	} else if (x && at_ms == 0) {
		drop(e, x);
	} else if (x) {
		x->at_ms = at_ms;
		sift_up(e, x);
		sift_down(e, x);
	}
	return expiry_first_ms(e) != first;
}

int64_t expiry_first_ms(const struct expiry *e)
{
	return e->count ? e->heap[0]->at_ms : INT64_MAX;
}

bool expiry_take(struct expiry *e, int64_t now_ms, enum setting_kind *kind, char name[SETTING_NAME_SIZE])
{
	if (expiry_first_ms(e) > now_ms)
		return false;
	*kind = (enum setting_kind)e->heap[0]->key.kind;
	snprintf(name, SETTING_NAME_SIZE, "%s", e->heap[0]->key.name);
	drop(e, e->heap[0]);
	return true;
}

void expiry_fini(struct expiry *e)
{
	free(e->heap);
	key_set_fini(&e->keys);
}
