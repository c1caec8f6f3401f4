/*
 * test_refusal_memory.c - which strict answers a host got lately; and the limits of log lines, which have no test of
 * their own.
 */
#include "unit/check.h"

#include "base/ratelimit.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/maps/verdict_cache.h"

#define NOW 5000000LL
#define HOUR REFUSAL_LATELY_MS
/* a note may be that much older than the last answer it stands for */
#define FORGOTTEN (HOUR + VERDICT_TOUCH_MS)

#define ENFORCED (1u << MODE_ENFORCED)
#define VERIFIED (1u << MODE_VERIFIED)

static void only_the_mode_alone_and_nothing_else(void **state)
{
	struct refusal_memory *m = refusal_memory_new(100);

	(void)state;
	assert_int_equal(refusal_memory_modes(m, "mx.a.example", NOW), 0);
	refusal_memory_note(m, "mx.a.example", MODE_ENFORCED, NOW);
	assert_int_equal(refusal_memory_modes(m, "mx.a.example", NOW + 1), ENFORCED);
	assert_int_equal(refusal_memory_modes(m, "mx.b.example", NOW + 1), 0);
	refusal_memory_note(m, "mx.a.example", MODE_OPPORTUNISTIC, NOW + 2);
	assert_int_equal(refusal_memory_modes(m, "mx.a.example", NOW + 3), 0);
	refusal_memory_note(m, "mx.a.example", MODE_ENFORCED, NOW + 4);
	assert_int_equal(refusal_memory_modes(m, "mx.a.example", NOW + 5), 0);
	assert_int_equal(refusal_memory_count(m), 1);
	refusal_memory_free(&m);
	assert_null(m);
}

static void an_hour_is_remembered(void **state)
{
	struct refusal_memory *m = refusal_memory_new(100);

	(void)state;
	refusal_memory_note(m, "a", MODE_ENFORCED, NOW);
	assert_int_equal(refusal_memory_modes(m, "a", NOW + HOUR), ENFORCED);
	assert_int_equal(refusal_memory_modes(m, "a", NOW + FORGOTTEN), 0);
	refusal_memory_note(m, "b", MODE_OPPORTUNISTIC, NOW);
	refusal_memory_note(m, "b", MODE_ENFORCED, NOW + HOUR);
	assert_int_equal(refusal_memory_modes(m, "b", NOW + HOUR), 0);
	assert_int_equal(refusal_memory_modes(m, "b", NOW + FORGOTTEN - 1), 0);
	assert_int_equal(refusal_memory_modes(m, "b", NOW + FORGOTTEN), ENFORCED);
	refusal_memory_free(&m);
}

static void it_knows_which_modes_asked(void **state)
{
	struct refusal_memory *m = refusal_memory_new(100);

	(void)state;
	refusal_memory_note(m, "a", MODE_VERIFIED, NOW);
	assert_int_equal(refusal_memory_modes(m, "a", NOW), VERIFIED);
	refusal_memory_note(m, "a", MODE_ENFORCED, NOW + HOUR);
	assert_int_equal(refusal_memory_modes(m, "a", NOW + HOUR), ENFORCED | VERIFIED);
	assert_int_equal(refusal_memory_modes(m, "a", NOW + FORGOTTEN), ENFORCED);
	refusal_memory_note(m, "a", MODE_OPPORTUNISTIC, NOW + FORGOTTEN);
	assert_int_equal(refusal_memory_modes(m, "a", NOW + FORGOTTEN), 0);
	refusal_memory_free(&m);
}

static void note_many(struct refusal_memory *m, int count, enum mode alone, int64_t now)
{
	for (int i = 0; i < count; i++) {
		char name[40];

		snprintf(name, sizeof(name), "mx%d.example", i);
		refusal_memory_note(m, name, alone, now);
	}
}

static void it_is_bounded_and_forgetting_counts_against_a_bounce(void **state)
{
	struct refusal_memory *m = refusal_memory_new(10);

	(void)state;
	refusal_memory_note(m, "dane", MODE_OPPORTUNISTIC, NOW);
	note_many(m, 10, MODE_ENFORCED, NOW + 10); /* "dane" had to go */
	assert_int_equal(refusal_memory_count(m), 10);
	refusal_memory_note(m, "dane", MODE_ENFORCED, NOW + 20);
	assert_int_equal(refusal_memory_modes(m, "dane", NOW + 30), 0);
	assert_int_equal(refusal_memory_modes(m, "dane", NOW + 10 + FORGOTTEN), ENFORCED);
	refusal_memory_free(&m);
}

