/*
 * sts_mx.c - the MX patterns of an MTA-STS policy: checked, told apart, matched (RFC 8461 s3.2, s4.1).
 *
 * Not here: the body they stand in (sts_policy.c) and how they are written for Postfix (match_names.c).
 */
#include "core/sts_mx.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/domain.h"

/* ---- patterns ---- */

static bool sts_mx_is_ascii(const char *raw, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)raw[i] >= 0x80)
			return false;
	return true;
}

/* sts-policy-mx value = ["*."] Domain; names that are keywords in Postfix' match= are kept here and left out there */
bool sts_pattern_canon(char *out, size_t size, const char *raw, size_t len)
{
	char name[DOMAIN_SIZE];
	size_t star = len >= 2 && memcmp(raw, "*.", 2) == 0 ? 2 : 0;

	out[0] = '\0';
	if (size < DOMAIN_SIZE + 2 || !sts_mx_is_ascii(raw, len))
		return false;
	if (domain_canon(name, raw + star, len - star) != DOMAIN_OK)
		return false;
	if (domain_is_numeric(name))
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

/* ---- the list while it is built ---- */

void sts_mx_init(struct sts_mx *l, size_t max, size_t octets)
{
	l->mx = xmalloc(octets);
	l->len = l->count = 0;
	l->seen = xcalloc(max, sizeof(*l->seen));
	hmap_init(&l->map, 0);
}

void sts_mx_fini(struct sts_mx *l)
{
	hmap_fini(&l->map);
	free(l->seen);
	free(l->mx);
}

static bool has(const struct sts_mx *l, const char *pattern, uint64_t hash)
{
	for (struct hmap_node *n = hmap_first(&l->map, hash); n; n = hmap_next(n))
		if (strcmp(l->mx + hmap_entry(n, struct sts_mx_seen, node)->offset, pattern) == 0)
			return true;
	return false;
}

bool sts_mx_add(struct sts_mx *l, const char *raw, size_t raw_len)
{
	char pattern[DOMAIN_SIZE + 2];
	size_t len;
	uint64_t hash;

	if (!sts_pattern_canon(pattern, sizeof(pattern), raw, raw_len))
		return false;
	len = strlen(pattern);
	hash = hmap_hash(&l->map, pattern, len);
	if (has(l, pattern, hash))
		return true;
	l->seen[l->count].offset = l->len;
	hmap_insert(&l->map, &l->seen[l->count].node, hash);
	memcpy(l->mx + l->len, pattern, len + 1);
	l->len += len + 1;
	l->count++;
	return true;
}

void sts_mx_take(struct sts_mx *l, struct sts_policy *p)
{
	p->mx_count = l->count;
	p->mx_len = l->len;
	p->mx = l->count > 0 ? xrealloc(l->mx, l->len) : NULL;
	if (l->count > 0)
		l->mx = NULL;
}

/* ---- the list of a policy ---- */

bool sts_policy_set_mx(struct sts_policy *p, const char *patterns, size_t len)
{
	struct sts_mx list;
	bool ok = len <= STS_BODY_MAX;

	free(p->mx);
	p->mx = NULL;
	p->mx_count = p->mx_len = 0;
	if (!ok || len == 0)
		return ok;
	sts_mx_init(&list, len / 2 + 1, len + 1);
	for (size_t at = 0, next; ok && at <= len; at = next) {
		const char *space = at < len ? memchr(patterns + at, ' ', len - at) : NULL;
		size_t end = space ? (size_t)(space - patterns) : len;

		ok = sts_mx_add(&list, patterns + at, end - at);
		next = end + 1;
	}
	if (ok)
		sts_mx_take(&list, p);
	sts_mx_fini(&list);
	return ok;
}

static bool has_pattern(const struct sts_policy *p, const char *pattern)
{
	const char *mx = NULL;

	while ((mx = sts_policy_mx(p, mx)))
		if (strcmp(mx, pattern) == 0)
			return true;
	return false;
}

bool sts_policy_mx_within(const struct sts_policy *p, const struct sts_policy *wider)
{
	const char *mx = NULL;

	while ((mx = sts_policy_mx(p, mx)))
		if (!has_pattern(wider, mx))
			return false;
	return true;
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
