/*
 * test_resolve_refresh.c - policies are fetched anew before they end, and facts before they are asked for.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>
#include <string.h>

#include "core/rkeys.h"

static void test_refresh_without_a_query(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", 7 * DAY);
	assert_true(room_answer("a.example").enforce);
	assert_int_equal(room_counts().policies_dated, 1);
	world_sts_txt("a.example", NULL, 300); /* whether or not the TXT record is still there */
	world_pass(21 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(3 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	assert_int_equal(room_counts().refreshed, 1);
	assert_true(room.heard.enforce);
	world_pass(24 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
}

static void test_refresh_of_short_lives(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", 100); /* half of it is less than a minute */
	assert_true(room_answer("a.example").enforce);
	for (int i = 0; i < 59; i++)
		world_pass(1000);
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(1000);
	assert_int_equal(world_fetches(NULL), 2);
	world_pass(60 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
}

static void test_failing_refresh_holds_off_and_warns(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", 2 * DAY);
	assert_true(room_answer("a.example").enforce);
	world_policy_fails(room_policy_host("a.example"), FETCH_FAILED, "connection refused");
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	assert_non_null(strstr(room.last_line, "in_force=enforce refresh=yes"));
	world_pass(290 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	world_pass(11 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
	for (int hour = 0; hour < 23; hour++) {
		world_pass(3600 * 1000);
		assert_true(room_answer("a.example").enforce); /* to the end of its life */
	}
	world_pass(3600 * 1000);
	assert_false(room_answer("a.example").policy);
	assert_int_equal(room_counts().policies, 0);
	assert_int_equal(room_counts().policies_dated, 0);
}

static void test_redis_away_for_the_whole_life(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_redis_away = true;
	world_policy_fails(room_policy_host("a.example"), FETCH_FAILED, "connection refused");
	world_dns_status("_mta-sts.a.example", RR_TXT, RR_ERROR);
	for (int hour = 0; hour < 23; hour++) {
		world_pass(3600 * 1000);
		assert_true(room_answer("a.example").enforce);
	}
	world_pass(2 * 3600 * 1000);
	assert_false(room_answer("a.example").policy);
}

static void test_refresh_is_another_nodes(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_pass(8 * 3600 * 1000);
	room_other_node_fetched("sts:a.example", "enforce");
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_pass(4 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(room_counts().policies_dated, 1);
}

/* tlsmode cache refresh: the field "refresh" in the hash (facts_text.h). */
static void test_operator_asks_for_a_fetch(void **state)
{
	char at[24], asked[24];

	(void)state;
	room_with_sts("a.example", "1", 7 * DAY);
	assert_true(room_answer("a.example").enforce);
	snprintf(at, sizeof(at), "%lld", (long long)world_now());
	world_pass(100 * 1000);
	snprintf(asked, sizeof(asked), "%lld", (long long)world_now());
	world_hash("sts:a.example", (const char *[]){"mode", "enforce", "max_age", "604800", "mx", "mx.a.example", "id",
						     "1", "fetched_at", at, "refresh", asked, NULL});
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(world_fetches(NULL), 2);
	assert_int_equal(room_counts().refreshed, 1);
	assert_null(world_hash_get("sts:a.example", "refresh"));
	world_pass(100 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
}

static void test_refresh_at_most_ten_at_once(void **state)
{
	char name[40];

	(void)state;
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		room_with_sts(name, "1", 7 * DAY);
		assert_true(room_answer(name).enforce);
		world_hold(room_policy_host(name));
	}
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(world_fetches_open(), 10);
	assert_int_equal(room_counts().jobs, 10);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		world_release(room_policy_host(name));
	}
	world_run();
	assert_int_equal(room_counts().refreshed, 30);
	assert_int_equal(room_counts().jobs, 0);
}

static void test_refreshed_policy_reaches_variants(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", 7 * DAY);
	room_answer("a.example");
	room_answer("a.example:587");
	world_policy(room_policy_host("a.example"), "none", DAY, "mx.a.example");
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(room.heard.calls, 2);
	a = room_answer("a.example:587");
	assert_true(a.policy);
	assert_false(a.enforce);
}

static void test_restart_takes_policies_from_redis(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", 7 * DAY);
	assert_true(room_answer("a.example").enforce);
	resolver_free(&room.resolver);
	world_end();
	room_open();
	room_other_node_fetched("sts:a.example", "enforce");
	room_plain("a.example", 300);
	assert_true(room_answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(room_counts().policies_dated, 1); /* asked for once: refreshed from here on */
}

static void prefetch(const char *name)
{
	struct nexthop n = room_hop(name);

	resolve_prefetch(room.resolver, &n);
}

static void test_prefetch(void **state)
{
	(void)state;
	room_with_dane("a.example", 300);
	room_answer("a.example");
	world_pass(250 * 1000);
	prefetch("a.example");
	prefetch("a.example");
	assert_true(room_is_known("a.example")); /* the old serves meanwhile */
	world_run();
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_int_equal(room.heard.calls, 1);
	world_pass(100 * 1000);
	assert_true(room_is_known("a.example"));
}

static void test_failed_prefetch_spoils_nothing(void **state)
{
	(void)state;
	room_with_dane("a.example", 300);
	room_answer("a.example");
	world_dns_status("a.example", RR_MX, RR_ERROR);
	world_pass(250 * 1000);
	prefetch("a.example");
	world_run();
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_true(room_is_known("a.example"));
	assert_int_equal(room_answer("a.example").mx, MX_SECURE);
	world_pass(51 * 1000);
	assert_int_equal(room_answer("a.example").mx, MX_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_refresh_without_a_query),
	    ROOM_TEST(test_refresh_of_short_lives),
	    ROOM_TEST(test_failing_refresh_holds_off_and_warns),
	    ROOM_TEST(test_redis_away_for_the_whole_life),
	    ROOM_TEST(test_refresh_is_another_nodes),
	    ROOM_TEST(test_operator_asks_for_a_fetch),
	    ROOM_TEST(test_refresh_at_most_ten_at_once),
	    ROOM_TEST(test_refreshed_policy_reaches_variants),
	    ROOM_TEST(test_restart_takes_policies_from_redis),
	    ROOM_TEST(test_prefetch),
	    ROOM_TEST(test_failed_prefetch_spoils_nothing),
	};

	return cmocka_run_group_tests_name("resolve_refresh", tests, NULL, NULL);
}
