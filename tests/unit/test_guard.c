/*
 * test_guard.c - the guard, in rows that people can read. The laws over its whole input space are in
 * test_guard_laws.c.
 */
#include "unit/guard_space.h"

static void the_share_of_at_least_ten(void **state)
{
	static const struct {
		size_t had, gone;
		unsigned percent;
		bool trips;
	} rows[] = {
	    {9, 9, 50, false},
	    {10, 5, 50, false},
	    {10, 6, 50, true},
	    {10, 10, 100, false},
	    {10, 10, 99, true},
	    {10, 1, 0, true},
	    {10, 0, 0, false},
	    {1000000, 500001, 50, true},
	    {1000000, 500000, 50, false},
	    {0, 0, 1, false},
	    {9, 9, 1, false},
	    {10, 0, 1, false},
	    {11, 5, 50, false},
	    {11, 6, 50, true},
	    {99, 99, 99, true},
	    {100, 99, 99, false},
	    {100, 1, 1, false},
	    {100, 2, 1, true},
	    {100, 100, 99, true},
	    {10, 1, 10, false},
	    {10, 1, 9, true},
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		snprintf(name, sizeof(name), "%zu of %zu at %u", rows[i].gone, rows[i].had, rows[i].percent);
		check_row(name, guard_trips(rows[i].had, rows[i].gone, rows[i].percent) == rows[i].trips);
	}
}

#define QUIET GUARD_OF(50, false, false, EXACT, 0, 0)
#define HELD GUARD_OF(50, true, false, EXACT, 0, 0)
#define ANNOUNCED GUARD_OF(50, false, true, EXACT, 0, 0)
#define EXACT_NOW GUARD_OF(50, false, false, NOW, 0, 0)

#define BLIND                                                                                                          \
	{                                                                                                              \
		.percent = 50, .blind = true, .exact_at_ms = EXACT                                                     \
	}
#define BLIND_HELD                                                                                                     \
	{                                                                                                              \
		.percent = 50, .held = true, .blind = true, .exact_at_ms = EXACT                                       \
	}

