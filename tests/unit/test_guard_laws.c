/*
 * test_guard_laws.c - the laws of the guard, each held against every step of its input space (guard_space.h).
 */
#include "unit/guard_space.h"

/* ---- what a step means ---- */
static bool begins(const struct guard_step *s)
{
	return !s->before.held && s->after.held;
}

static bool ends(const struct guard_step *s)
{
	return s->before.held && !s->after.held;
}

static bool is_judged(const struct guard_step *s)
{
	return s->event == READING && s->outcome != GUARD_PUT_OFF;
}

static bool is_quiet(const struct guard_step *s)
{
	return !s->before.held && !s->before.vanished && !s->before.blind;
}

static bool is_mass_loss(const struct guard_step *s)
{
	return s->event == BATCH && s->outcome == GUARD_MASS_LOSS;
}

/* The share once more, in another way. */
static bool is_above_share(const struct guard_step *s)
{
	return s->r.had > 9 && s->r.gone > s->r.had * s->before.percent / 100;
}

/* The rule of the clocks once more. */
static int64_t word_ms(const struct guard_step *s)
{
	if (s->event != WORD || s->raw_ms == s->before.accept_raw)
		return s->before.accept_ms;
	return s->raw_ms < NOW ? s->raw_ms : NOW;
}

static bool is_accepted(const struct guard_step *s)
{
	return !(word_ms(s) < s->before.exact_at_ms);
}

static bool is_released_by_word(const struct guard_step *s)
{
	return (s->event == READING && s->outcome == GUARD_ACCEPTED) ||
	       (s->event == WORD && s->outcome == GUARD_WORD_TAKEN);
}

static bool is_released_by_return(const struct guard_step *s)
{
	return (s->event == READING && s->outcome == GUARD_RETURNED) || (s->event == RETURNED && s->outcome);
}

/* What is gone is in force no more. */
static bool drops(const struct guard_step *s)
{
	return (s->event == READING && s->outcome == GUARD_TAKE) || (s->event == BATCH && s->outcome == GUARD_DROP) ||
	       is_released_by_word(s) || is_released_by_return(s);
}

static bool leaves(const struct guard_step *s, bool held, bool vanished, int64_t exact_at_ms)
{
	return s->after.held == held && s->after.vanished == vanished && s->after.exact_at_ms == exact_at_ms;
}

/* ---- the laws; false where S breaks one ---- */
static bool the_same_question_has_the_same_answer(const struct guard_step *s)
{
	struct guard g = s->before;

	return step_run(&g, s) == s->outcome && same(&g, &s->after);
}

static bool a_hold_begins_with_a_reading_only(const struct guard_step *s)
{
	return !begins(s) || (s->event == READING && s->outcome == GUARD_HOLD);
}

static bool a_hold_ends_by_acceptance_or_return_only(const struct guard_step *s)
{
	return ends(s) == (is_released_by_word(s) || is_released_by_return(s));
}

static bool an_older_word_releases_nothing(const struct guard_step *s)
{
	return !is_released_by_word(s) || is_accepted(s);
}

static bool only_all_is_a_return(const struct guard_step *s)
{
	return !is_released_by_return(s) || s->r.gone == 0;
}

static bool nothing_above_the_share_is_dropped_unaccepted(const struct guard_step *s)
{
	bool is_counted = s->event == READING || s->event == BATCH;

	return !is_counted || !is_above_share(s) || !drops(s) || (s->event == READING && is_accepted(s));
}

static bool nothing_of_a_mass_loss_is_dropped_unaccepted(const struct guard_step *s)
{
	bool is_never = s->before.blind && !s->before.held && !s->before.vanished && s->before.percent == 100;

	return !is_judged(s) || is_quiet(s) || is_never || s->r.gone == 0 || drops(s) == is_accepted(s);
}

static bool up_to_the_share_all_is_dropped(const struct guard_step *s)
{
	bool is_asked = s->event == BATCH ? !s->due : is_judged(s) && is_quiet(s);

	return !is_asked || is_above_share(s) || drops(s);
}

static bool one_by_one_always_works(const struct guard_step *s)
{
	bool is_one = s->event == BATCH && s->r.gone == 1 && !s->due;

	return !is_one || s->before.percent < 10 || drops(s);
}

static bool a_hundred_percent_or_few_settings_begin_nothing(const struct guard_step *s)
{
	bool is_never = s->before.percent == 100 || s->r.had < 10;

	return !is_never || !is_quiet(s) || (!s->after.held && !s->after.vanished);
}

static bool what_is_accepted_is_never_held(const struct guard_step *s)
{
	return s->event != READING || s->outcome != GUARD_HOLD || !is_accepted(s);
}

static bool nothing_is_held_when_nothing_is_gone(const struct guard_step *s)
{
	return s->event != READING || s->outcome != GUARD_HOLD || s->r.gone > 0;
}

static bool more_gone_is_held_all_the_more(const struct guard_step *s)
{
	struct guard g = s->before;
	struct guard_step more = *s;

	if (s->event != READING || s->outcome != GUARD_HOLD || s->r.gone == s->r.had)
		return true;
	more.r.gone++;
	return step_run(&g, &more) == GUARD_HOLD;
}

