/*
 * test_verdict_cache.c - the cache of rendered answers: variants of a domain, ends, what is due, eviction.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "mapd/maps/verdict_cache.h"

#define NOW 1000000000000LL
#define LATER (NOW + 100000)

static struct verdict_cache *cache;

static int begin(void **state)
{
	(void)state;
	cache = verdict_cache_new(1000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	verdict_cache_free(&cache);
	assert_null(cache);
	return 0;
}

static void put(const char *key, unsigned line, const char *text, int64_t now, int64_t until)
{
	verdict_cache_put(cache, key, line, text, strlen(text), now, until);
}

/* The line, or "" ; its due in *DUE. */
static const char *get_due(const char *key, unsigned line, int64_t now, unsigned *due)
{
	static char text[4000];
	struct verdict_hit hit;

	*due = 0;
	if (!verdict_cache_get(cache, key, strlen(key), line, now, &hit))
		return "";
	memcpy(text, hit.text, hit.len);
	text[hit.len] = '\0';
	*due = hit.due;
	return text;
}

static const char *get(const char *key, unsigned line, int64_t now)
{
	unsigned due;

	return get_due(key, line, now, &due);
}

static size_t entries(void)
{
	struct verdict_cache_counts counts;

	verdict_cache_counts(cache, &counts);
	return counts.entries;
}

static void every_mode_and_form_has_its_line(void **state)
{
	char text[VERDICT_LINES][20];

	(void)state;
	for (unsigned i = 0; i < VERDICT_LINES; i++) {
		snprintf(text[i], sizeof(text[i]), "line %u", i);
		put("a.example", i, text[i], NOW, LATER);
	}
	for (unsigned i = 0; i < VERDICT_LINES; i++)
		assert_string_equal(get("a.example", i, NOW), text[i]);
	assert_int_equal(verdict_line(MODE_VERIFIED, true), VERDICT_LINES - 1);
	assert_int_equal(verdict_line(MODE_OPPORTUNISTIC, false), 0);
}

static void a_key_is_found_to_the_letter_only(void **state)
{
	static const char *const others[] = {
	    "A.example", "a.example.", "[a.example]", "a.example:587", "a.exampl",  "a.example2", "",
	    "[",         "]",          ":",           "[a.example",    "a.example]"};

	(void)state;
	put("a.example", 0, "x", NOW, LATER);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		check_row_text(others[i], get(others[i], 0, NOW), "");
	assert_string_equal(get("a.example", 1, NOW), "");
	assert_string_equal(get("a.example", 0, NOW), "x");
}

static void all_variants_of_a_domain_go_together(void **state)
{
	static const char *const variants[] = {"a.example", "a.example:587", "[a.example]", "[a.example]:587",
					       "[a.example]:2525"};
	static const char *const others[] = {"b.example",     "sub.a.example",   ".a.example",
					     "[2001:db8::1]", "[192.0.2.1]:587", "a.example.org"};

	(void)state;
	for (size_t by = 0; by < COUNT_OF(variants); by++) {
		for (size_t i = 0; i < COUNT_OF(variants); i++)
			put(variants[i], 0, "v", NOW, LATER);
		for (size_t i = 0; i < COUNT_OF(others); i++)
			put(others[i], 0, "o", NOW, LATER);
		verdict_cache_drop(cache, variants[by]);
		for (size_t i = 0; i < COUNT_OF(variants); i++)
			check_row_text(variants[i], get(variants[i], 0, NOW), "");
		for (size_t i = 0; i < COUNT_OF(others); i++)
			check_row_text(others[i], get(others[i], 0, NOW), "o");
	}
	verdict_cache_drop(cache, "[2001:db8::1]:25");
	assert_string_equal(get("[2001:db8::1]", 0, NOW), "");
	verdict_cache_drop(cache, "nothing.example");
	verdict_cache_drop(cache, "");
}

