/*
 * sts_policy.c - reads an MTA-STS policy body (RFC 8461 s3.2) and matches MX names against it (s4.1).
 *
 * Not here: where a body comes from (plan, https_curl) and how long it holds (facts). Strict in what may reach a reply,
 * lenient in what is ignored anyway: a publisher whose extension line is odd still gets protection, since to refuse the
 * policy would be to send in the clear.
 */
#include "core/sts_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"
#include "core/domain.h"

#define MX_LINE_MIN 5      /* octets of the shortest mx line: "mx:a" and its end */
#define MAX_AGE_DIGITS 10  /* RFC 8461 s3.2: 1*10DIGIT */

const struct name_code sts_mode_names[] = {
	{"none", STS_NONE},
	{"testing", STS_TESTING},
	{"enforce", STS_ENFORCE},
	{NULL, 0},
};

/* Names that mean something else to Postfix in match= (postconf(5), smtp_tls_verify_cert_match). */
static const char *const postfix_words[] = {"hostname", "nexthop", "dot-nexthop", NULL};

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- patterns ---- */

static bool is_postfix_word(const char *name)
{
	for (size_t i = 0; postfix_words[i]; i++)
		if (strcmp(name, postfix_words[i]) == 0)
			return true;
	return false;
}

static bool is_ascii(const char *raw, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)raw[i] >= 0x80)
			return false;
	return true;
}

/* sts-policy-mx value = ["*."] Domain */
bool sts_pattern_canon(char *out, size_t size, const char *raw, size_t len)
{
	char name[DOMAIN_SIZE];
	size_t star = len >= 2 && memcmp(raw, "*.", 2) == 0 ? 2 : 0;

	out[0] = '\0';
	if (size < DOMAIN_SIZE + 2 || !is_ascii(raw, len))
		return false;
	if (domain_canon(name, raw + star, len - star) != DOMAIN_OK)
		return false;
	if (domain_is_numeric(name) || (star == 0 && is_postfix_word(name)))
		return false;
	memcpy(out, "*.", star);
	memcpy(out + star, name, strlen(name) + 1);
	return true;
}

bool sts_pattern_matches(const char *pattern, const char *host)
{
	const char *dot;

	if (pattern[0] != '*')
		return strcmp(pattern, host) == 0;
	dot = strchr(host, '.');
	return dot && dot != host && strcmp(dot, pattern + 1) == 0;
}

/* ---- the list of patterns while it is built ---- */

struct seen {
	struct hmap_node node;
	size_t offset; /* of its pattern in mx */
};

struct mx_list {
	char *mx;
	size_t len, count;
	struct seen *seen; /* one for every pattern there may be: the hash table links into it */
	struct hmap map;
};

/* MAX patterns at most, of OCTETS together with their NULs: canonical ASCII is never longer than what was written. */
static void list_init(struct mx_list *l, size_t max, size_t octets)
{
	l->mx = xmalloc(octets);
	l->len = l->count = 0;
	l->seen = xcalloc(max, sizeof(*l->seen));
	hmap_init(&l->map, 0);
}

static void list_fini(struct mx_list *l)
{
	hmap_fini(&l->map);
	free(l->seen);
	free(l->mx);
}

static bool list_has(const struct mx_list *l, const char *pattern, uint64_t hash)
{
	for (struct hmap_node *n = hmap_first(&l->map, hash); n; n = hmap_next(n))
		if (strcmp(l->mx + hmap_entry(n, struct seen, node)->offset, pattern) == 0)
			return true;
	return false;
}

static bool list_add(struct mx_list *l, const char *raw, size_t raw_len)
{
	char pattern[DOMAIN_SIZE + 2];
	size_t len;
	uint64_t hash;

	if (!sts_pattern_canon(pattern, sizeof(pattern), raw, raw_len))
		return false;
	len = strlen(pattern);
	hash = hmap_hash(&l->map, pattern, len);
	if (list_has(l, pattern, hash))
		return true;
	l->seen[l->count].offset = l->len;
	hmap_insert(&l->map, &l->seen[l->count].node, hash);
	memcpy(l->mx + l->len, pattern, len + 1);
	l->len += len + 1;
	l->count++;
	return true;
}

/* Gives the list to P. */
static void list_take(struct mx_list *l, struct sts_policy *p)
{
	p->mx_count = l->count;
	p->mx_len = l->len;
	p->mx = l->count > 0 ? xrealloc(l->mx, l->len) : NULL;
	if (l->count > 0)
		l->mx = NULL;
}

/* ---- fields ---- */

enum field { FIELD_VERSION, FIELD_MODE, FIELD_MAX_AGE, FIELD_MX, FIELD_COUNT };

struct reader {
	struct sts_policy *out;
	struct mx_list list;
	bool have[FIELD_COUNT];
};

static const char *read_version(struct reader *r, const char *value, size_t len)
{
	(void)r;
	return len == 5 && memcmp(value, "STSv1", 5) == 0 ? NULL : "version is not STSv1";
}

static const char *read_mode(struct reader *r, const char *value, size_t len)
{
	for (const struct name_code *m = sts_mode_names; m->name; m++) {
		if (strlen(m->name) == len && memcmp(m->name, value, len) == 0) {
			r->out->mode = (enum sts_mode)m->code;
			return NULL;
		}
	}
	return "mode is not enforce, testing or none";
}