static bool a_reading_is_put_off_for_missed_changes_and_five_times_at_most(const struct guard_step *s)
{
	bool is_put_off = s->r.missed && s->r.known && s->r.put_off <= 4;

	if (s->event != READING)
		return true;
	return (s->outcome == GUARD_PUT_OFF) == is_put_off && (!is_put_off || same(&s->before, &s->after));
}

static bool a_judged_reading_leaves_held_or_exact(const struct guard_step *s)
{
	bool is_held = s->outcome == GUARD_HOLD;

	return !is_judged(s) || leaves(s, is_held, false, is_held ? s->before.exact_at_ms : NOW);
}

static bool a_released_reading_says_how(const struct guard_step *s)
{
	if (!ends(s) || s->event != READING)
		return true;
	return s->outcome == (s->r.gone > 0 ? GUARD_ACCEPTED : GUARD_RETURNED);
}

static bool a_mass_loss_is_announced_to_the_reading(const struct guard_step *s)
{
	const struct guard *b = &s->before;

	if (s->event != BATCH)
		return true;
	if (is_mass_loss(s))
		return leaves(s, b->held, true, b->held ? EXACT : NOW);
	return same(b, &s->after);
}

static bool a_flush_announces_the_loss_of_all(const struct guard_step *s)
{
	bool is_guarded = s->r.had > 9 && s->before.percent < 100;

	return s->event != FLUSHED || leaves(s, s->before.held, s->before.vanished || is_guarded, EXACT);
}

static bool a_reading_that_is_due_decides_alone(const struct guard_step *s)
{
	if (!s->due || s->event == READING)
		return true;
	return !drops(s) && !is_mass_loss(s) && s->before.held == s->after.held;
}

static bool a_good_word_and_a_full_return_release_at_once(const struct guard_step *s)
{
	bool is_free = s->before.held && !s->due;

	if (s->event == WORD)
		return ends(s) == (is_free && is_accepted(s));
	return s->event != RETURNED || ends(s) == (is_free && s->r.gone == 0);
}

static bool an_old_word_is_complained_about_when_it_is_new(const struct guard_step *s)
{
	bool is_new = s->raw_ms != s->before.accept_raw && s->raw_ms != 0;
	bool is_waited_for = s->before.held && !s->due && !is_accepted(s);

	return s->event != WORD || (s->outcome == GUARD_WORD_TOO_OLD) == (is_new && is_waited_for);
}

static bool only_a_word_changes_the_word(const struct guard_step *s)
{
	int64_t raw = s->event == WORD ? s->raw_ms : s->before.accept_raw;

	return s->after.accept_ms == word_ms(s) && s->after.accept_raw == raw && s->after.percent == s->before.percent;
}

static bool a_word_and_a_return_leave_the_rest(const struct guard_step *s)
{
	bool is_one = s->event == WORD || s->event == RETURNED;

	return !is_one || leaves(s, s->after.held, s->before.vanished, ends(s) ? NOW : EXACT);
}

static bool no_longer_exact_is_a_time_and_nothing_else(const struct guard_step *s)
{
	return s->event != INEXACT || leaves(s, s->before.held, s->before.vanished, NOW);
}

static bool blindness_ends_with_what_is_taken_only(const struct guard_step *s)
{
	bool is_taken = (s->event == READING && drops(s)) || ends(s);

	return s->after.blind == (s->before.blind && !is_taken);
}

#define LAW(fn) #fn, fn
static const struct {
	const char *name;
	bool (*holds)(const struct guard_step *s);
} laws[] = {
    {LAW(the_same_question_has_the_same_answer)},
    {LAW(a_hold_begins_with_a_reading_only)},
    {LAW(a_hold_ends_by_acceptance_or_return_only)},
    {LAW(an_older_word_releases_nothing)},
    {LAW(only_all_is_a_return)},
    {LAW(nothing_above_the_share_is_dropped_unaccepted)},
    {LAW(nothing_of_a_mass_loss_is_dropped_unaccepted)},
    {LAW(up_to_the_share_all_is_dropped)},
    {LAW(one_by_one_always_works)},
    {LAW(a_hundred_percent_or_few_settings_begin_nothing)},
    {LAW(what_is_accepted_is_never_held)},
    {LAW(nothing_is_held_when_nothing_is_gone)},
    {LAW(more_gone_is_held_all_the_more)},
    {LAW(a_reading_is_put_off_for_missed_changes_and_five_times_at_most)},
    {LAW(a_judged_reading_leaves_held_or_exact)},
    {LAW(a_released_reading_says_how)},
    {LAW(a_mass_loss_is_announced_to_the_reading)},
    {LAW(a_flush_announces_the_loss_of_all)},
    {LAW(a_reading_that_is_due_decides_alone)},
    {LAW(a_good_word_and_a_full_return_release_at_once)},
    {LAW(an_old_word_is_complained_about_when_it_is_new)},
    {LAW(only_a_word_changes_the_word)},
    {LAW(a_word_and_a_return_leave_the_rest)},
    {LAW(no_longer_exact_is_a_time_and_nothing_else)},
    {LAW(blindness_ends_with_what_is_taken_only)},
};

static void all_hold(const struct guard_step *s)
{
	for (size_t i = 0; i < COUNT_OF(laws); i++)
		if (!laws[i].holds(s))
			fail_msg("law %s, broken by\n  %s", laws[i].name, step_shown(s));
}

static void the_laws_hold_everywhere(void **state)
{
	(void)state;
	for_all_steps(all_hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_laws_hold_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
