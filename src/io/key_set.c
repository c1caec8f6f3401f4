/*
 * key_set.c - settings keys in a hash table (key_set.h).
 */
#include "io/key_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static uint64_t hash(const struct key_set *s, enum setting_kind kind, const char *name)
{
	return hmap_hash(&s->map, name, strlen(name)) + kind;
}

void key_set_init(struct key_set *s)
{
	hmap_init(&s->map, 0);
}

void key_set_fini(struct key_set *s)
{
	hmap_fini(&s->map);
}

struct key *key_set_find(const struct key_set *s, enum setting_kind kind, const char *name)
{
	struct hmap_node *n;

	for (n = hmap_first(&s->map, hash(s, kind, name)); n != NULL; n = hmap_next(n)) {
		struct key *k = hmap_entry(n, struct key, node);

		if (k->kind == kind && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

void key_set_add(struct key_set *s, struct key *key, enum setting_kind kind, const char *name)
{
	key->kind = kind;
	key->name = xstrdup(name);
	hmap_insert(&s->map, &key->node, hash(s, kind, name));
}

void key_set_remove(struct key_set *s, struct key *key)
{
	hmap_remove(&s->map, &key->node);
	free(key->name);
	key->name = NULL;
}
