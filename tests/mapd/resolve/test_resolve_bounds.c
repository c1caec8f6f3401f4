/*
 * test_resolve_bounds.c - the resolver's bounds: jobs, known domains, policies, octets.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>

static void test_storm(void **state)
{
	static struct asker a[10000];
	char name[40];
	size_t refused = 0, answered = 0;

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "d%zu.example", i);
		if (i < 100)
			room_plain(name, 300);
		room_ask(&a[i], name);
		refused += !a[i].wait;
	}
	assert_int_equal(refused, 9900);
	assert_int_equal(room_counts().refused, 9900);
	world_run();
	for (size_t i = 0; i < 10000; i++)
		answered += a[i].answers;
	assert_int_equal(answered, 100);
	room_plain("later.example", 300);
	assert_int_equal(room_answer("later.example").answers, 1);
}

/* Policy hosts that never end must not keep others out. */
static void test_background_gives_way(void **state)
{
	struct asker a[100], late;
	char name[40];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d%zu.example", i);
		room_with_sts(name, "1", DAY);
		world_hold(room_policy_host(name));
		room_ask(&a[i], name);
	}
	room_plain("late.example", 300);
	world_run();
	room_ask(&late, "late.example");
	assert_null(late.wait); /* all of them have somebody who waits */
	world_pass(5100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(a[i].answers, 1);
	late = room_answer("late.example");
	assert_int_equal(late.answers, 1);
	assert_int_equal(room_counts().given_up, 1);
	assert_int_equal(world_fetches_open(), 99);
	world_pass(60 * 1000);
	assert_int_equal(room_counts().jobs, 0);
}

static void test_eviction_keeps_policies_in_force(void **state)
{
	char name[40];

	(void)state;
	room.conf.mapd.cache_entries = 50;
	resolver_reconf(room.resolver, &room.conf, world_dns(), world_https());
	for (size_t i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "sts%zu.example", i);
		room_with_sts(name, "1", 7 * DAY);
		assert_true(room_answer(name).enforce);
	}
	for (size_t i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "plain%zu.example", i);
		room_answer(name);
	}
	assert_int_equal(room_counts().known, 50);
	assert_int_equal(room_counts().policies, 10);
	assert_int_equal(room_counts().policies_evicted, 0);
	world_redis_away = true;
	for (size_t i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "sts%zu.example", i);
		world_policy_fails(room_policy_host(name), FETCH_FAILED, "connection refused");
		world_sts_txt(name, NULL, 300);
		world_pass(400 * 1000);
		assert_true(room_answer(name).enforce);
	}
}

static void test_more_policies_than_room(void **state)
{
	char name[40];

	(void)state;
	room.conf.mapd.cache_entries = 10;
	resolver_reconf(room.resolver, &room.conf, world_dns(), world_https());
	for (size_t i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "sts%zu.example", i);
		room_with_sts(name, "1", 7 * DAY);
		assert_true(room_answer(name).enforce);
	}
	assert_int_equal(room_counts().known, 10);
	assert_int_equal(room_counts().policies_evicted, 20);
	assert_int_equal(room_counts().policies_dated, 10);
	assert_true(room_answer("sts0.example").enforce); /* Redis still has it */
	assert_int_equal(world_fetches(NULL), 30);
}

/* Not a test of right or wrong: what a domain costs. */
static void test_octets_per_domain(void **state)
{
	char name[40];
	size_t before;

	(void)state;
	for (size_t i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "plain%zu.example", i);
		room_plain(name, 300);
		room_answer(name);
	}
	before = room_counts().known_octets;
	print_message("# %zu octets per plain domain\n", before / 500);
	for (size_t i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "sts%zu.example", i);
		room_with_sts(name, "20260101000000", DAY);
		room_answer(name);
	}
	print_message("# %zu octets per domain with a policy\n", (room_counts().known_octets - before) / 100);
	assert_true(before / 500 < 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_storm),
	    ROOM_TEST(test_background_gives_way),
	    ROOM_TEST(test_eviction_keeps_policies_in_force),
	    ROOM_TEST(test_more_policies_than_room),
	    ROOM_TEST(test_octets_per_domain),
	};

	return cmocka_run_group_tests_name("resolve_bounds", tests, NULL, NULL);
}
