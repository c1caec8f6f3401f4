/*
 * verdict_store.c - see verdict_store.h.
 */
#include "mapd/maps/verdict_store.h"

#include <stdbool.h>
#include <string.h>

#include "base/siphash.h"

#define SHARED_MAX 128 /* octets: longer lines name a domain's own hosts */

void verdict_store_init(struct verdict_store *s)
{
	memset(s, 0, sizeof(*s));
	siphash_make_key(s->key);
	slab_init(&s->slab, 0);
}

void verdict_store_fini(struct verdict_store *s)
{
	slab_fini(&s->slab);
}

slab_ref verdict_block_new(struct verdict_store *s, size_t size)
{
	slab_ref ref = slab_alloc(&s->slab, size);

	if (ref)
		s->bytes += slab_size(size);
	return ref;
}

void verdict_block_free(struct verdict_store *s, slab_ref ref, size_t size)
{
	s->bytes -= slab_size(size);
	slab_free(&s->slab, ref);
}

/* ---- lines ---- */

void verdict_text_drop(struct verdict_store *s, slab_ref *ref)
{
	struct verdict_text *t;

	if (*ref == 0)
		return;
	t = slab_at(&s->slab, *ref);
	if (--t->owners == 0)
		verdict_block_free(s, *ref, sizeof(*t) + t->len);
	*ref = 0;
}

static slab_ref text_new(struct verdict_store *s, const char *text, size_t len)
{
	slab_ref ref = verdict_block_new(s, sizeof(struct verdict_text) + len);
	struct verdict_text *t;

	if (ref == 0)
		return 0;
	t = slab_at(&s->slab, ref);
	t->owners = 1;
	t->len = (uint32_t)len;
	memcpy(t->text, text, len);
	return ref;
}

static bool is_text(const struct verdict_store *s, slab_ref ref, const char *text, size_t len)
{
	const struct verdict_text *t = ref ? verdict_text_at(s, ref) : NULL;

	return t && t->len == len && memcmp(t->text, text, len) == 0;
}

slab_ref verdict_text_get(struct verdict_store *s, const char *text, size_t len)
{
	slab_ref *slot;

	if (len > SHARED_MAX)
		return text_new(s, text, len);
	slot = &s->shared[siphash13(s->key, text, len) & (VERDICT_SHARED_LINES - 1)];
	if (!is_text(s, *slot, text, len)) {
		verdict_text_drop(s, slot);
		*slot = text_new(s, text, len);
	}
	if (*slot)
		((struct verdict_text *)slab_at(&s->slab, *slot))->owners++;
	return *slot;
}
