/*
 * expiry.c - when temporary settings end (expiry.h).
 */
#include "io/mirror/expiry.h"

#include <stdio.h>

struct end {
	struct key key;
	struct heap_node node;
};

static struct end *end_of(struct key *key)
{
	return hmap_entry(key, struct end, key);
}

void expiry_init(struct expiry *e)
{
	heap_init(&e->heap);
	KEY_SET_INIT(&e->keys, struct end, key);
}

static void drop(struct expiry *e, struct end *x)
{
	heap_remove(&e->heap, &x->node);
	key_set_remove(&e->keys, &x->key);
}

bool expiry_set(struct expiry *e, enum setting_kind kind, const char *name, int64_t at_ms)
{
	int64_t first = expiry_first_ms(e);
	struct key *k = key_set_find(&e->keys, kind, name);

	if (at_ms != 0)
		heap_set(&e->heap, &end_of(k ? k : key_set_add(&e->keys, kind, name))->node, at_ms);
	else if (k)
		drop(e, end_of(k));
	return expiry_first_ms(e) != first;
}

int64_t expiry_first_ms(const struct expiry *e)
{
	const struct heap_node *first = heap_first(&e->heap);

	return first ? first->at : INT64_MAX;
}

bool expiry_take(struct expiry *e, int64_t now_ms, enum setting_kind *kind, char name[SETTING_NAME_SIZE])
{
	struct heap_node *first = heap_first(&e->heap);
	struct end *x;

	if (!first || first->at > now_ms)
		return false;
	x = heap_entry(first, struct end, node);
	*kind = (enum setting_kind)x->key.kind;
	snprintf(name, SETTING_NAME_SIZE, "%s", x->key.name);
	drop(e, x);
	return true;
}

void expiry_fini(struct expiry *e)
{
	heap_fini(&e->heap);
	key_set_fini(&e->keys);
}
