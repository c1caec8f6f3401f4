/*
 * test_expiry.c - the heap of ends against a plain list, with random sets, moves, drops and takings; and walks in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/mirror/expiry.h"

#define NAMES 200

static int64_t least(const int64_t at[NAMES])
{
	int64_t first = INT64_MAX;

	for (int i = 0; i < NAMES; i++)
		if (at[i] != 0 && at[i] < first)
			first = at[i];
	return first;
}

static void in_order_whatever_happens(void **state)
{
	int64_t at[NAMES] = {0}, before;
	char name[SETTING_NAME_SIZE];
	enum setting_kind kind;
	struct expiry e;
	bool moved;

	(void)state;
	srandom(1);
	expiry_init(&e);
	for (int step = 0; step < 200000; step++) {
		int i = (int)(random() % NAMES);

		before = expiry_first_ms(&e);
		if (random() % 4 == 0 && expiry_take(&e, before, &kind, name)) {
			i = atoi(name + 1) * SETTING_KINDS + (int)kind;
			assert_int_equal(at[i], before);
			at[i] = 0;
		} else {
			at[i] = random() % 5 == 0 ? 0 : 1 + random() % 1000;
			snprintf(name, sizeof(name), "d%d.test", i / SETTING_KINDS);
			moved = expiry_set(&e, (enum setting_kind)(i % SETTING_KINDS), name, at[i]);
			assert_int_equal(moved, expiry_first_ms(&e) != before);
		}
		assert_int_equal(expiry_first_ms(&e), least(at));
		assert_false(expiry_take(&e, least(at) - 1, &kind, name));
	}
	expiry_fini(&e);
}

struct seen {
	unsigned char name[3000];
	size_t calls;
};

static void mark(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct seen *seen = arg;

	assert_int_equal(value->mode, MODE_ENFORCED);
	seen->name[atoi(name + 1) * 3 + (int)kind]++;
	seen->calls++;
}

static void put(struct settings *s, int i)
{
	struct setting v;
	char name[40];

	setting_init(&v);
	v.has = SETTING_HAS_MODE;
	v.mode = MODE_ENFORCED;
	snprintf(name, sizeof(name), "d%d.test", i / 3);
	settings_put(s, (enum setting_kind)(i % 3), name, &v);
}

static void a_walk_meets_what_stays(void **state)
{
	(void)state;
	for (int growth = 0; growth <= 40; growth += 4) {
		struct settings *s = settings_new();
		struct settings_walk w = {0, 0};
		struct seen seen = {.calls = 0};
		int next = 600;

		for (int i = 0; i < 600; i++)
			put(s, i);
		while (settings_walk(s, &w, 7, mark, &seen)) /* the table grows under the walk, several times over */
			for (int n = 0; n < growth && next < 3000; n++)
				put(s, next++);
		for (int i = 0; i < 600; i++)
			assert_true(seen.name[i] > 0);
		if (growth == 0)
			assert_int_equal(seen.calls, 600);
		settings_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order_whatever_happens),
	    cmocka_unit_test(a_walk_meets_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
