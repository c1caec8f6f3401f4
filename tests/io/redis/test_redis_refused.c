/*
 * test_redis_refused.c - who waits hears NULL once, unless he was forgotten, whatever is said and done meanwhile.
 */
#include "unit/check.h"

#include <string.h>

#include "io/redis/redis_refused.h"

#define WAITERS 200

static struct redis_refused all;
static int told[WAITERS];
static bool gone;

static void note(const struct redis_reply *reply, void *arg)
{
	int *self = arg;

	assert_null(reply);
	++*self;
}

static void note_and_forget_next(const struct redis_reply *reply, void *arg)
{
	note(reply, arg);
	redis_refused_forget(&all, (int *)arg + 1);
}

static void note_and_add(const struct redis_reply *reply, void *arg)
{
	note(reply, arg);
	for (int i = 1; i < WAITERS; i++) /* the list moves */
		redis_refused_add(&all, note, &told[i]);
}

static void note_and_end(const struct redis_reply *reply, void *arg)
{
	note(reply, arg);
	gone = true;
	redis_refused_fini(&all);
}

static int begin(void **state)
{
	(void)state;
	memset(&all, 0, sizeof(all));
	memset(told, 0, sizeof(told));
	gone = false;
	return 0;
}

static int end(void **state)
{
	(void)state;
	redis_refused_fini(&all);
	return 0;
}

static void each_is_told_once(void **state)
{
	(void)state;
	for (int i = 0; i < WAITERS; i++)
		redis_refused_add(&all, note, &told[i]);
	redis_refused_forget(&all, &told[7]);
	redis_refused_tell(&all, &gone);
	redis_refused_tell(&all, &gone);
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(told[i], i != 7);
	assert_int_equal(all.count, 0);
}

/* The waiter's memory may be gone: he is not told although his turn has begun. */
static void who_is_forgotten_meanwhile_hears_nothing(void **state)
{
	(void)state;
	redis_refused_add(&all, note_and_forget_next, &told[0]);
	redis_refused_add(&all, note, &told[1]);
	redis_refused_add(&all, note, &told[2]);
	redis_refused_tell(&all, &gone);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 0);
	assert_int_equal(told[2], 1);
}

static void who_comes_meanwhile_is_told_next(void **state)
{
	(void)state;
	redis_refused_add(&all, note_and_add, &told[0]);
	redis_refused_tell(&all, &gone);
	assert_int_equal(told[1], 0);
	assert_int_equal(all.count, WAITERS - 1);
	redis_refused_tell(&all, &gone);
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(told[i], 1);
}

static void the_end_may_come_meanwhile(void **state)
{
	(void)state;
	redis_refused_add(&all, note_and_end, &told[0]);
	redis_refused_add(&all, note, &told[1]);
	redis_refused_tell(&all, &gone);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_is_told_once, begin, end),
	    cmocka_unit_test_setup_teardown(who_is_forgotten_meanwhile_hears_nothing, begin, end),
	    cmocka_unit_test_setup_teardown(who_comes_meanwhile_is_told_next, begin, end),
	    cmocka_unit_test_setup_teardown(the_end_may_come_meanwhile, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
