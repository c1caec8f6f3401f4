/*
 * key_set.h - settings keys (kind and canonical name) in a hash table; for the mirror's own books (reads, ends,
 * losses).
 *
 * The caller embeds a struct key in what he keeps of a key. One thread.
 */
#ifndef TLSMODE_IO_KEY_SET_H
#define TLSMODE_IO_KEY_SET_H

#include "base/hmap.h"
#include "core/settings.h"

struct key {
	struct hmap_node node;
	enum setting_kind kind;
	char *name; /* owned */
};

struct key_set {
	struct hmap map;
};

void key_set_init(struct key_set *s);
void key_set_fini(struct key_set *s); /* the keys are the caller's */
struct key *key_set_find(const struct key_set *s, enum setting_kind kind, const char *name);
/* Fills KEY with a copy of NAME and adds it; there must be none of that name. */
void key_set_add(struct key_set *s, struct key *key, enum setting_kind kind, const char *name);
void key_set_remove(struct key_set *s, struct key *key); /* frees its name */
static inline size_t key_set_count(const struct key_set *s)
{
	return s->map.count;
}

#endif