static void forgetting_the_mode_alone_does_no_harm(void **state)
{
	struct refusal_memory *m = refusal_memory_new(10);

	(void)state;
	note_many(m, 1000, MODE_ENFORCED, NOW);
	assert_int_equal(refusal_memory_count(m), 10);
	assert_int_equal(refusal_memory_modes(m, "mx999.example", NOW + 1), ENFORCED);
	assert_int_equal(refusal_memory_modes(m, "mx0.example", NOW + 1), 0);
	refusal_memory_note(m, "mx0.example", MODE_ENFORCED, NOW + 2);
	assert_int_equal(refusal_memory_modes(m, "mx0.example", NOW + 3), ENFORCED);
	refusal_memory_free(&m);
}

static void the_least_lately_noted_goes(void **state)
{
	struct refusal_memory *m = refusal_memory_new(3);

	(void)state;
	refusal_memory_note(m, "a", MODE_ENFORCED, NOW);
	refusal_memory_note(m, "b", MODE_ENFORCED, NOW);
	refusal_memory_note(m, "c", MODE_ENFORCED, NOW);
	refusal_memory_note(m, "a", MODE_ENFORCED, NOW);
	refusal_memory_note(m, "d", MODE_ENFORCED, NOW);
	assert_int_equal(refusal_memory_modes(m, "a", NOW), ENFORCED);
	assert_int_equal(refusal_memory_modes(m, "b", NOW), 0);
	refusal_memory_free(&m);
}

static void lines_are_limited_and_counted(void **state)
{
	struct ratelimit r = {0};
	unsigned long suppressed = 7;

	(void)state;
	for (int i = 0; i < RATELIMIT_LINES; i++) {
		assert_true(ratelimit_ok(&r, NOW + i, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	for (int i = 0; i < 5; i++)
		assert_false(ratelimit_ok(&r, NOW + RATELIMIT_WINDOW_MS - 1, &suppressed));
	assert_true(ratelimit_ok(&r, NOW + RATELIMIT_WINDOW_MS, &suppressed));
	assert_int_equal(suppressed, 5);
	assert_true(ratelimit_ok(&r, NOW + RATELIMIT_WINDOW_MS + 1, &suppressed));
	assert_int_equal(suppressed, 0);
}

static void a_name_has_a_line_a_minute(void **state)
{
	static struct ratelimit_names r;
	unsigned long unsaid;

	(void)state;
	assert_true(ratelimit_name_ok(&r, "a", 0, NOW, &unsaid));
	assert_false(ratelimit_name_ok(&r, "a", 0, NOW + RATELIMIT_NAME_MS - 1, &unsaid));
	assert_true(ratelimit_name_ok(&r, "a", 1, NOW, &unsaid));
	assert_true(ratelimit_name_ok(&r, "b", 0, NOW, &unsaid));
	assert_true(ratelimit_name_ok(&r, "a", 0, NOW + RATELIMIT_NAME_MS, &unsaid));
	assert_false(ratelimit_name_ok(&r, "a", 0, NOW + RATELIMIT_NAME_MS + 1, &unsaid));
}

static void a_flood_of_names_is_no_flood_of_lines(void **state)
{
	static struct ratelimit_names r;
	unsigned long unsaid;
	unsigned said = 0;
	char name[24];

	(void)state;
	for (int i = 0; i < RATELIMIT_NAMES_LINES + 500; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		said += ratelimit_name_ok(&r, name, 0, NOW, &unsaid);
	}
	assert_int_equal(said, RATELIMIT_NAMES_LINES);
	assert_true(ratelimit_name_ok(&r, name, 0, NOW + RATELIMIT_WINDOW_MS, &unsaid));
	assert_int_equal(unsaid, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_knows_which_modes_asked),
	    cmocka_unit_test(only_the_mode_alone_and_nothing_else),
	    cmocka_unit_test(an_hour_is_remembered),
	    cmocka_unit_test(it_is_bounded_and_forgetting_counts_against_a_bounce),
	    cmocka_unit_test(forgetting_the_mode_alone_does_no_harm),
	    cmocka_unit_test(the_least_lately_noted_goes),
	    cmocka_unit_test(lines_are_limited_and_counted),
	    cmocka_unit_test(a_name_has_a_line_a_minute),
	    cmocka_unit_test(a_flood_of_names_is_no_flood_of_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