static void a_line_ends_on_the_dot(void **state)
{
	(void)state;
	put("a.example", 0, "x", NOW, NOW + 10);
	assert_string_equal(get("a.example", 0, NOW + 9), "x");
	assert_string_equal(get("a.example", 0, NOW + 10), "");
	put("b.example", 0, "x", NOW, NOW);
	assert_string_equal(get("b.example", 0, NOW - 1), "");
	put("a.example", 0, "y", NOW + 20, NOW + 20); /* not to be kept: what was there goes too */
	assert_int_equal(entries(), 0);
}

static void a_clock_set_back_leaves_nothing_alive(void **state)
{
	(void)state;
	put("a.example", 0, "x", NOW, LATER);
	assert_string_equal(get("a.example", 0, NOW - 1), "");
	put("a.example", 2, "y", NOW - 5000, LATER); /* the same end, but x would live for longer */
	assert_string_equal(get("a.example", 2, NOW - 5000), "y");
	assert_string_equal(get("a.example", 0, NOW - 5000), "");
}

static void lines_of_other_facts_go(void **state)
{
	(void)state;
	put("a.example", 0, "old", NOW, LATER);
	put("a.example", 2, "same facts", NOW + 5, LATER);
	assert_string_equal(get("a.example", 0, NOW + 6), "old");
	put("a.example", 2, "new", NOW + 7, LATER + 1000);
	assert_string_equal(get("a.example", 0, NOW + 8), "");
	assert_string_equal(get("a.example", 2, NOW + 8), "new");
	put("a.example", 2, "newer", NOW + 9, LATER + 1000);
	assert_string_equal(get("a.example", 2, NOW + 9), "newer");
}

static void dropping_all_leaves_nothing_and_takes_new_lines(void **state)
{
	(void)state;
	put("a.example", 0, "x", NOW, LATER);
	put("a.example", 2, "x", NOW, LATER);
	verdict_cache_drop_all(cache);
	assert_string_equal(get("a.example", 0, NOW), "");
	put("a.example", 0, "y", NOW, LATER);
	assert_string_equal(get("a.example", 0, NOW), "y");
	assert_string_equal(get("a.example", 2, NOW), "");
	assert_int_equal(entries(), 1);
}

static void the_last_quarter_asks_for_the_next_once(void **state)
{
	unsigned due;

	(void)state;
	put("a.example", 0, "x", NOW, NOW + 1000);
	get_due("a.example", 0, NOW + 749, &due);
	assert_int_equal(due, 0);
	get_due("a.example", 0, NOW + 750, &due);
	assert_int_equal(due, VERDICT_PREFETCH);
	get_due("a.example", 0, NOW + 751, &due);
	assert_int_equal(due, 0);
	put("a.example", 2, "y", NOW + 760, NOW + 1000); /* the same facts: asked already */
	get_due("a.example", 0, NOW + 761, &due);
	assert_int_equal(due, 0);
}

static void strict_lines_are_due_to_be_remembered(void **state)
{
	const int64_t day = NOW + 86400000;
	unsigned due;

	(void)state;
	for (unsigned line = 0; line < VERDICT_LINES; line++)
		put("a.example", line, "x", NOW, day);
	for (unsigned line = 0; line < VERDICT_LINES; line++) {
		get_due("a.example", line, NOW + VERDICT_TOUCH_MS - 1, &due);
		assert_int_equal(due, 0);
	}
	get_due("a.example", verdict_line(MODE_OPPORTUNISTIC, false), NOW + VERDICT_TOUCH_MS, &due);
	assert_int_equal(due, 0);
	get_due("a.example", verdict_line(MODE_ENFORCED, true), NOW + VERDICT_TOUCH_MS, &due);
	assert_int_equal(due, VERDICT_TOUCH);
	get_due("a.example", verdict_line(MODE_ENFORCED, false), NOW + VERDICT_TOUCH_MS, &due);
	assert_int_equal(due, 0);
	get_due("a.example", verdict_line(MODE_VERIFIED, false), NOW + VERDICT_TOUCH_MS, &due);
	assert_int_equal(due, VERDICT_TOUCH);
	get_due("a.example", verdict_line(MODE_VERIFIED, false), NOW + 2 * VERDICT_TOUCH_MS, &due);
	assert_int_equal(due, VERDICT_TOUCH);
}

