/*
 * test_resolve_deadlines.c - what the resolver answers when DNS, Redis or a policy host does not answer in time.
 */
#include "mapd/resolve/resolve_room.h"

static void test_dns_timeout_ends_the_dns_part_only(void **state)
{
	struct asker a;

	(void)state;
	room.conf.sts.timeout_s = 8;
	resolver_reconf(room.resolver, &room.conf, world_dns(), world_https());
	room_with_sts("a.example", "1", DAY);
	world_dns_silent("a.example", RR_MX);
	world_hold(room_policy_host("a.example"));
	room_ask(&a, "a.example");
	world_pass(6100);
	assert_int_equal(a.answers, 0); /* the policy is still waited for */
	assert_int_equal(room_counts().timeouts, 1);
	world_release(room_policy_host("a.example"));
	world_run();
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_true(a.enforce);
}

static void test_dns_timeout(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	room_ask(&a, "a.example");
	world_pass(5900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	assert_int_equal(world_dns_open(), 0);
	assert_int_equal(room_counts().timeouts, 1);
	assert_int_equal(room.lines_timeout, 1);
	assert_int_equal(room_counts().jobs, 0);
	assert_null(world_hash_get("dane:a.example", "mx")); /* an error is not worth sharing */
	room_with_dane("a.example", 300);
	world_pass(5000);
	assert_false(room_is_known("a.example"));
	assert_int_equal(room_answer("a.example").mx, MX_SECURE);
}

/* Each step is quick enough by itself; together they are not. */
static void test_dns_timeout_is_for_all_steps(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	world_dns_silent("_25._tcp.mx.a.example", RR_TLSA);
	room_ask(&a, "a.example");
	world_pass(6100);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_SECURE);
	assert_int_equal(a.tlsa, TLSA_ERROR);
}

static void test_silent_redis_does_not_outlast_the_deadline(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	world_redis_silent = true;
	room_ask(&a, "a.example");
	world_pass(9900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_int_equal(room_counts().jobs, 0);
}

static void test_redis_away(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_redis_away = true;
	a = room_answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_writes(), 0);
}

/* sts.timeout: "no policy" at once; the fetch goes on, and its end is told. */
static void test_overdue_fetch_ends_late(void **state)
{
	struct asker a, b;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_hold(room_policy_host("a.example"));
	room_ask(&a, "a.example");
	world_pass(4900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(room_counts().jobs, 1);
	assert_false(room_is_known("a.example"));
	b = room_answer("a.example"); /* does not wait again */
	assert_int_equal(b.answers, 1);
	assert_false(b.policy);
	assert_int_equal(room.heard.calls, 0);
	world_pass(20000);
	world_release(room_policy_host("a.example"));
	world_run();
	assert_int_equal(room.heard.calls, 1);
	assert_true(room.heard.enforce);
	assert_int_equal(room_counts().jobs, 0);
	assert_true(room_is_known("a.example"));
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
}

static void test_fetch_is_given_up_after_a_minute(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_hold(room_policy_host("a.example"));
	room_ask(&a, "a.example");
	world_pass(5100);
	assert_int_equal(a.answers, 1);
	world_pass(54000);
	assert_int_equal(room_counts().jobs, 1);
	world_pass(1000);
	assert_int_equal(room_counts().jobs, 0);
	assert_int_equal(world_fetches_open(), 0);
	assert_int_equal(room_counts().fetch_failed, 1);
	assert_false(world_lock_is_ours("a.example"));
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-policy-fetch-error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_dns_timeout_ends_the_dns_part_only),
	    ROOM_TEST(test_dns_timeout),
	    ROOM_TEST(test_dns_timeout_is_for_all_steps),
	    ROOM_TEST(test_silent_redis_does_not_outlast_the_deadline),
	    ROOM_TEST(test_redis_away),
	    ROOM_TEST(test_overdue_fetch_ends_late),
	    ROOM_TEST(test_fetch_is_given_up_after_a_minute),
	};

	return cmocka_run_group_tests_name("resolve_deadlines", tests, NULL, NULL);
}
