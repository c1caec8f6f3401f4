/*
 * test_decide.c - the decision over its whole input space: a second formulation of doc/decision.md's table, and the laws
 * beside it. How one answer compares with another is in test_decide_order.c.
 */
#include "unit/decide_space.h"

/* ---- the table once more, from a list of hosts ---- */

struct count {
	int all, usable, unusable, none, error;
};

typedef bool hosts_fn(const struct count *n);

static bool whatever(const struct count *n)
{
	(void)n;
	return true;
}
static bool all_usable(const struct count *n)
{
	return n->all > 0 && n->usable == n->all;
}
static bool some_usable_or_error(const struct count *n)
{
	return n->usable + n->error > 0 && n->usable < n->all;
}
static bool only_unusable(const struct count *n)
{
	return n->unusable > 0 && n->unusable + n->none == n->all;
}
static bool all_none(const struct count *n)
{
	return n->none == n->all;
}
static bool some_usable(const struct count *n)
{
	return n->usable > 0;
}
static bool none_usable(const struct count *n)
{
	return n->usable == 0;
}

enum { NO, YES, ANY };

static const struct table_row {
	int row;
	enum mx_column mx;
	hosts_fn *hosts;
	int sts;
	const char *level[MODE_COUNT];
} rows[] = {
    {1, COL_BOGUS, whatever, ANY, {"temp", "temp", "temp"}},
    {2, COL_ERROR, whatever, YES, {"temp", "temp", "temp"}},
    {3, COL_ERROR, whatever, NO, {"dane", "temp", "temp"}},
    {4, COL_SECURE, all_usable, ANY, {"dane-only", "dane-only", "dane-only"}},
    {5, COL_SECURE, some_usable_or_error, NO, {"dane", "dane-only", "dane-only"}},
    {6, COL_SECURE, some_usable_or_error, YES, {"dane-only", "dane-only", "dane-only"}},
    {7, COL_SECURE, only_unusable, NO, {"dane", "encrypt", "verify"}},
    {8, COL_SECURE, only_unusable, YES, {"secure", "secure", "secure"}},
    {9, COL_SECURE, all_none, NO, {"notfound", "encrypt", "verify"}},
    {10, COL_SECURE, all_none, YES, {"secure", "secure", "secure"}},
    {11, COL_INSECURE, some_usable, NO, {"dane", "encrypt", "verify"}},
    {12, COL_INSECURE, none_usable, NO, {"notfound", "encrypt", "verify"}},
    {13, COL_INSECURE, whatever, YES, {"secure", "secure", "secure"}},
    {14, COL_ABSENT, whatever, NO, {"notfound", "encrypt", "verify"}},
    {15, COL_ABSENT, whatever, YES, {"secure", "secure", "secure"}},
};

/* The one row of F; fails when there is not exactly one. */
static const struct table_row *the_row(const struct decide_facts *f, const struct decide_settings *s)
{
	struct count n = {.usable = f->usable, .unusable = f->unusable, .none = f->none, .error = f->error};
	const struct table_row *found = NULL;

	n.all = n.usable + n.unusable + n.none + n.error;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].mx != f->mx || !rows[i].hosts(&n) || (rows[i].sts != ANY && rows[i].sts != f->sts_enforce))
			continue;
		HOLDS(!found, f, s);
		found = &rows[i];
	}
	HOLDS(found, f, s);
	return found;
}

static void law_table(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	const struct table_row *row;
	const char *level;

	if (f->literal || except_acts(s) || !s->dane || f->sts_unread)
		return;
	row = the_row(f, s);
	HOLDS(v->row == row->row, f, s);
	level = row->level[effective(s)];
	if (s->match && strcmp(level, "verify") == 0)
		level = "secure";
	HOLDS(strcmp(names_name(decide_level_names, (int)v->level), level) == 0, f, s);
	HOLDS(v->use_policy == (v->level == LEVEL_SECURE && f->sts_enforce), f, s);
	HOLDS(v->use_match == (v->level == LEVEL_SECURE && s->match), f, s);
}

static void test_table(void **state)
{
	(void)state;
	for_all_inputs(law_table);
}

/* ---- literals ---- */

static void law_literal(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	enum level level = LEVEL_NOTFOUND;

	if (!f->literal)
		return;
	HOLDS(v->row == 9, f, s);
	HOLDS(v->reasons & 1u << REASON_LITERAL, f, s);
	if (except_acts(s))
		return;
	if (effective(s) == MODE_ENFORCED)
		level = LEVEL_ENCRYPT;
	if (effective(s) == MODE_VERIFIED)
		level = s->match ? LEVEL_SECURE : LEVEL_TEMP;
	HOLDS(v->level == level, f, s);
	HOLDS((level == LEVEL_TEMP) == !!(v->reasons & 1u << REASON_NO_MATCH_FOR_LITERAL), f, s);
}

static void test_literal(void **state)
{
	(void)state;
	for_all_inputs(law_literal);
}

/* ---- the laws ---- */

static void law_strict_is_strict(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	if (effective(s) == MODE_OPPORTUNISTIC || except_acts(s))
		return;
	HOLDS(v->level != LEVEL_NOTFOUND && v->level != LEVEL_MAY && v->level != LEVEL_DANE, f, s);
}

static void law_enforce_policy_binds(const struct decide_facts *f, const struct decide_settings *s,
				     const struct verdict *v)
{
	if (!f->sts_enforce || f->literal || except_acts(s))
		return;
	HOLDS(v->level == LEVEL_TEMP || v->level == LEVEL_DANE_ONLY || (v->level == LEVEL_SECURE && v->use_policy), f,
	      s);
}

