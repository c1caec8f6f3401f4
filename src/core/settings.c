/*
 * settings.c - the table of all settings (doc/design.md, "Settings in Redis").
 *
 * Not here: how a key is read (setting.c), which keys answer a question (settings_closest.c), where keys come from and
 * what changes them (io/mirror). Entries are compact: there may be a million, most of them nothing but a mode. Look-ups
 * change and allocate nothing: many threads read under a read lock.
 */
#include "core/settings_entry.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/refmap.h"
#include "base/slab.h"
#include "base/xalloc.h"

struct settings {
	struct slab slab;
	struct refmap map[SETTING_KINDS];
};

static struct settings_entry *entry_at(const struct settings *s, slab_ref ref)
{
	return slab_at(&s->slab, ref);
}

static uint32_t hash_of(slab_ref ref, const void *settings)
{
	return entry_at(settings, ref)->hash;
}

static slab_ref entry_new(struct settings *s, uint32_t hash, const char *name, const struct setting *v)
{
	size_t name_len = strlen(name), via_len = strlen(v->via), match_len = strlen(v->match);
	slab_ref ref = slab_alloc(&s->slab, offsetof(struct settings_entry, text) + name_len + via_len + match_len + 3);
	struct settings_entry *e = entry_at(s, ref);

	e->ends_at_ms = v->ends_at_ms;
	e->hash = hash;
	e->name_len = (uint16_t)name_len;
	e->via_len = (uint8_t)via_len;
	e->match_len = (uint16_t)match_len;
	e->has = (uint8_t)v->has;
	e->bad = (uint8_t)v->bad;
	e->unknown = v->unknown > UINT8_MAX ? UINT8_MAX : (uint8_t)v->unknown;
	e->mode = (uint8_t)v->mode & 0xf;
	e->dane_ignore = v->dane_ignore;
	e->sts_ignore = v->sts_ignore;
	e->plaintext_allow = v->plaintext_allow;
	e->for_all = v->for_all;
	memcpy(e->text, name, name_len + 1);
	memcpy(e->text + name_len + 1, v->via, via_len + 1);
	memcpy(e->text + name_len + via_len + 2, v->match, match_len + 1);
	return ref;
}

static void entry_read(const struct settings_entry *e, struct setting *out)
{
	out->has = e->has;
	out->bad = e->bad;
	out->unknown = e->unknown;
	out->mode = (enum mode)e->mode;
	out->dane_ignore = e->dane_ignore;
	out->sts_ignore = e->sts_ignore;
	out->plaintext_allow = e->plaintext_allow;
	out->for_all = e->for_all;
	memcpy(out->via, settings_entry_via(e), e->via_len + 1u);
	memcpy(out->match, settings_entry_match(e), e->match_len + 1u);
	out->ends_at_ms = e->ends_at_ms;
}

static slab_ref settings_find(const struct settings *s, enum setting_kind kind, const char *name, size_t len)
{
	const struct refmap *map = &s->map[kind];
	struct refmap_find f;

	for (slab_ref ref = refmap_first(map, refmap_hash(map, name, len), &f); ref; ref = refmap_next(map, &f)) {
		const struct settings_entry *e = entry_at(s, ref);

		if (e->name_len == len && memcmp(e->text, name, len) == 0)
			return ref;
	}
	return 0;
}

const struct settings_entry *settings_entry_find(const struct settings *s, enum setting_kind kind, const char *name)
{
	slab_ref ref = settings_find(s, kind, name, strlen(name));

	return ref ? entry_at(s, ref) : NULL;
}

/* ---- the table ---- */

struct settings *settings_new(void)
{
	struct settings *s = xmalloc(sizeof(*s));

	slab_init(&s->slab, 0);
	for (int kind = 0; kind < SETTING_KINDS; kind++)
		refmap_init(&s->map[kind], hash_of, s);
	return s;
}

void settings_free(struct settings **s)
{
	if (!*s)
		return;
	for (int kind = 0; kind < SETTING_KINDS; kind++)
		refmap_fini(&(*s)->map[kind]);
	slab_fini(&(*s)->slab);
	free(*s);
	*s = NULL;
}

void settings_put(struct settings *s, enum setting_kind kind, const char *name, const struct setting *value)
{
	struct refmap *map = &s->map[kind];
	uint32_t hash = refmap_hash(map, name, strlen(name));

	settings_remove(s, kind, name);
	refmap_insert(map, hash, entry_new(s, hash, name, value));
}

bool settings_remove(struct settings *s, enum setting_kind kind, const char *name)
{
	slab_ref ref = settings_find(s, kind, name, strlen(name));

	if (!ref)
		return false;
	refmap_remove(&s->map[kind], entry_at(s, ref)->hash, ref);
	slab_free(&s->slab, ref);
	return true;
}

bool settings_get(const struct settings *s, enum setting_kind kind, const char *name, struct setting *out)
{
	const struct settings_entry *e = settings_entry_find(s, kind, name);

	if (e)
		entry_read(e, out);
	else
		setting_init(out);
	return e;
}

size_t settings_count_kind(const struct settings *s, enum setting_kind kind)
{
	return s->map[kind].count;
}

size_t settings_count(const struct settings *s)
{
	size_t count = 0;

	for (int kind = 0; kind < SETTING_KINDS; kind++)
		count += settings_count_kind(s, (enum setting_kind)kind);
	return count;
}

size_t settings_octets(const struct settings *s)
{
	size_t octets = s->slab.mapped;

	for (int kind = 0; kind < SETTING_KINDS; kind++)
		octets += refmap_octets(&s->map[kind]);
	return octets;
}

void settings_each(const struct settings *s,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg)
{
	struct settings_walk w = {0};

	while (settings_walk(s, &w, SIZE_MAX, fn, arg))
		;
}

/* For whom a walk meets entries. */
struct settings_visit {
	const struct settings *s;
	enum setting_kind kind;
	size_t met;
	void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg);
	void *arg;
};

static void visit_entry(slab_ref ref, void *arg)
{
	struct settings_visit *v = arg;
	const struct settings_entry *e = entry_at(v->s, ref);
	struct setting value;

	entry_read(e, &value);
	v->met++;
	v->fn(v->kind, e->text, &value, v->arg);
}

/* Entries move to higher buckets only, when the table grows: none that stays is missed. */
bool settings_walk(const struct settings *s, struct settings_walk *w, size_t count,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg)
{
	struct settings_visit v = {.s = s, .kind = (enum setting_kind)w->kind, .fn = fn, .arg = arg};
	bool end = false;

	while (v.met < count && !end)
		end = refmap_turn(&s->map[v.kind], &w->at, visit_entry, &v);
	if (end) {
		w->at = 0;
		w->kind++;
	}
	return w->kind < SETTING_KINDS;
}