static const char *read_max_age(struct reader *r, const char *value, size_t len)
{
	uint64_t n = 0;

	if (len == 0 || len > MAX_AGE_DIGITS)
		return "max_age is not a number of 1 to 10 digits";
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return "max_age is not a number of 1 to 10 digits";
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	r->out->max_age = n > STS_MAX_AGE_LIMIT ? STS_MAX_AGE_LIMIT : (uint32_t)n;
	return NULL;
}

static const char *read_mx(struct reader *r, const char *value, size_t len)
{
	return list_add(&r->list, value, len) ? NULL : "mx is not a host name or wildcard of A-labels";
}

static const struct {
	const char *name;
	bool repeats;
	const char *(*read)(struct reader *r, const char *value, size_t len); /* static reason, or NULL when fine */
	const char *missing;
} fields[FIELD_COUNT] = {
	[FIELD_VERSION] = {"version", false, read_version, "no version"},
	[FIELD_MODE] = {"mode", false, read_mode, "no mode"},
	[FIELD_MAX_AGE] = {"max_age", false, read_max_age, "no max_age"},
	[FIELD_MX] = {"mx", true, read_mx, NULL},
};

/* field = name ":" *WSP value *WSP. Anything else is an extension of a later version, and ignored. */
static const char *read_line(struct reader *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value;
	size_t name_len;

	if (!colon)
		return NULL;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	len -= name_len + 1;
	for (; len > 0 && is_wsp(*value); value++)
		len--;
	while (len > 0 && is_wsp(value[len - 1]))
		len--;
	for (int f = 0; f < FIELD_COUNT; f++) {
		if (strlen(fields[f].name) != name_len || memcmp(fields[f].name, line, name_len) != 0)
			continue;
		if (r->have[f] && !fields[f].repeats)
			return NULL;
		r->have[f] = true;
		return fields[f].read(r, value, len);
	}
	return NULL;
}

/* Lines end in LF or CRLF, the last one may end with the body. */
static const char *read_lines(struct reader *r, const char *body, size_t len)
{
	while (len > 0) {
		const char *lf = memchr(body, '\n', len);
		size_t whole = lf ? (size_t)(lf - body) + 1 : len;
		size_t line = lf ? whole - 1 : whole;
		const char *reason;

		if (line > 0 && body[line - 1] == '\r')
			line--;
		reason = read_line(r, body, line);
		if (reason)
			return reason;
		body += whole;
		len -= whole;
	}
	return NULL;
}

static const char *check_complete(const struct reader *r)
{
	for (int f = 0; f < FIELD_COUNT; f++)
		if (!r->have[f] && fields[f].missing)
			return fields[f].missing;
	if (r->list.count == 0 && r->out->mode != STS_NONE)
		return "no mx, and mode is not none";
	return NULL;
}

bool sts_policy_parse(struct sts_policy *out, const char *body, size_t len, const char **reason)
{
	struct reader r = {.out = out};

	memset(out, 0, sizeof(*out));
	*reason = NULL;
	if (len > STS_BODY_MAX)
		*reason = "longer than 65536 octets";
	else if (len > 0 && memchr(body, '\0', len))
		*reason = "a NUL octet";
	if (*reason)
		return false;
	list_init(&r.list, len / MX_LINE_MIN + 1, len + 1);
	*reason = read_lines(&r, body, len);
	if (!*reason)
		*reason = check_complete(&r);
	if (*reason)
		memset(out, 0, sizeof(*out));
	else
		list_take(&r.list, out);
	list_fini(&r.list);
	return *reason == NULL;
}

bool sts_policy_set_mx(struct sts_policy *p, const char *patterns, size_t len)
{
	struct mx_list list;
	bool ok = len <= STS_BODY_MAX;

	free(p->mx);
	p->mx = NULL;
	p->mx_count = p->mx_len = 0;
	if (!ok || len == 0)
		return ok;
	list_init(&list, len / 2 + 1, len + 1);
	for (size_t at = 0, next; ok && at <= len; at = next) {
		const char *space = at < len ? memchr(patterns + at, ' ', len - at) : NULL;
		size_t end = space ? (size_t)(space - patterns) : len;

		ok = list_add(&list, patterns + at, end - at);
		next = end + 1;
	}
	if (ok)
		list_take(&list, p);
	list_fini(&list);
	return ok;
}

void sts_policy_fini(struct sts_policy *p)
{
	free(p->mx);
	memset(p, 0, sizeof(*p));
}

void sts_policy_copy(struct sts_policy *to, const struct sts_policy *from)
{
	*to = *from;
	to->mx = from->mx_count > 0 ? xmemdup(from->mx, from->mx_len) : NULL;
}

const char *sts_policy_mx(const struct sts_policy *p, const char *last)
{
	const char *next;

	if (!last)
		return p->mx_count > 0 ? p->mx : NULL;
	next = last + strlen(last) + 1;
	return next < p->mx + p->mx_len ? next : NULL;
}

bool sts_policy_matches(const struct sts_policy *p, const char *host)
{
	for (const char *mx = sts_policy_mx(p, NULL); mx; mx = sts_policy_mx(p, mx))
		if (sts_pattern_matches(mx, host))
			return true;
	return false;
}
