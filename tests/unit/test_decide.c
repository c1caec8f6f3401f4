/*
 * The decision over its whole input space: a second formulation of PRODUCT.md's table, and the laws beside it.
 */
#include "unit/check.h"

#include "core/decide.h"

/* ---- the input space ---- */

#define FACTS_COUNT (5 * 16 * 2 * 2)
#define SETTINGS_COUNT (3 * 3 * 64)

static struct decide_facts facts_at(int i)
{
	struct decide_facts f = {.mx = (enum mx_column)(i % 5)};

	i /= 5;
	f.usable = i & 1;
	f.unusable = i & 2;
	f.none = i & 4;
	f.error = i & 8;
	f.sts_enforce = i & 16;
	f.literal = i & 32;
	return f;
}

static struct decide_settings settings_at(int i)
{
	struct decide_settings s = {.mode = (enum mode)(i % 3), .rcpt_mode = (enum mode)(i / 3 % 3)};

	i /= 9;
	s.match = i & 1;
	s.dane_ignore = i & 2;
	s.sts_ignore = i & 4;
	s.plaintext_allow = i & 8;
	s.for_all = i & 16;
	s.dane = i & 32;
	return s;
}

static const char *shown(const struct decide_facts *f, const struct decide_settings *s)
{
	static char text[300];

	snprintf(
	    text, sizeof text,
	    "mx=%d usable=%d unusable=%d none=%d error=%d sts=%d literal=%d | mode=%d rcpt=%d match=%d dane_ignore=%d "
	    "sts_ignore=%d plaintext=%d for_all=%d dane=%d",
	    (int)f->mx, f->usable, f->unusable, f->none, f->error, f->sts_enforce, f->literal, (int)s->mode,
	    (int)s->rcpt_mode, s->match, s->dane_ignore, s->sts_ignore, s->plaintext_allow, s->for_all, s->dane);
	return text;
}

typedef void law_fn(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v);

static void for_all_inputs(law_fn *law)
{
	int i, k;

	for (i = 0; i < FACTS_COUNT; i++) {
		for (k = 0; k < SETTINGS_COUNT; k++) {
			struct decide_facts f = facts_at(i);
			struct decide_settings s = settings_at(k);
			struct verdict v;

			decide_table(&f, &s, &v);
			law(&f, &s, &v);
		}
	}
}

#define HOLDS(condition, f, s)                                                                                         \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("not so: %s\n  at %s", #condition, shown(f, s));                                      \
	} while (0)

static bool except_acts(const struct decide_settings *s)
{
	return (s->mode == MODE_OPPORTUNISTIC || s->for_all) && (s->dane_ignore || s->sts_ignore || s->plaintext_allow);
}

static enum mode effective(const struct decide_settings *s)
{
	enum mode mode = s->mode > s->rcpt_mode ? s->mode : s->rcpt_mode;

	return s->match ? MODE_VERIFIED : mode;
}

static bool lookup_failed(const struct decide_facts *f)
{
	return !f->literal && (f->mx == COL_ERROR || f->mx == COL_BOGUS || (f->mx == COL_SECURE && f->error));
}

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
	size_t i;

	n.all = n.usable + n.unusable + n.none + n.error;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].mx != f->mx || !rows[i].hosts(&n) || (rows[i].sts != ANY && rows[i].sts != f->sts_enforce))
			continue;
		HOLDS(found == NULL, f, s);
		found = &rows[i];
	}
	HOLDS(found != NULL, f, s);
	return found;
}

static void law_table(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	const struct table_row *row;
	const char *level;

	if (f->literal || except_acts(s) || !s->dane)
		return;
	row = the_row(f, s);
	HOLDS(v->row == row->row, f, s);
	level = row->level[effective(s)];
	if (s->match && strcmp(level, "verify") == 0)
		level = "secure";
	HOLDS(strcmp(names_name(level_names, (int)v->level), level) == 0, f, s);
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
	for_all_inputs(law_every_verdict_has_a_reason);
}

