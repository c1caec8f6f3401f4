/*
 * key_set.h - settings keys (kind and canonical name) in a keyed hash table; for the mirror's own books (reads, ends,
 * losses).
 *
 * The caller embeds a struct key in what he keeps of a key; the set gives him the memory for it, name and all, from a
 * slab of its own: a flood of keys that is over leaves no holes in the heap. One thread.
 */
#ifndef TLSMODE_IO_KEY_SET_H
#define TLSMODE_IO_KEY_SET_H

#include "base/hmap.h"
#include "base/slab.h"
#include "core/settings.h"

struct key {
	struct hmap_node node;
	const char *name; /* behind the caller's struct */
	slab_ref ref;
	uint8_t kind; /* enum setting_kind */
	bool hidden;
};

struct key_set {
	struct hmap map;
	struct slab slab;
	size_t size, at; /* of the caller's struct; where struct key is in it */
};

#define KEY_SET_INIT(set, type, member) key_set_init((set), sizeof(type), offsetof(type, member))
void key_set_init(struct key_set *s, size_t size, size_t at);
void key_set_fini(struct key_set *s); /* with all keys */
struct key *key_set_find(const struct key_set *s, enum setting_kind kind, const char *name);
/* A new struct of the caller's, all zero but for its key; there must be none of that name. */
struct key *key_set_add(struct key_set *s, enum setting_kind kind, const char *name);
/* It is no longer found nor counted, and its name may be added anew; it stays until key_set_remove(). */
void key_set_hide(struct key_set *s, struct key *key);
void key_set_remove(struct key_set *s, struct key *key); /* frees it */
static inline size_t key_set_count(const struct key_set *s)
{
	return s->map.count;
}

#endif