static void what_a_full_reading_means(void **state)
{
	static const struct {
		const char *name;
		struct guard before;
		struct guard_reading r;
		enum guard_verdict verdict;
		struct guard after;
	} rows[] = {
	    {"the first reading of all", GUARD_OF(50, 0, 0, 0, 0, 0), {0, 0, false, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"the first reading, changes missed", QUIET, {0, 0, false, true, 0}, GUARD_TAKE, EXACT_NOW},
	    {"nothing is gone", QUIET, {30, 0, true, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"half is gone", QUIET, {30, 15, true, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"more than half is gone", QUIET, {30, 16, true, false, 0}, GUARD_HOLD, HELD},
	    {"nine of nine are gone", QUIET, {9, 9, true, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"ten of ten are gone", QUIET, {10, 10, true, false, 0}, GUARD_HOLD, HELD},
	    {"of an announced loss one is still gone", ANNOUNCED, {30, 1, true, false, 0}, GUARD_HOLD, HELD},
	    {"of an announced loss all is back", ANNOUNCED, {30, 0, true, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"held, and one is still gone", HELD, {30, 1, true, false, 0}, GUARD_HOLD, HELD},
	    {"held, and one of few is still gone", HELD, {3, 1, true, false, 0}, GUARD_HOLD, HELD},
	    {"held, and all is back", HELD, {30, 0, true, false, 0}, GUARD_RETURNED, EXACT_NOW},
	    {"held, and guard_percent = 100 since",
	     GUARD_OF(100, true, false, EXACT, 0, 0),
	     {30, 30, true, false, 0},
	     GUARD_HOLD,
	     GUARD_OF(100, true, false, EXACT, 0, 0)},
	    {"held, and accepted in the millisecond of the loss",
	     GUARD_OF(50, true, false, EXACT, EXACT, EXACT),
	     {30, 30, true, false, 0},
	     GUARD_ACCEPTED,
	     GUARD_OF(50, false, false, NOW, EXACT, EXACT)},
	    {"held, and a word older than the loss",
	     GUARD_OF(50, true, false, EXACT, EXACT - 1, EXACT - 1),
	     {30, 30, true, false, 0},
	     GUARD_HOLD,
	     GUARD_OF(50, true, false, EXACT, EXACT - 1, EXACT - 1)},
	    {"accepted before it was held",
	     GUARD_OF(50, false, true, EXACT, EXACT + 1, EXACT + 1),
	     {30, 30, true, false, 0},
	     GUARD_TAKE,
	     GUARD_OF(50, false, false, NOW, EXACT + 1, EXACT + 1)},
	    {"nobody knows what there was, and Redis has none", BLIND, {0, 1, false, false, 0}, GUARD_HOLD, BLIND_HELD},
	    {"nobody knows, none, and changes missed", BLIND, {0, 1, false, true, 0}, GUARD_HOLD, BLIND_HELD},
	    {"nobody knows, and Redis has some", BLIND, {0, 0, false, false, 0}, GUARD_TAKE, EXACT_NOW},
	    {"nobody knows, none is there again", BLIND_HELD, {0, 1, false, false, 0}, GUARD_HOLD, BLIND_HELD},
	    {"nobody knows, held, and some are there", BLIND_HELD, {0, 0, false, false, 0}, GUARD_RETURNED, EXACT_NOW},
	    {"nobody knows, none, and guard_percent = 100",
	     {.percent = 100, .blind = true, .exact_at_ms = EXACT},
	     {0, 1, false, false, 0},
	     GUARD_TAKE,
	     GUARD_OF(100, false, false, NOW, 0, 0)},
	    {"nobody knows, none, and accepted since the start",
	     {.percent = 50, .blind = true, .exact_at_ms = EXACT, .accept_ms = EXACT, .accept_raw = EXACT},
	     {0, 1, false, false, 0},
	     GUARD_TAKE,
	     GUARD_OF(50, false, false, NOW, EXACT, EXACT)},
	    {"changes were missed", ANNOUNCED, {30, 30, true, true, 0}, GUARD_PUT_OFF, ANNOUNCED},
	    {"changes were missed, for the fifth time", HELD, {30, 0, true, true, 4}, GUARD_PUT_OFF, HELD},
	    {"changes are missed without an end", QUIET, {30, 30, true, true, 5}, GUARD_HOLD, HELD},
	    {"changes were missed before, not this time", QUIET, {30, 30, true, false, 3}, GUARD_HOLD, HELD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct guard g = rows[i].before;
		enum guard_verdict got = guard_judge_reading(&g, &rows[i].r, NOW);

		check_row_text(rows[i].name, names_name(guard_verdict_names, (int)got),
			       names_name(guard_verdict_names, (int)rows[i].verdict));
		check_row_text(rows[i].name, guard_shown(&g), guard_shown(&rows[i].after));
	}
}

static void what_is_announced_together(void **state)
{
	static const struct {
		const char *name;
		struct guard before;
		size_t had, lost;
		bool due;
		enum guard_loss loss;
		struct guard after;
	} rows[] = {
	    {"one", QUIET, 30, 1, false, GUARD_DROP, QUIET},
	    {"the last one", QUIET, 1, 1, false, GUARD_DROP, QUIET},
	    {"half", QUIET, 30, 15, false, GUARD_DROP, QUIET},
	    {"more than half", QUIET, 30, 16, false, GUARD_MASS_LOSS, GUARD_OF(50, false, true, NOW, 0, 0)},
	    {"more than half, while a reading is due", QUIET, 30, 16, true, GUARD_DROP_NEXT, QUIET},
	    {"one, while others are held", HELD, 30, 1, false, GUARD_DROP, HELD},
	    {"one of ten at nine percent", GUARD_OF(9, 0, 0, EXACT, 0, 0), 10, 1, false, GUARD_MASS_LOSS,
	     GUARD_OF(9, 0, 1, NOW, 0, 0)},
	    {"all that Redis has, while others are held", HELD, 30, 30, false, GUARD_MASS_LOSS,
	     GUARD_OF(50, 1, 1, EXACT, 0, 0)},
	    {"all, at 100", GUARD_OF(100, 0, 0, EXACT, 0, 0), 30, 30, false, GUARD_DROP,
	     GUARD_OF(100, 0, 0, EXACT, 0, 0)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct guard g = rows[i].before;

		check_row(rows[i].name,
			  guard_judge_batch(&g, rows[i].had, rows[i].lost, rows[i].due, NOW) == rows[i].loss);
		check_row_text(rows[i].name, guard_shown(&g), guard_shown(&rows[i].after));
	}
}

static void what_a_word_does(void **state)
{
	static const struct {
		const char *name;
		struct guard before;
		int64_t raw_ms;
		bool due;
		enum guard_word word;
		int64_t accept_ms;
	} rows[] = {
	    {"nothing is held", QUIET, NOW - 1, false, GUARD_WORD_NOTED, NOW - 1},
	    {"later than the loss", HELD, EXACT + 1, false, GUARD_WORD_TAKEN, EXACT + 1},
	    {"in the millisecond of the loss", HELD, EXACT, false, GUARD_WORD_TAKEN, EXACT},
	    {"older than the loss", HELD, EXACT - 1, false, GUARD_WORD_TOO_OLD, EXACT - 1},
	    {"the same old word again", GUARD_OF(50, 1, 0, EXACT, 7, 7), 7, false, GUARD_WORD_NOTED, 7},
	    {"no word", HELD, 0, false, GUARD_WORD_NOTED, 0},
	    {"it was taken back", GUARD_OF(50, 1, 0, EXACT, 7, 7), 0, false, GUARD_WORD_NOTED, 0},
	    {"a reading is due", HELD, EXACT + 1, true, GUARD_WORD_NOTED, EXACT + 1},
	    {"it waited for the reading", GUARD_OF(50, 1, 0, EXACT, NOW, NOW), NOW, false, GUARD_WORD_TAKEN, NOW},
	    {"from the future", HELD, INT64_MAX, false, GUARD_WORD_TAKEN, NOW},
	    {"from the future, seen before the loss", GUARD_OF(50, 1, 0, EXACT, 9, NOW + 9), NOW + 9, false,
	     GUARD_WORD_NOTED, 9},
	    {"nobody's number", HELD, -1, false, GUARD_WORD_TOO_OLD, -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct guard g = rows[i].before;

		check_row(rows[i].name, guard_accept(&g, rows[i].raw_ms, rows[i].due, NOW) == rows[i].word);
		check_row(rows[i].name, g.accept_ms == rows[i].accept_ms && g.accept_raw == rows[i].raw_ms);
		check_row(rows[i].name, g.held == (rows[i].before.held && rows[i].word != GUARD_WORD_TAKEN));
	}
}

/* FLUSHALL, the old word, half of the return, a restart, and the operator. */
static void a_life(void **state)
{
	struct guard g = {.percent = 50}, again = {.percent = 50};

	(void)state;
	assert_int_equal(guard_judge_reading(&g, &(struct guard_reading){.gone = 0}, 100), GUARD_TAKE);
	assert_int_equal(guard_accept(&g, 150, false, 150), GUARD_WORD_NOTED);
	guard_inexact(&g, 200);
	guard_flushed(&g, 30);
	assert_int_equal(guard_judge_reading(&g, &(struct guard_reading){30, 14, true, false, 0}, 300), GUARD_HOLD);
	assert_false(guard_returned(&g, 1, false, 400));
	guard_resume(&again, g.held, g.exact_at_ms);
	assert_int_equal(guard_accept(&again, 150, true, 500), GUARD_WORD_NOTED);
	assert_int_equal(guard_judge_reading(&again, &(struct guard_reading){30, 1, true, false, 0}, 500), GUARD_HOLD);
	assert_int_equal(guard_accept(&again, 199, false, 600), GUARD_WORD_TOO_OLD);
	assert_int_equal(guard_accept(&again, 550, false, 600), GUARD_WORD_TAKEN);
	assert_false(again.held);
	assert_true(guard_returned(&g, 0, false, 700));
	assert_int_equal(g.exact_at_ms, 700);
}

/* A start with a damaged snapshot: Redis away, empty, flushed again, and then settings or a word. */
static void a_blind_life(void **state)
{
	struct guard g = {.percent = 50}, other;

	(void)state;
	guard_blind(&g, 100);
	guard_flushed(&g, 0);
	assert_int_equal(guard_judge_batch(&g, 0, 0, false, 150), GUARD_DROP);
	assert_int_equal(guard_accept(&g, 99, true, 150), GUARD_WORD_NOTED);
	assert_int_equal(guard_judge_reading(&g, &(struct guard_reading){.gone = 1}, 200), GUARD_HOLD);
	assert_false(guard_returned(&g, 1, false, 250));
	other = g;
	assert_int_equal(guard_accept(&g, 101, false, 300), GUARD_WORD_TAKEN);
	assert_false(g.held || g.blind);
	assert_true(guard_returned(&other, 0, false, 300));
	assert_false(other.held || other.blind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_share_of_at_least_ten),
	    cmocka_unit_test(what_a_full_reading_means),
	    cmocka_unit_test(what_is_announced_together),
	    cmocka_unit_test(what_a_word_does),
	    cmocka_unit_test(a_life),
	    cmocka_unit_test(a_blind_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
