/*
 * key_set.c - settings keys in a hash table (key_set.h).
 */
#include "io/mirror/key_set.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash(const struct key_set *s, enum setting_kind kind, const char *name)
{
	return hmap_hash(&s->map, name, strlen(name)) + kind;
}

void key_set_init(struct key_set *s, size_t size, size_t at)
{
	hmap_init(&s->map, 0);
	slab_init(&s->slab, 0);
	s->size = size;
	s->at = at;
}

void key_set_fini(struct key_set *s)
{
	hmap_fini(&s->map);
	slab_fini(&s->slab);
}

struct key *key_set_find(const struct key_set *s, enum setting_kind kind, const char *name)
{
	for (struct hmap_node *n = hmap_first(&s->map, hash(s, kind, name)); n; n = hmap_next(n)) {
		struct key *k = hmap_entry(n, struct key, node);

		if (k->kind == kind && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

struct key *key_set_add(struct key_set *s, enum setting_kind kind, const char *name)
{
	size_t len = strlen(name);
	slab_ref ref = slab_alloc(&s->slab, s->size + len + 1);
	char *block;
	struct key *key;

	if (ref == 0)
		abort(); /* more than 64 GB of keys */
	block = slab_at(&s->slab, ref);
	memset(block, 0, s->size);
	memcpy(block + s->size, name, len + 1);
	key = (struct key *)(void *)(block + s->at);
	key->name = block + s->size;
	key->ref = ref;
	key->kind = (uint8_t)kind;
	hmap_insert(&s->map, &key->node, hash(s, kind, name));
	return key;
}

void key_set_hide(struct key_set *s, struct key *key)
{
	if (!key->hidden)
		hmap_remove(&s->map, &key->node);
	key->hidden = true;
}

void key_set_remove(struct key_set *s, struct key *key)
{
	key_set_hide(s, key);
	slab_free(&s->slab, key->ref);
}