static void put_number(int i, int64_t until)
{
	char key[40];

	snprintf(key, sizeof(key), "d%d.example", i);
	put(key, 0, "13:OK encrypt ok,", NOW, until);
}

static void it_is_bounded_and_keeps_what_is_used(void **state)
{
	struct verdict_cache_counts counts;
	int hot = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		put_number(i, LATER);
		for (int h = 0; h < 50; h++) {
			char key[40];

			snprintf(key, sizeof(key), "d%d.example", h);
			get(key, 0, NOW);
		}
	}
	verdict_cache_counts(cache, &counts);
	assert_true(counts.entries <= 1000);
	assert_true(counts.entries >= 999);
	assert_int_equal(counts.evicted, 20000 - counts.entries);
	for (int h = 0; h < 50; h++) {
		char key[40];

		snprintf(key, sizeof(key), "d%d.example", h);
		hot += *get(key, 0, NOW) != '\0';
	}
	assert_int_equal(hot, 50);
	verdict_cache_resize(cache, 10);
	put_number(99999, LATER);
	assert_true(entries() > 900); /* no long pause */
	for (int i = 0; i < 100; i++)
		put_number(100000 + i, LATER);
	assert_true(entries() <= 10);
}

static void large_lines_count_by_their_octets(void **state)
{
	static char large[100000];
	struct verdict_cache_counts counts;
	char key[40];

	(void)state;
	memset(large, 'x', sizeof(large));
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "big%d.example", i);
		verdict_cache_put(cache, key, 0, large, sizeof(large), NOW, LATER);
	}
	verdict_cache_counts(cache, &counts);
	assert_true(counts.bytes <= 1001 * 1024 + sizeof(large));
	assert_true(counts.entries >= 5);
	verdict_cache_resize(cache, 1); /* one line may be larger than all the room: it is kept alone */
	verdict_cache_put(cache, "last.example", 0, large, sizeof(large), NOW, LATER);
	assert_int_equal(entries(), 1);
}

static void shared_lines_survive_their_sharers(void **state)
{
	(void)state;
	put("a.example", 0, "13:OK encrypt ok,", NOW, LATER);
	put("b.example", 0, "13:OK encrypt ok,", NOW, LATER);
	verdict_cache_drop(cache, "a.example");
	assert_string_equal(get("b.example", 0, NOW), "13:OK encrypt ok,");
	for (int i = 0; i < 1000; i++) { /* other lines take the places of the shared ones */
		char text[40], key[40];

		snprintf(text, sizeof(text), "line %d", i);
		snprintf(key, sizeof(key), "c%d.example", i % 7);
		put(key, 0, text, NOW, LATER + i);
	}
	assert_string_equal(get("b.example", 0, NOW), "13:OK encrypt ok,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(every_mode_and_form_has_its_line, begin, end),
	    cmocka_unit_test_setup_teardown(a_key_is_found_to_the_letter_only, begin, end),
	    cmocka_unit_test_setup_teardown(all_variants_of_a_domain_go_together, begin, end),
	    cmocka_unit_test_setup_teardown(a_line_ends_on_the_dot, begin, end),
	    cmocka_unit_test_setup_teardown(a_clock_set_back_leaves_nothing_alive, begin, end),
	    cmocka_unit_test_setup_teardown(lines_of_other_facts_go, begin, end),
	    cmocka_unit_test_setup_teardown(dropping_all_leaves_nothing_and_takes_new_lines, begin, end),
	    cmocka_unit_test_setup_teardown(the_last_quarter_asks_for_the_next_once, begin, end),
	    cmocka_unit_test_setup_teardown(strict_lines_are_due_to_be_remembered, begin, end),
	    cmocka_unit_test_setup_teardown(it_is_bounded_and_keeps_what_is_used, begin, end),
	    cmocka_unit_test_setup_teardown(large_lines_count_by_their_octets, begin, end),
	    cmocka_unit_test_setup_teardown(shared_lines_survive_their_sharers, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