/* ---- per host: clear < encrypted < authenticated < not used ---- */

enum strength { CLEAR, ENCRYPTED, AUTHENTICATED, NOT_USED };

/* What Postfix does with a host of STATE under LEVEL (smtp_tls_security_level = may in main.cf). */
static enum strength strength(enum level level, enum tlsa_state state, bool mx_insecure)
{
	switch (level) {
	case LEVEL_NOTFOUND:
	case LEVEL_MAY:
		return CLEAR;
	case LEVEL_ENCRYPT:
		return ENCRYPTED;
	case LEVEL_VERIFY:
	case LEVEL_SECURE:
		return AUTHENTICATED;
	case LEVEL_TEMP:
		return NOT_USED;
	case LEVEL_DANE_ONLY:
		return state == TLSA_USABLE && !mx_insecure ? AUTHENTICATED : NOT_USED;
	case LEVEL_DANE:
		break;
	}
	if (state == TLSA_USABLE)
		return AUTHENTICATED;
	if (state == TLSA_UNUSABLE)
		return ENCRYPTED;
	return state == TLSA_ERROR ? NOT_USED : CLEAR;
}

/* No host of F is treated weaker under STRONG than under WEAK. */
static bool no_weaker(const struct decide_facts *f, const struct verdict *strong, const struct verdict *weak)
{
	static const enum tlsa_state states[] = {TLSA_USABLE, TLSA_UNUSABLE, TLSA_NONE, TLSA_ERROR};
	bool has[] = {f->usable, f->unusable, f->none, f->error};
	size_t i;

	if (f->literal || (!has[0] && !has[1] && !has[2] && !has[3]))
		return strength(strong->level, TLSA_NONE, false) >= strength(weak->level, TLSA_NONE, false);
	for (i = 0; i < sizeof states / sizeof states[0]; i++) {
		bool insecure = f->mx == COL_INSECURE;

		if (has[i] && strength(strong->level, states[i], insecure) < strength(weak->level, states[i], insecure))
			return false;
	}
	return true;
}

static void law_stricter_mode(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings stricter = *s;
	struct verdict w;

	if (s->mode == MODE_VERIFIED || v->row == 11)
		return;
	stricter.mode = s->mode + 1;
	decide_table(f, &stricter, &w);
	HOLDS(no_weaker(f, &w, v), f, s);
}

static void law_added_policy(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_facts more = *f;
	struct verdict w;

	if (f->sts_enforce || f->literal || v->row == 11)
		return;
	more.sts_enforce = true;
	decide_table(&more, s, &w);
	HOLDS(no_weaker(f, &w, v), f, s);
}

static void law_rcpt_raises(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings less = *s;
	struct verdict w;

	less.rcpt_mode = MODE_OPPORTUNISTIC;
	less.match = false;
	decide_table(f, &less, &w);
	/* a literal that could not be verified at all becomes one that can be: the match is what was missing */
	if (w.row == 11 || (w.reasons & 1u << REASON_NO_MATCH_FOR_LITERAL))
		return;
	HOLDS(no_weaker(f, v, &w), f, s);
}

static void law_except_lowers(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings none = *s;
	struct verdict w;

	none.dane_ignore = none.sts_ignore = none.plaintext_allow = false;
	decide_table(f, &none, &w);
	if (v->row == 11 || w.row == 11)
		return;
	HOLDS(no_weaker(f, &w, v), f, s);
}

static void test_monotone(void **state)
{
	(void)state;
	for_all_inputs(law_stricter_mode);
	for_all_inputs(law_added_policy);
	for_all_inputs(law_rcpt_raises);
	for_all_inputs(law_except_lowers);
}

/* ---- exceptions ---- */

static bool same(const struct verdict *a, const struct verdict *b)
{
	return a->level == b->level && a->use_policy == b->use_policy && a->use_match == b->use_match;
}

