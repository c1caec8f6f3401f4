/* fuzz_sts_policy.c - MTA-STS policies: only checked names come out, and what came out reads back the same. */
#include "fuzz/fuzz.h"

#include "base/xalloc.h"
#include "core/domain.h"
#include "core/sts_policy.h"

#define PAIRS_MAX 200

static void check_pattern(const char *pattern)
{
	char again[DOMAIN_SIZE + 2];

	must(strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") == strlen(pattern));
	must(pattern[0] != '*' || pattern[1] == '.');
	must(!strchr(pattern + 1, '*'));
	must(sts_pattern_canon(again, sizeof(again), pattern, strlen(pattern)));
	must(strcmp(again, pattern) == 0);
	must(pattern[0] == '*' || sts_pattern_matches(pattern, pattern));
}

static void check_patterns(const struct sts_policy *p)
{
	size_t count = 0, octets = 0;

	for (const char *mx = sts_policy_mx(p, NULL); mx; mx = sts_policy_mx(p, mx)) {
		size_t pairs = 0;
		check_pattern(mx);
		for (const char *other = sts_policy_mx(p, mx); other && pairs++ < PAIRS_MAX;
		     other = sts_policy_mx(p, other))
			must(strcmp(mx, other) != 0);
		octets += strlen(mx) + 1;
		count++;
	}
	must(count == p->mx_count && octets == p->mx_len);
}

static void must_be_equal(const struct sts_policy *a, const struct sts_policy *b)
{
	must(a->mode == b->mode && a->max_age == b->max_age && a->mx_count == b->mx_count && a->mx_len == b->mx_len);
	must(a->mx_len == 0 || memcmp(a->mx, b->mx, a->mx_len) == 0);
}

/* The way of a policy through Redis. */
static void check_stored(const struct sts_policy *p)
{
	struct sts_policy again = {.mode = p->mode, .max_age = p->max_age};
	char *list = xmalloc(p->mx_len + 1);

	for (size_t i = 0; i < p->mx_len; i++)
		list[i] = p->mx[i] ? p->mx[i] : ' ';
	must(sts_policy_set_mx(&again, list, p->mx_len > 0 ? p->mx_len - 1 : 0));
	must_be_equal(p, &again);
	free(list);
	sts_policy_fini(&again);
}

/* Fields that come twice: the first counts. */
static void check_first_wins(const struct sts_policy *p, const uint8_t *data, size_t size)
{
	static const char more[] = "\nversion: STSv2\nmode: none\nmax_age: 1\nmode: x\nunknown: y\n";
	size_t more_len = strlen(more);
	struct sts_policy again;
	const char *reason;
	char *body;

	if (size + more_len > STS_BODY_MAX)
		return;
	body = xmalloc(size + more_len);
	memcpy(body, data, size);
	memcpy(body + size, more, more_len);
	must(sts_policy_parse(&again, body, size + more_len, &reason));
	must_be_equal(p, &again);
	free(body);
	sts_policy_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_policy p = {0}, stored = {0};
	const char *reason;
	bool ok = sts_policy_parse(&p, (const char *)data, size, &reason);

	must(ok == (!reason));
	check_patterns(&p);
	if (ok) {
		must(p.max_age <= STS_MAX_AGE_LIMIT && (p.mode == STS_NONE || p.mx_count > 0));
		check_stored(&p);
		check_first_wins(&p, data, size);
	}
	if (sts_policy_set_mx(&stored, (const char *)data, size))
		check_patterns(&stored);
	else
		must(!stored.mx && stored.mx_count == 0);
	sts_policy_fini(&p);
	sts_policy_fini(&stored);
	return 0;
}
