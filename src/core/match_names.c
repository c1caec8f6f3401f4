/*
 * match_names.c - the list in match=, and the names that an MTA-STS policy and a match setting both allow.
 *
 * Not here: whether either binds (decide.c), how a line goes on (answer.c, the only caller).
 */
#include "core/match_names.h"

#include <string.h>

struct name {
	const char *text; /* a host name, or ".suffix" for all below it */
	size_t len;
};

struct pattern_list {
	struct sbuf *out;
	bool any;
};

static bool match_names_is_keyword(const struct name *n)
{
	static const char *const keywords[] = {"hostname", "nexthop", "dot-nexthop"};

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strlen(keywords[i]) == n->len && memcmp(keywords[i], n->text, n->len) == 0)
			return true;
	return false;
}

static void list_add(struct pattern_list *l, const struct name *n)
{
	if (match_names_is_keyword(n))
		return;
	if (l->any)
		sbuf_addc(l->out, ':');
	sbuf_addn(l->out, n->text, n->len);
	l->any = true;
}

/* The pattern as Postfix has it: "*.x" is ".x". */
static struct name of_pattern(const char *pattern)
{
	const char *text = pattern[0] == '*' ? pattern + 1 : pattern;

	return (struct name){text, strlen(text)};
}

/* The next name of a match list after *AT; false at its end. */
static bool next_match(const char **at, struct name *n)
{
	size_t len;

	*at += strspn(*at, ":");
	len = strcspn(*at, ":");
	*n = (struct name){*at, len};
	*at += len;
	return len > 0;
}

static bool equal(const struct name *a, const struct name *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static bool ends_with(const struct name *n, const struct name *suffix)
{
	return n->len > suffix->len && memcmp(n->text + n->len - suffix->len, suffix->text, suffix->len) == 0;
}

/* Everything the policy's name stands for is allowed by one name of MATCH. */
static bool covered(const struct name *n, const char *match)
{
	const char *at = match;
	struct name m;

	while (next_match(&at, &m))
		if (equal(n, &m) || (m.text[0] == '.' && ends_with(n, &m)))
			return true;
	return false;
}

/* NAME is one label and a wildcard's domain, and no pattern by itself (that one has been added already). */
static bool in_wildcard_only(const struct sts_policy *policy, const struct name *name)
{
	const char *p = NULL, *dot = memchr(name->text, '.', name->len);
	struct name below = {dot, 0};
	bool found = false;

	if (!dot || dot == name->text)
		return false;
	below.len = name->len - (size_t)(dot - name->text);
	while ((p = sts_policy_mx(policy, p))) {
		struct name n = of_pattern(p);

		if (equal(&n, name))
			return false;
		if (n.text[0] == '.' && equal(&n, &below))
			found = true;
	}
	return found;
}

static void add_policy(struct pattern_list *l, const struct sts_policy *policy, const char *match)
{
	const char *p = NULL;

	while ((p = sts_policy_mx(policy, p))) {
		struct name n = of_pattern(p);

		if (!match || covered(&n, match))
			list_add(l, &n);
	}
}

static void add_match(struct pattern_list *l, const struct sts_policy *policy, const char *match)
{
	const char *at = match;
	struct name m;

	while (next_match(&at, &m))
		if (!policy || in_wildcard_only(policy, &m))
			list_add(l, &m);
}

bool match_names_add(struct sbuf *out, const struct sts_policy *policy, const char *match)
{
	struct pattern_list l = {out, false};

	if (policy)
		add_policy(&l, policy, match);
	if (match)
		add_match(&l, policy, match);
	return l.any && sbuf_ok(out);
}
