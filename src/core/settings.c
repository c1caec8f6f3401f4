/*
 * settings.c - the table of all settings and the merge of the closest keys (PRODUCT.md "Settings in Redis").
 *
 * Not here: how a key is read (setting.c), where keys come from and what changes them (io/mirror). Entries are compact:
 * there may be a million, most of them nothing but a mode. Look-ups change and allocate nothing: many threads read under
 * a read lock.
 */
#include "core/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"

struct entry {
	struct hmap_node node;
	int64_t ends_at_ms;
	uint16_t name_len, match_len;
	uint8_t via_len, has, bad, unknown;
	uint8_t mode : 4;
	bool dane_ignore : 1, sts_ignore : 1, plaintext_allow : 1, for_all : 1;
	char text[]; /* name, via and match, each with its NUL */
};

struct settings {
	struct hmap map[SETTING_KINDS];
};

static const char *entry_via(const struct entry *e)
{
	return e->text + e->name_len + 1;
}

static const char *entry_match(const struct entry *e)
{
	return entry_via(e) + e->via_len + 1;
}

static struct entry *entry_new(const char *name, const struct setting *v)
{
	size_t name_len = strlen(name), via_len = strlen(v->via), match_len = strlen(v->match);
	struct entry *e = xmalloc(sizeof(*e) + name_len + via_len + match_len + 3);

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

static void entry_read(const struct entry *e, struct setting *out)
{
	setting_init(out);
	out->has = e->has;
	out->bad = e->bad;
	out->unknown = e->unknown;
	out->mode = (enum mode)e->mode;
	out->dane_ignore = e->dane_ignore;
	out->sts_ignore = e->sts_ignore;
	out->plaintext_allow = e->plaintext_allow;
	out->for_all = e->for_all;
	memcpy(out->via, entry_via(e), e->via_len + 1u);
	memcpy(out->match, entry_match(e), e->match_len + 1u);
	out->ends_at_ms = e->ends_at_ms;
}

static struct entry *find(const struct settings *s, enum setting_kind kind, const char *name)
{
	const struct hmap *map = &s->map[kind];
	size_t len = strlen(name);