static void law_failed_lookup_is_not_absence(const struct decide_facts *f, const struct decide_settings *s,
					     const struct verdict *v)
{
	if (!lookup_failed(f) || except_acts(s))
		return;
	HOLDS(v->level == LEVEL_TEMP || v->level == LEVEL_DANE || v->level == LEVEL_DANE_ONLY, f, s);
}

static void law_no_dane_without_resolver(const struct decide_facts *f, const struct decide_settings *s,
					 const struct verdict *v)
{
	if (s->dane)
		HOLDS(!(v->reasons & 1u << REASON_NO_DANE_RESOLVER), f, s);
	else
		HOLDS(v->level != LEVEL_DANE && v->level != LEVEL_DANE_ONLY, f, s);
}

/* Where TLSA exists behind hosts we could look at, a Postfix without DNSSEC still encrypts. */
static void law_tlsa_is_encrypted(const struct decide_facts *f, const struct decide_settings *s,
				  const struct verdict *v)
{
	if (s->dane || f->literal || except_acts(s) || f->mx != COL_SECURE || (!f->usable && !f->unusable))
		return;
	HOLDS(v->level == LEVEL_TEMP || v->level == LEVEL_ENCRYPT || v->level == LEVEL_VERIFY ||
		  v->level == LEVEL_SECURE,
	      f, s);
}

/* What could not be read may be a policy: the answer is the one that is given with it and without it, or TEMP. */
static void law_unread_is_not_absent(const struct decide_facts *f, const struct decide_settings *s,
				     const struct verdict *v)
{
	struct decide_facts with = *f, without = *f;
	struct verdict yes, no;
	bool same;

	if (!f->sts_unread || f->literal)
		return;
	with.sts_unread = without.sts_unread = false;
	with.sts_enforce = true;
	decide_table(&with, s, &yes);
	decide_table(&without, s, &no);
	same = yes.level == no.level && yes.use_policy == no.use_policy && yes.use_match == no.use_match;
	HOLDS(v->level == (same ? no.level : LEVEL_TEMP), f, s);
	HOLDS(v->use_policy == (same && no.use_policy) && v->use_match == (same && no.use_match), f, s);
	HOLDS(!!(v->reasons & 1u << REASON_STS_UNREAD) == (no.level != v->level), f, s);
}

static void law_every_verdict_has_a_reason(const struct decide_facts *f, const struct decide_settings *s,
					   const struct verdict *v)
{
	HOLDS(v->reasons != 0 && v->reasons < 1u << REASON_COUNT, f, s);
	HOLDS(v->row >= 1 && v->row <= 15, f, s);
}

static void test_laws(void **state)
{
	(void)state;
	for_all_inputs(law_strict_is_strict);
	for_all_inputs(law_enforce_policy_binds);
	for_all_inputs(law_failed_lookup_is_not_absence);
	for_all_inputs(law_no_dane_without_resolver);
	for_all_inputs(law_tlsa_is_encrypted);
	for_all_inputs(law_unread_is_not_absent);
	for_all_inputs(law_every_verdict_has_a_reason);
}

/* ---- whole facts into the table's columns ---- */

static void summary_of(struct facts *f, struct decide_facts *out)
{
	decide_summary(f, 1000, out);
}

static void test_summary(void **state)
{
	static struct facts f;
	struct nexthop nexthop;
	struct decide_facts d;

	(void)state;
	nexthop_parse(&nexthop, "a.example", 9);
	facts_init(&f, &nexthop);
	summary_of(&f, &d);
	assert_int_equal(d.mx, COL_ERROR); /* nothing known is never "nothing there" */
	f.mx = MX_SECURE;
	facts_add_host(&f, "mx.a.example")->tlsa = TLSA_USABLE;
	summary_of(&f, &d);
	assert_true(d.mx == COL_SECURE && d.usable && !d.none && !d.unusable && !d.error);
	f.mx_truncated = true;
	summary_of(&f, &d);
	assert_true(d.none); /* never "all usable" */
	f.mx_truncated = false;
	facts_add_host(&f, "mx2.a.example");
	summary_of(&f, &d);
	assert_true(d.error); /* a host not looked at yet */
	f.mx_kind = MX_NULL;
	summary_of(&f, &d);
	assert_int_equal(d.mx, COL_ABSENT);
	f.mx = MX_BOGUS;
	f.mx_kind = MX_RECORDS;
	summary_of(&f, &d);
	assert_true(d.mx == COL_BOGUS && !d.usable && !d.error);
	f.sts.have_policy = true;
	f.sts.policy.mode = STS_ENFORCE;
	f.sts.policy.max_age = 100;
	f.sts.fetched_at = 900;
	summary_of(&f, &d);
	assert_true(d.sts_enforce);
	f.sts.fetched_at = 899;
	summary_of(&f, &d);
	assert_false(d.sts_enforce);
	facts_fini(&f);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++) {
		assert_non_null(names_name(reason_names, i));
		assert_non_null(reason_text((enum reason)i));
	}
	for (int i = LEVEL_NOTFOUND; i <= LEVEL_SECURE; i++)
		assert_non_null(names_name(decide_level_names, i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),   cmocka_unit_test(test_literal), cmocka_unit_test(test_laws),
	    cmocka_unit_test(test_summary), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
