/*
 * settings.c - the table of all settings (PRODUCT.md "Settings in Redis").
 *
 * Not here: how a key is read (setting.c), which keys answer a question (settings_closest.c), where keys come from and
 * what changes them (io/mirror). Entries are compact: there may be a million, most of them nothing but a mode. Look-ups
 * change and allocate nothing: many threads read under a read lock.
 */
#include "core/settings_entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct settings {
	struct hmap map[SETTING_KINDS];
};

static struct settings_entry *entry_new(const char *name, const struct setting *v)
{
	size_t name_len = strlen(name), via_len = strlen(v->via), match_len = strlen(v->match);
	struct settings_entry *e = xmalloc(sizeof(*e) + name_len + via_len + match_len + 3);

	e->ends_at_ms = v->ends_at_ms;
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
	return e;
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

struct settings_entry *settings_entry_find(const struct settings *s, enum setting_kind kind, const char *name)
{
	const struct hmap *map = &s->map[kind];
	size_t len = strlen(name);

	for (struct hmap_node *n = hmap_first(map, hmap_hash(map, name, len)); n; n = hmap_next(n)) {
		struct settings_entry *e = hmap_entry(n, struct settings_entry, node);
		if (e->name_len == len && memcmp(e->text, name, len) == 0)
			return e;
	}
	return NULL;
}

/* ---- the table ---- */

struct settings *settings_new(void)
{
	struct settings *s = xmalloc(sizeof(*s));

	for (int kind = 0; kind < SETTING_KINDS; kind++)
		hmap_init(&s->map[kind], 0);
	return s;
}

static void free_entry(struct hmap_node *node, void *arg)
{
	(void)arg;
	free(hmap_entry(node, struct settings_entry, node));
}

void settings_free(struct settings **s)
{
	if (!*s)
		return;
	for (int kind = 0; kind < SETTING_KINDS; kind++) {
		hmap_each(&(*s)->map[kind], free_entry, NULL);
		hmap_fini(&(*s)->map[kind]);
	}
	free(*s);
	*s = NULL;
}

bool settings_free_some(struct settings **s, size_t *at, size_t count)
{
	for (int kind = 0; kind < SETTING_KINDS; kind++) {
		if ((*s)->map[kind].count == 0)
			continue;
		if (!hmap_drain(&(*s)->map[kind], at, count, free_entry, NULL))
			*at = 0;
		return true;
	}
	settings_free(s);
	return false;
}

void settings_put(struct settings *s, enum setting_kind kind, const char *name, const struct setting *value)
{
	struct hmap *map = &s->map[kind];
	struct settings_entry *e = entry_new(name, value);

	settings_remove(s, kind, name);
	hmap_insert(map, &e->node, hmap_hash(map, name, e->name_len));
}

bool settings_remove(struct settings *s, enum setting_kind kind, const char *name)
{
	struct settings_entry *e = settings_entry_find(s, kind, name);

	if (!e)
		return false;
	hmap_remove(&s->map[kind], &e->node);
	free(e);
	return true;
}

bool settings_get(const struct settings *s, enum setting_kind kind, const char *name, struct setting *out)
{
	const struct settings_entry *e = settings_entry_find(s, kind, name);

	if (e)
		entry_read(e, out);
	else
		setting_init(out);
	return e != NULL;
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

struct each {
	enum setting_kind kind;
	void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg);
	void *arg;
};

static void each_entry(const struct hmap_node *node, void *arg)
{
	const struct settings_entry *e = hmap_entry(node, struct settings_entry, node);
	const struct each *w = arg;
	struct setting value;

	entry_read(e, &value);
	w->fn(w->kind, e->text, &value, w->arg);
}

void settings_each(const struct settings *s,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg)
{
	struct settings_walk w = {0};

	while (settings_walk(s, &w, SIZE_MAX, fn, arg))
		;
}

bool settings_walk(const struct settings *s, struct settings_walk *w, size_t count,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg)
{
	struct each e = {(enum setting_kind)w->kind, fn, arg};
	struct hmap_walk at = {w->at, w->shape};
	bool more = hmap_walk(&s->map[w->kind], &at, count, each_entry, &e);

	w->at = more ? at.at : 0;
	w->shape = more ? at.shape : 0;
	w->kind += !more;
	return w->kind < SETTING_KINDS;
}

bool settings_guard_trips(size_t had, size_t gone, unsigned guard_percent)
{
	return had >= 10 && gone * 100 > had * guard_percent;
}
