/*
 * test_decide_order.c - over the whole input space: stricter modes, added policies and destination settings never
 * weaken an answer, exceptions never strengthen one, and are told exactly when they were used.
 */
#include "unit/decide_space.h"

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

	if (f->literal || (!has[0] && !has[1] && !has[2] && !has[3]))
		return strength(strong->level, TLSA_NONE, false) >= strength(weak->level, TLSA_NONE, false);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		bool insecure = f->mx == COL_INSECURE;

		if (has[i] && strength(strong->level, states[i], insecure) < strength(weak->level, states[i], insecure))
			return false;
	}
	return true;
}

/* TEMP, for want of Redis: test_decide.c says when. */
static bool unread_counts(const struct verdict *v)
{
	return v->reasons & 1u << REASON_STS_UNREAD;
}

static void law_stricter_mode(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings stricter = *s;
	struct verdict w;

	if (s->mode == MODE_VERIFIED || v->row == 11 || unread_counts(v))
		return;
	stricter.mode = s->mode + 1;
	decide_table(f, &stricter, &w);
	HOLDS(no_weaker(f, &w, v), f, s);
}

static void law_added_policy(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_facts more = *f;
	struct verdict w;

	if (f->sts_enforce || f->literal || v->row == 11 || unread_counts(v))
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
	if (w.row == 11 || unread_counts(&w) || (w.reasons & 1u << REASON_NO_MATCH_FOR_LITERAL))
		return;
	HOLDS(no_weaker(f, v, &w), f, s);
}

static void law_except_lowers(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v)
{
	struct decide_settings none = *s;
	struct verdict w;

	none.dane_ignore = none.sts_ignore = none.plaintext_allow = false;
	decide_table(f, &none, &w);
	if (v->row == 11 || w.row == 11 || unread_counts(v))
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

	if (!s->plaintext_allow || !except_acts(s) || unread_counts(v))
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
	HOLDS(f->literal || v->level != LEVEL_TEMP || unread_counts(v), f, s);
	HOLDS(v->row >= 9, f, s);
	if (f->literal || s->plaintext_allow || unread_counts(v))
		return;
	if (f->sts_enforce && !s->sts_ignore)
		HOLDS(v->level == LEVEL_SECURE && v->use_policy, f, s);
	else if (effective(s) == MODE_OPPORTUNISTIC)
		HOLDS(v->level == LEVEL_MAY, f, s);
	else
		HOLDS(v->level == (s->match                        ? LEVEL_SECURE
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_monotone), cmocka_unit_test(test_exceptions)};

	return cmocka_run_group_tests_name("decide_order", tests, NULL, NULL);
}
