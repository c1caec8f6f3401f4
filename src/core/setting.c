/*
 * setting.c - one key of the settings, read strictly: the table of fields and the names keys may have.
 *
 * The contract is in settings.h. Not here: the table of all keys and the closest-key merge (settings.c).
 */
#include "core/settings.h"

#include <string.h>

#include "core/sts_policy.h"

#define QUOTE_MAX 40 /* octets of a value that a complaint repeats */

const struct name_code setting_kind_names[] = {
    {"sender", SETTING_SENDER},
    {"rcpt", SETTING_RCPT},
    {"except", SETTING_EXCEPT},
    {NULL, 0},
};

void setting_init(struct setting *s)
{
	memset(s, 0, sizeof(*s));
	s->mode = MODE_OPPORTUNISTIC;
}

/* ---- values: each reader leaves the strict reading in S when it returns false ---- */

static bool is_word(const char *word, const char *value, size_t len)
{
	const struct name_code one[] = {{word, 0}, {NULL, 0}};

	return names_code(one, value, len) == 0;
}

static bool setting_read_mode(struct setting *s, const char *value, size_t len)
{
	int code = names_code(mode_names, value, len);

	s->mode = code < 0 ? MODE_ENFORCED : (enum mode)code;
	return code >= 0;
}

/* The name of a transport in master.cf; the case of its letters counts there. */
static bool read_via(struct setting *s, const char *value, size_t len)
{
	s->via[0] = '\0';
	if (len == 0 || len > SETTING_VIA_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = value[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && (i == 0 || (c != '-' && c != '_' && c != '.')))
			return false;
	}
	memcpy(s->via, value, len);
	s->via[len] = '\0';
	return true;
}

/* These words in Postfix' match= stand for other names: taken as such they would widen it. */
static bool setting_is_keyword(const char *name)
{
	return strcmp(name, "hostname") == 0 || strcmp(name, "nexthop") == 0 || strcmp(name, "dot-nexthop") == 0;
}

/* match-name = ["."] Domain; the same names are fit for it as for an MTA-STS policy, and U-labels may be written */
static bool add_match_name(struct sbuf *out, const char *raw, size_t len)
{
	char name[DOMAIN_SIZE], pattern[DOMAIN_SIZE + 2];
	size_t dot = len > 0 && raw[0] == '.' ? 1 : 0;

	if (domain_canon(name, raw + dot, len - dot) != DOMAIN_OK)
		return false;
	if (!sts_pattern_canon(pattern, sizeof(pattern), name, strlen(name)) || setting_is_keyword(name))
		return false;
	if (out->len > 0)
		sbuf_addc(out, ':');
	sbuf_addn(out, ".", dot);
	sbuf_add(out, name);
	return true;
}

/* match = match-name *(":" match-name) */
static bool read_match(struct setting *s, const char *value, size_t len)
{
	struct sbuf out;
	bool ok = true;

	sbuf_init(&out, s->match, sizeof(s->match));
	for (size_t at = 0, next; ok && at <= len; at = next) {
		const char *colon = at < len ? memchr(value + at, ':', len - at) : NULL;
		size_t end = colon ? (size_t)(colon - value) : len;

		ok = add_match_name(&out, value + at, end - at);
		next = end + 1;
	}
	ok = ok && sbuf_ok(&out);
	if (!ok)
		sbuf_reset(&out);
	return ok;
}

static bool read_dane(struct setting *s, const char *value, size_t len)
{
	s->dane_ignore = is_word("ignore", value, len);
	return s->dane_ignore;
}

static bool read_sts(struct setting *s, const char *value, size_t len)
{
	s->sts_ignore = is_word("ignore", value, len);
	return s->sts_ignore;
}

static bool read_plaintext(struct setting *s, const char *value, size_t len)
{
	s->plaintext_allow = is_word("allow", value, len);
	return s->plaintext_allow;
}

static bool read_for(struct setting *s, const char *value, size_t len)
{
	s->for_all = is_word("all", value, len);
	return s->for_all || is_word("opportunistic", value, len);
}

static bool read_note(struct setting *s, const char *value, size_t len)
{
	(void)s;
	(void)value;
	(void)len;
	return true;
}

/* ---- fields ---- */

#define IN(kind) (1u << (kind))
#define IN_ALL (IN(SETTING_SENDER) | IN(SETTING_RCPT) | IN(SETTING_EXCEPT))