static void one_exception(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v,
			  bool *flag, struct decide_settings *less, enum reason reason)
{
	bool told = v->reasons & 1u << reason, dane_there;
	struct verdict w;

	HOLDS(!told || *flag, f, s);
	if (!*flag)
		return;
	*flag = false;
	decide_table(f, less, &w);
	dane_there = reason == REASON_EXCEPT_DANE && !f->literal &&
		     (f->usable || f->unusable || f->error || f->mx == COL_BOGUS || f->mx == COL_ERROR) &&
		     (s->mode == MODE_OPPORTUNISTIC || s->for_all);
	HOLDS(told == (dane_there || !same(v, &w)), f, s);
	*flag = true;
}

static void law_exceptions_are_told(const struct decide_facts *f, const struct decide_settings *s,
				    const struct verdict *v)
{
	struct decide_settings less = *s;

	one_exception(f, s, v, &less.dane_ignore, &less, REASON_EXCEPT_DANE);
	one_exception(f, s, v, &less.sts_ignore, &less, REASON_EXCEPT_STS);
	one_exception(f, s, v, &less.plaintext_allow, &less, REASON_EXCEPT_PLAINTEXT);
	/* nothing acts in the strict maps unless it is for all */
	if (s->mode != MODE_OPPORTUNISTIC && !s->for_all) {
		struct verdict w;

		less.dane_ignore = less.sts_ignore = less.plaintext_allow = false;
		decide_table(f, &less, &w);
		HOLDS(same(v, &w) && v->row == w.row, f, s);
	}
}

static void law_plaintext_yields(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings without = *s;
	struct verdict w;
	bool dane = !f->literal && !s->dane_ignore && (f->usable || f->unusable || f->error || lookup_failed(f));
	bool sts = !f->literal && !s->sts_ignore && f->sts_enforce;

	if (!s->plaintext_allow || !except_acts(s))
		return;
	without.plaintext_allow = false;
	decide_table(f, &without, &w);
	if (dane || sts || w.level == LEVEL_NOTFOUND)
		HOLDS(same(v, &w), f, s);
	else
		HOLDS(v->level == LEVEL_MAY, f, s);
}

static void law_dane_ignore(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	if (!s->dane_ignore || (s->mode != MODE_OPPORTUNISTIC && !s->for_all))
		return;
	HOLDS(v->level != LEVEL_NOTFOUND && v->level != LEVEL_DANE && v->level != LEVEL_DANE_ONLY, f, s);
	HOLDS(f->literal || v->level != LEVEL_TEMP, f, s);
	HOLDS(v->row >= 9, f, s);
	if (f->literal || s->plaintext_allow)
		return;
	if (f->sts_enforce && !s->sts_ignore)
		HOLDS(v->level == LEVEL_SECURE && v->use_policy, f, s);
	else if (effective(s) == MODE_OPPORTUNISTIC)
		HOLDS(v->level == LEVEL_MAY, f, s);
	else
		HOLDS(v->level == (s->match			   ? LEVEL_SECURE
				   : effective(s) == MODE_ENFORCED ? LEVEL_ENCRYPT
								   : LEVEL_VERIFY),
		      f, s);
}

static void test_exceptions(void **state)
{
	(void)state;
	for_all_inputs(law_exceptions_are_told);
	for_all_inputs(law_plaintext_yields);
	for_all_inputs(law_dane_ignore);
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
	int i;

	(void)state;
	for (i = 0; i < REASON_COUNT; i++) {
		assert_non_null(names_name(reason_names, i));
		assert_non_null(reason_text((enum reason)i));
	}
	for (i = LEVEL_NOTFOUND; i <= LEVEL_SECURE; i++)
		assert_non_null(names_name(level_names, i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),    cmocka_unit_test(test_literal),	cmocka_unit_test(test_laws),
	    cmocka_unit_test(test_monotone), cmocka_unit_test(test_exceptions), cmocka_unit_test(test_summary),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
