/*
 * settings_closest.c - which settings hold for a sender or a destination: each field from the closest key that has it.
 *
 * Not here: the table (settings.c) and what the settings do to an answer (decide). Changes and allocates nothing.
 */
#include "core/settings_entry.h"

#include <string.h>

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
static const struct settings_entry *on_rung(const struct settings *s, enum setting_kind kind, const char *name,
					    int64_t now_ms)
{
	const struct settings_entry *e = settings_entry_find(s, kind, name);

	return e && !settings_entry_ended(e, now_ms) ? e : NULL;
}

static void ends_by(int64_t *until_ms, const struct settings_entry *e)
{
	if (e->ends_at_ms != 0 && e->ends_at_ms < *until_ms)
		*until_ms = e->ends_at_ms;
}

/* The fields that E is the first to have; they count as seen now, and E's end bounds the answer. */
static unsigned fresh(const struct settings_entry *e, unsigned *seen, int64_t *until_ms)
{
	unsigned fields = e->has & ~*seen & ~(unsigned)SETTING_HAS_NOTE;

	*seen |= fields;
	if (fields)
		ends_by(until_ms, e);
	return fields;
}

/* How much of E nobody understands, but for its mode, which is told apart. */
static unsigned not_understood(const struct settings_entry *e)
{
	unsigned count = e->unknown;

	for (unsigned bad = e->bad & ~(unsigned)SETTING_HAS_MODE; bad != 0; bad &= bad - 1)
		count++;
	return count;
}

static void take_text(char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	to[len] = '\0';
}

void settings_sender(const struct settings *s, const char *domain, int64_t now_ms, struct sender_setting *out)
{
	const struct settings_entry *e;
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
		out->not_understood += not_understood(e);
		if (fields & SETTING_HAS_MODE) {
			out->mode = (enum mode)e->mode;
			out->mode_bad = (e->bad & SETTING_HAS_MODE) != 0;
			take_text(out->mode_key, e->text, e->name_len);
		}
		if (fields & SETTING_HAS_VIA) {
			take_text(out->via, settings_entry_via(e), e->via_len);
			take_text(out->via_key, e->text, e->name_len);
		}
	}
}

static void take_rcpt(struct dest_setting *out, const struct settings_entry *e, unsigned fields)
{
	if (fields & SETTING_HAS_MODE) {
		out->mode = (enum mode)e->mode;
		out->mode_bad = (e->bad & SETTING_HAS_MODE) != 0;
		take_text(out->mode_key, e->text, e->name_len);
	}
	if (fields & SETTING_HAS_MATCH) {
		out->has_match = true;
		take_text(out->match, settings_entry_match(e), e->match_len);
		take_text(out->match_key, e->text, e->name_len);
	}
}

static void take_except(struct dest_setting *out, const struct settings_entry *e, unsigned fields)
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
	const struct settings_entry *e;
	unsigned seen = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!(e = on_rung(s, kind, l->rung[i], now_ms)))
			continue;
		if (i + 1 < l->count) {
			out->named = true;
			ends_by(&out->valid_until_ms, e);
		}
		unsigned fields = fresh(e, &seen, &out->valid_until_ms);
		out->not_understood += not_understood(e);
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
		out->mode_bad = false;
		memcpy(out->mode_key, out->match_key, sizeof(out->mode_key));
	}
}

static void tell_names(const struct ladder *l, enum setting_kind kind, settings_name_fn *fn, void *arg)
{
	for (size_t i = 0; i < l->count; i++)
		fn(kind, l->rung[i], arg);
}

void settings_sender_names(const char *domain, settings_name_fn *fn, void *arg)
{
	struct ladder l;

	sender_ladder(&l, domain);
	tell_names(&l, SETTING_SENDER, fn, arg);
}

void settings_dest_names(const struct nexthop *dest, settings_name_fn *fn, void *arg)
{
	char bracketed[NEXTHOP_SIZE];
	struct ladder l;

	dest_ladder(&l, dest, bracketed);
	tell_names(&l, SETTING_RCPT, fn, arg);
	tell_names(&l, SETTING_EXCEPT, fn, arg);
}
