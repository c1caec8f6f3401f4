/*
 * test_settings_many.c - the table of all settings through many changes, in every combination of keys, and at its full
 * size.
 */
#include "unit/settings_room.h"

#include <time.h>

/* The same sequence in every run. */
static unsigned next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33);
}

#define NAMES 5000

/* Puts and removals in any order, through every growth of the table, against an array that knows what must be there. */
static void churn_loses_and_invents_nothing(void **state)
{
	static bool there[SETTING_KINDS][NAMES];
	struct settings *s = settings_new();
	size_t count = 0;
	uint64_t seed = 1;
	struct setting v;
	char name[32];

	(void)state;
	for (int i = 0; i < 300000; i++) {
		enum setting_kind kind = (enum setting_kind)(next_random(&seed) % SETTING_KINDS);
		unsigned n = next_random(&seed) % NAMES;
		bool *is = &there[kind][n];
		snprintf(name, sizeof(name), "n%u.example", n);
		check_row(name, settings_get(s, kind, name, &v) == *is);
		if (next_random(&seed) % 3 == 0) {
			check_row(name, settings_remove(s, kind, name) == *is);
			count -= *is;
			*is = false;
		} else {
			put(s, kind, name, (int64_t)n + 1, "note=x");
			count += !*is;
			*is = true;
		}
		assert_int_equal(settings_count(s), count);
	}
	for (int kind = 0; kind < SETTING_KINDS; kind++) {
		for (unsigned n = 0; n < NAMES; n++) {
			snprintf(name, sizeof(name), "n%u.example", n);
			check_row(name, settings_get(s, (enum setting_kind)kind, name, &v) == there[kind][n]);
			check_row(name, v.ends_at_ms == (there[kind][n] ? (int64_t)n + 1 : 0));
		}
	}
	settings_free(&s);
}

/* The closest key, found the slow way: of all keys that cover DOMAIN the longest, an exact one before all. */
static const char *closest_slowly(const char *const keys[], const bool in[], size_t count, const char *domain)
{
	const char *best = "";
	size_t len = strlen(domain);

	for (size_t i = 0; i < count; i++) {
		size_t key_len = strlen(keys[i]);
		bool suffix = keys[i][0] == '.' && key_len < len && strcmp(domain + len - key_len, keys[i]) == 0;
		if (!in[i])
			continue;
		if (strcmp(keys[i], domain) == 0)
			return keys[i];
		if (suffix && (key_len > strlen(best) || best[0] == '*'))
			best = keys[i];
		if (strcmp(keys[i], "*") == 0 && best[0] == '\0')
			best = keys[i];
	}
	return best;
}

static void the_closest_key_is_the_closest_in_every_table(void **state)
{
	static const char *const keys[] = {"a", "b.a", "c.b.a", ".a", ".b.a", ".c.b.a", ".ba", "ba", "*"};
	static const char *const domains[] = {"a",   "b.a", "c.b.a", "d.c.b.a", "e.d.c.b.a",
					      "x.a", "ba",  "x.ba",  "b.ba",    "y"};

	(void)state;
	for (unsigned set = 0; set < 1u << COUNT_OF(keys); set++) {
		struct settings *s = settings_new();
		bool in[COUNT_OF(keys)];
		for (size_t i = 0; i < COUNT_OF(keys); i++) {
			in[i] = (set >> i & 1) != 0;
			if (in[i]) {
				put(s, S, keys[i], 0, "mode=verified");
				put(s, R, keys[i], 0, "match=x");
				put(s, X, keys[i], 0, "sts=ignore");
			}
		}
		for (size_t d = 0; d < COUNT_OF(domains); d++) {
			const char *expect = closest_slowly(keys, in, COUNT_OF(keys), domains[d]);
			check_row_text(domains[d], sender(s, domains[d], 0).mode_key, expect);
			check_row_text(domains[d], dest(s, domains[d], 0).match_key, expect);
			check_row_text(domains[d], dest(s, domains[d], 0).except_key, expect);
		}
		settings_free(&s);
	}
}

#define MANY 1000000

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Memory is asserted; times are only printed. */
static void a_million_modes_are_small(void **state)
{
	struct settings *s = settings_new();
	struct setting v;
	char name[40];
	double from, put_s, get_s, worst = 0;

	(void)state;
	setting_init(&v);
	v.has = SETTING_HAS_MODE;
	v.mode = MODE_ENFORCED;
	put_s = seconds();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "customer%06d.example", i);
		from = seconds();
		settings_put(s, S, name, &v);
		worst = seconds() - from > worst ? seconds() - from : worst;
	}
	put_s = seconds() - put_s;
	size_t each = settings_octets(s) / MANY;
	get_s = seconds();
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "customer%06ld.example", i * 7919L % MANY);
		assert_int_equal(sender(s, name, 0).mode, MODE_ENFORCED);
	}
	get_s = seconds() - get_s;
	print_message("# %d keys: %zu octets each, put %.2f us, worst put %.0f us, sender look-up %.2f us\n", MANY,
		      each, put_s * 1e6 / MANY, worst * 1e6, get_s * 1e6 / MANY);
	assert_in_range(each, 20, 80);
	settings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(churn_loses_and_invents_nothing),
	    cmocka_unit_test(the_closest_key_is_the_closest_in_every_table),
	    cmocka_unit_test(a_million_modes_are_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