	for (struct hmap_node *n = hmap_first(map, hmap_hash(map, name, len)); n; n = hmap_next(n)) {
		struct entry *e = hmap_entry(n, struct entry, node);
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
	free(hmap_entry(node, struct entry, node));
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

void settings_put(struct settings *s, enum setting_kind kind, const char *name, const struct setting *value)
{
	struct hmap *map = &s->map[kind];
	struct entry *e = entry_new(name, value);

	settings_remove(s, kind, name);
	hmap_insert(map, &e->node, hmap_hash(map, name, e->name_len));
}

bool settings_remove(struct settings *s, enum setting_kind kind, const char *name)
{
	struct entry *e = find(s, kind, name);

	if (!e)
		return false;
	hmap_remove(&s->map[kind], &e->node);
	free(e);
	return true;
}

bool settings_get(const struct settings *s, enum setting_kind kind, const char *name, struct setting *out)
{
	const struct entry *e = find(s, kind, name);

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

struct walk {
	enum setting_kind kind;
	void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg);
	void *arg;
};

static void walk_entry(struct hmap_node *node, void *arg)
{
	const struct entry *e = hmap_entry(node, struct entry, node);
	const struct walk *w = arg;
	struct setting value;

	entry_read(e, &value);
	w->fn(w->kind, e->text, &value, w->arg);
}

void settings_each(const struct settings *s,
    void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg), void *arg)
{
	for (int kind = 0; kind < SETTING_KINDS; kind++) {
		struct walk w = {(enum setting_kind)kind, fn, arg};
		hmap_each((struct hmap *)&s->map[kind], walk_entry, &w); /* walk_entry() changes nothing */
	}
}

/* ---- a loss that must be confirmed ---- */

static bool ended(int64_t ends_at_ms, int64_t now_ms)
{
	return ends_at_ms != 0 && now_ms >= ends_at_ms;
}

struct vanish {
	const struct settings *in;
	enum setting_kind kind;
	int64_t now_ms;
	size_t count;
};

static void count_vanished(struct hmap_node *node, void *arg)
{
	const struct entry *e = hmap_entry(node, struct entry, node);
	struct vanish *v = arg;

	if (!ended(e->ends_at_ms, v->now_ms) && !find(v->in, v->kind, e->text))
		v->count++;
}

size_t settings_vanished(const struct settings *old, const struct settings *new_, int64_t now_ms)
{
	struct vanish v = {.in = new_, .now_ms = now_ms};

	for (int kind = 0; kind < SETTING_KINDS; kind++) {
		v.kind = (enum setting_kind)kind;
		hmap_each((struct hmap *)&old->map[kind], count_vanished, &v); /* changes nothing */
	}
	return v.count;
}

bool settings_guard_trips(size_t had, size_t gone, unsigned guard_percent)
{
	return had >= 10 && gone * 100 > had * guard_percent;
}

/* ---- the closest keys ---- */

/* The names under which a setting may stand for one question, the closest first. */
struct ladder {
	const char *rung[DOMAIN_MAX / 2 + 6]; /* a name has at most 127 labels */
	size_t count;
};

static void ladder_add(struct ladder *l, const char *name)
{
	l->rung[l->count++] = name;
}

static void ladder_add_domain(struct ladder *l, const char *name)
{
	for (; name; name = domain_parent(name))
		ladder_add(l, name);
}

static void sender_ladder(struct ladder *l, const char *domain)
{
	l->count = 0;
	if (strcmp(domain, "<>") == 0) {
		ladder_add(l, "<>");
		return;
	}
	if (domain[0] != '\0')
		ladder_add_domain(l, domain);
	ladder_add(l, "*");
}

/* BRACKETED is storage for the key without its port. */
static void dest_ladder(struct ladder *l, const struct nexthop *dest, char bracketed[NEXTHOP_SIZE])
{
	const char *close = strchr(dest->key, ']');

	l->count = 0;
	if (dest->key[0] != '\0' && strcmp(dest->key, dest->domain) != 0)
		ladder_add(l, dest->key);
	if (close && close[1] != '\0') {
		size_t len = (size_t)(close - dest->key) + 1;
		memcpy(bracketed, dest->key, len);
		bracketed[len] = '\0';
		ladder_add(l, bracketed);
	}
	if (dest->domain[0] != '\0')
		ladder_add_domain(l, dest->domain);
	ladder_add(l, "*");
}

/* The entry on a rung, unless its end has come. */
static const struct entry *on_rung(const struct settings *s, enum setting_kind kind, const char *name, int64_t now_ms)
{
	const struct entry *e = find(s, kind, name);

	return e && !ended(e->ends_at_ms, now_ms) ? e : NULL;
}

static void ends_by(int64_t *until_ms, const struct entry *e)
{
	if (e->ends_at_ms != 0 && e->ends_at_ms < *until_ms)
		*until_ms = e->ends_at_ms;
}

/* The fields that E is the first to have; they count as seen now, and E's end bounds the answer. */
static unsigned fresh(const struct entry *e, unsigned *seen, int64_t *until_ms)
{
	unsigned fields = e->has & ~*seen & ~(unsigned)SETTING_HAS_NOTE;

	*seen |= fields;
	if (fields)
		ends_by(until_ms, e);
	return fields;
}

static void take_text(char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	to[len] = '\0';
}

void settings_sender(const struct settings *s, const char *domain, int64_t now_ms, struct sender_setting *out)
{
	const struct entry *e;
	struct ladder l;
	unsigned seen = 0;

	memset(out, 0, sizeof(*out));
	out->mode = MODE_OPPORTUNISTIC;
	out->valid_until_ms = INT64_MAX;
	sender_ladder(&l, domain);
	for (size_t i = 0; i < l.count; i++) {
		if (!(e = on_rung(s, SETTING_SENDER, l.rung[i], now_ms)))
			continue;
		unsigned fields = fresh(e, &seen, &out->valid_until_ms);
		if (fields & SETTING_HAS_MODE) {
			out->mode = (enum mode)e->mode;
			out->mode_bad = (e->bad & SETTING_HAS_MODE) != 0;
			take_text(out->mode_key, e->text, e->name_len);
		}
		if (fields & SETTING_HAS_VIA) {
			take_text(out->via, entry_via(e), e->via_len);
			take_text(out->via_key, e->text, e->name_len);
		}
	}
}

static void take_rcpt(struct dest_setting *out, const struct entry *e, unsigned fields)
{
	if (fields & SETTING_HAS_MODE) {
		out->mode = (enum mode)e->mode;
		take_text(out->mode_key, e->text, e->name_len);
	}
	if (fields & SETTING_HAS_MATCH) {
		out->has_match = true;
		take_text(out->match, entry_match(e), e->match_len);
		take_text(out->match_key, e->text, e->name_len);
	}
}

static void take_except(struct dest_setting *out, const struct entry *e, unsigned fields)
{
	bool dane = (fields & SETTING_HAS_DANE) && e->dane_ignore;
	bool sts = (fields & SETTING_HAS_STS) && e->sts_ignore;
	bool plaintext = (fields & SETTING_HAS_PLAINTEXT) && e->plaintext_allow;

	out->dane_ignore |= dane;
	out->sts_ignore |= sts;
	out->plaintext_allow |= plaintext;
	if (fields & SETTING_HAS_FOR)
		out->for_all = e->for_all;
	if ((dane || sts || plaintext) && out->except_key[0] == '\0')
		take_text(out->except_key, e->text, e->name_len);
}

static void climb(const struct settings *s, enum setting_kind kind, const struct ladder *l, int64_t now_ms,
    struct dest_setting *out)
{
	const struct entry *e;
	unsigned seen = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!(e = on_rung(s, kind, l->rung[i], now_ms)))
			continue;
		if (i + 1 < l->count) {
			out->named = true;
			ends_by(&out->valid_until_ms, e);
		}
		unsigned fields = fresh(e, &seen, &out->valid_until_ms);
		if (kind == SETTING_RCPT)
			take_rcpt(out, e, fields);
		else
			take_except(out, e, fields);
	}
}

void settings_dest(const struct settings *s, const struct nexthop *dest, int64_t now_ms, struct dest_setting *out)
{
	char bracketed[NEXTHOP_SIZE];
	struct ladder l;

	memset(out, 0, sizeof(*out));
	out->mode = MODE_OPPORTUNISTIC;
	out->valid_until_ms = INT64_MAX;
	dest_ladder(&l, dest, bracketed);
	climb(s, SETTING_RCPT, &l, now_ms, out);
	climb(s, SETTING_EXCEPT, &l, now_ms, out);
	if (out->has_match && out->mode != MODE_VERIFIED) { /* match implies verified */
		out->mode = MODE_VERIFIED;
		memcpy(out->mode_key, out->match_key, sizeof(out->mode_key));
	}
}