static const struct field {
	const char *name;
	unsigned kinds; /* that have it */
	unsigned has;   /* enum setting_has */
	bool (*read)(struct setting *s, const char *value, size_t len);
	const char *expect;  /* "is not ..." */
	const char *read_as; /* what a bad value means */
} fields[] = {
    {"mode", IN(SETTING_SENDER) | IN(SETTING_RCPT), SETTING_HAS_MODE, setting_read_mode,
     "opportunistic, enforced or verified", "read as enforced"},
    {"via", IN(SETTING_SENDER), SETTING_HAS_VIA, read_via, "a transport name", "ignored"},
    {"match", IN(SETTING_RCPT), SETTING_HAS_MATCH, read_match, "a list of certificate names", "nothing matches"},
    {"dane", IN(SETTING_EXCEPT), SETTING_HAS_DANE, read_dane, "ignore", "no exception"},
    {"sts", IN(SETTING_EXCEPT), SETTING_HAS_STS, read_sts, "ignore", "no exception"},
    {"plaintext", IN(SETTING_EXCEPT), SETTING_HAS_PLAINTEXT, read_plaintext, "allow", "no exception"},
    {"for", IN(SETTING_EXCEPT), SETTING_HAS_FOR, read_for, "opportunistic or all", "read as opportunistic"},
    {"note", IN_ALL, SETTING_HAS_NOTE, read_note, "a short text", "ignored"},
};

static const struct field *find_field(enum setting_kind kind, const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if ((fields[i].kinds & IN(kind)) && strlen(fields[i].name) == len &&
		    memcmp(fields[i].name, name, len) == 0)
			return &fields[i];
	return NULL;
}

/* RAW between quotes, for people: what is not printable ASCII becomes '?', and it is cut. */
static void add_quoted(struct sbuf *out, const char *raw, size_t len)
{
	sbuf_addc(out, '"');
	for (size_t i = 0; i < len && i < QUOTE_MAX; i++)
		sbuf_addc(out, raw[i] >= ' ' && raw[i] <= '~' && raw[i] != '"' ? raw[i] : '?');
	sbuf_add(out, len > QUOTE_MAX ? "...\"" : "\"");
}

bool setting_field(struct setting *s, enum setting_kind kind, const char *field, size_t field_len, const char *value,
		   size_t value_len, char *complaint, size_t complaint_size)
{
	const struct field *f = find_field(kind, field, field_len);
	struct sbuf out;

	sbuf_init(&out, complaint, complaint_size);
	if (!f) {
		s->unknown++;
		sbuf_add(&out, "field ");
		add_quoted(&out, field, field_len);
		sbuf_addf(&out, " has no meaning in %s %s setting: ignored", kind == SETTING_EXCEPT ? "an" : "a",
			  names_name(setting_kind_names, (int)kind));
		return false;
	}
	/* A bad value is in force in its strict reading: it hides what a farther key says. */
	s->has |= f->has;
	s->bad &= ~f->has;
	if (f->read(s, value, value_len <= SETTING_VALUE_MAX ? value_len : 0) && value_len <= SETTING_VALUE_MAX)
		return true;
	s->bad |= f->has;
	if (f->has & (SETTING_HAS_VIA | SETTING_HAS_NOTE))
		s->has &= ~f->has;
	sbuf_addf(&out, "%s ", f->name);
	add_quoted(&out, value, value_len);
	sbuf_addf(&out, " is not %s: %s", f->expect, f->read_as);
	return false;
}

/* ---- names ---- */

static bool domain_name_canon(char *out, const char *raw, size_t len, const char **reason)
{
	size_t dot = len > 1 && raw[0] == '.' ? 1 : 0;
	enum domain_status status = domain_canon(out + dot, raw + dot, len - dot);

	if (status != DOMAIN_OK)
		*reason = domain_status_text(status);
	else if (domain_is_numeric(out + dot))
		*reason = "an address is no sender domain";
	else if (dot)
		out[0] = '.';
	return !*reason;
}

static bool dest_name_canon(char *out, const char *raw, size_t len, const char **reason)
{
	struct nexthop n;

	nexthop_parse(&n, raw, len);
	if (n.key[0] == '\0') {
		*reason = "neither a domain nor a next hop";
		return false;
	}
	memcpy(out, n.key, strlen(n.key) + 1);
	return true;
}

bool setting_name_canon(char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw, size_t len,
			const char **reason)
{
	bool ok = true;

	*reason = NULL;
	if (len == 1 && raw[0] == '*')
		memcpy(out, "*", 2);
	else if (kind == SETTING_SENDER && len == 2 && memcmp(raw, "<>", 2) == 0)
		memcpy(out, "<>", 3);
	else if (kind == SETTING_SENDER)
		ok = domain_name_canon(out, raw, len, reason);
	else
		ok = dest_name_canon(out, raw, len, reason);
	if (!ok)
		out[0] = '\0';
	return ok;
}
