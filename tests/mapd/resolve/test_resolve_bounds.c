/*
 * test_resolve_bounds.c - the resolver's bounds: jobs, known domains, policies, octets.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>

#include "mapd/resolve/jobs.h"

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

/* Anybody may ask for every port of one name: others have their jobs, and what those ports wait for is little. */
static void test_ports_of_one_name(void **state)
{
	static struct asker a[70000];
	struct asker other;
	char name[40];
	size_t waiting = 0;

	(void)state;
	room.conf.mapd.max_jobs = 1000;
	resolver_reconf(room.resolver, &room.conf, world_dns(), world_https());
	room_plain("a.example", 300);
	room_plain("b.example", 300);
	for (size_t i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), i % 2 ? "a.example:%zu" : "[a.example]:%zu", i / 2 + 1000);
		room_ask(&a[i], name);
		waiting += !!a[i].wait;
		assert_in_range(room_counts().jobs, 1, JOBS_VARIANTS);
	}
	assert_int_equal(waiting, JOBS_VARIANTS);
	assert_int_equal(room_counts().refused, 70000 - JOBS_VARIANTS);
	assert_int_equal(room.lines_crowded, 1);
	room_ask(&other, "b.example");
	assert_non_null(other.wait);
	world_run();
	assert_int_equal(other.answers, 1);
	for (size_t i = 0; i < JOBS_VARIANTS; i++)
		assert_int_equal(a[i].answers, 1);
	assert_int_equal(room_answer("a.example").answers, 1);
	world_pass(61 * 1000);
	for (size_t i = 0; i < 70000; i++) { /* a minute later somebody says so again */
		snprintf(name, sizeof(name), "a.example:%zu", i % 64000 + 1500);
		room_ask(&a[i], name);
	}
	assert_int_equal(room.lines_crowded, 2);
	world_run();
}

/* A policy host that never ends keeps its own name's next hops under way: they give way to a new one of that name. */
static void test_ports_in_the_background(void **state)
{
	struct asker a[JOBS_VARIANTS], late;
	char name[40];

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_hold(room_policy_host("a.example"));
	for (size_t i = 0; i < JOBS_VARIANTS; i++) {
		snprintf(name, sizeof(name), "a.example:%zu", i + 1000);
		room_ask(&a[i], name);
	}
	world_run();
	room_ask(&late, "a.example");
	assert_null(late.wait);
	world_pass(5100);
	for (size_t i = 0; i < JOBS_VARIANTS; i++)
		assert_int_equal(a[i].answers, 1);
	assert_int_equal(room_counts().jobs, JOBS_VARIANTS);
	room_ask(&late, "a.example");
	assert_non_null(late.wait);
	assert_int_equal(room_counts().given_up, 1);
	assert_int_equal(room_counts().jobs, JOBS_VARIANTS);
	world_pass(5100);
	assert_int_equal(late.answers, 1);
	world_pass(60 * 1000);
	assert_int_equal(room_counts().jobs, 0);
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
	    ROOM_TEST(test_ports_of_one_name),
	    ROOM_TEST(test_ports_in_the_background),
	    ROOM_TEST(test_background_gives_way),
	    ROOM_TEST(test_eviction_keeps_policies_in_force),
	    ROOM_TEST(test_more_policies_than_room),
	    ROOM_TEST(test_octets_per_domain),
	};

	return cmocka_run_group_tests_name("resolve_bounds", tests, NULL, NULL);
}
