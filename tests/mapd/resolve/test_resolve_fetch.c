/*
 * test_resolve_fetch.c - which node fetches a policy, and when: hold-off after failures, the lock, what another node has fetched.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>

#include "core/rkeys.h"

static void test_failed_fetch_holds_off(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_policy_fails(room_policy_host("a.example"), FETCH_WEBPKI, "certificate has expired");
	a = room_answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(room.lines_failed, 1);
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-webpki-invalid");
	world_pass(290 * 1000);
	room_answer("a.example");
	assert_int_equal(world_fetches(NULL), 1);
	room_with_sts("a.example", "1", DAY);
	world_pass(11 * 1000);
	a = room_answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 2);
}

static void test_new_id_ends_the_hold_off(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_policy_fails(room_policy_host("a.example"), FETCH_FAILED, "HTTP status 500");
	world_sts_txt("a.example", "1", 60);
	room_answer("a.example");
	room_with_sts("a.example", "2", DAY);
	world_pass(61 * 1000);
	a = room_answer("a.example");
	assert_true(a.enforce);
}

static void test_policy_host_without_address(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_dns_status(room_policy_host("a.example"), RR_A, RR_NXDOMAIN);
	a = room_answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(room.lines_failed, 1);
	assert_int_equal(room_counts().fetch_failed, 1);
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-policy-fetch-error");
}

static void test_other_node_has_the_lock(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	room_ask(&a, "a.example");
	world_pass(1000);
	assert_int_equal(a.answers, 0);
	assert_int_equal(world_fetches(NULL), 0);
	room_other_node_fetched("sts:a.example", "enforce");
	world_lock_of_other("a.example", false);
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(room_counts().jobs, 0);
}

/* Its way to the host may be cut; ours is tried. */
static void test_other_node_failed(void **state)
{
	struct asker a;
	char at[24];

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	room_ask(&a, "a.example");
	world_pass(1000);
	assert_int_equal(a.answers, 0);
	snprintf(at, sizeof(at), "%lld", (long long)world_now());
	world_hash("sts:a.example", (const char *[]){"failure", "sts-webpki-invalid", "fail_id", "1", "fail_at", at,
						     "fail_why", "bad", NULL});
	world_lock_of_other("a.example", false);
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 1);
}

/* What another writes does not end our hold-off. */
static void test_other_node_failed_too(void **state)
{
	char at[24];

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_policy_fails(room_policy_host("a.example"), FETCH_FAILED, "connection refused");
	room_answer("a.example");
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(10 * 1000);
	snprintf(at, sizeof(at), "%lld", (long long)world_now());
	world_hash("sts:a.example",
		   (const char *[]){"txt", "record", "txt_id", "1", "txt_until", "1800000300", "failure",
				    "sts-webpki-invalid", "fail_id", "1", "fail_at", at, NULL});
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_false(room_answer("a.example").policy);
	assert_int_equal(world_fetches(NULL), 1);
}

static void test_lock_holder_dies(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	room_ask(&a, "a.example");
	world_pass(5100); /* sts.timeout */
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	world_lock_of_other("a.example", false);
	world_pass(5000); /* the lock's time */
	assert_int_equal(world_fetches(NULL), 1);
	assert_true(room.heard.enforce);
	assert_true(room_answer("a.example").enforce);
}

/* Somebody takes the lock again and again: it delays, and does not decide. */
static void test_lock_never_free(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	room_ask(&a, "a.example");
	for (int i = 0; i < 14; i++)
		world_pass(1000);
	assert_int_equal(a.answers, 1); /* sts.timeout */
	assert_int_equal(world_fetches(NULL), 0);
	for (int i = 0; i < 7; i++)
		world_pass(1000);
	assert_int_equal(world_fetches(NULL), 1);
	assert_true(room.heard.enforce);
	assert_true(room_answer("a.example").enforce);
}

static void test_redis_goes_away_while_waiting_for_the_other(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	room_ask(&a, "a.example");
	world_pass(1000);
	world_redis_away = true;
	world_hold(room_policy_host("a.example"));
	resolve_fact_changed(room.resolver, RKEY_STS, NULL);
	world_run();
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(11000); /* the other node's time is over: one transfer is on its way already */
	assert_int_equal(world_fetches_open(), 1);
	world_release(room_policy_host("a.example"));
	world_run();
	assert_int_equal(a.answers, 1);
	assert_true(room.heard.enforce);
}

/* The last holder finished between our first look and our lock. */
static void test_looks_again_before_fetching(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_dns_silent("_mta-sts.a.example", RR_TXT);
	room_ask(&a, "a.example");
	world_run();
	resolve_abort(&a.wait);
	room_other_node_fetched("sts:a.example", "enforce");
	world_pass(7000); /* TXT is an error: nothing is fetched */
	room_with_sts("a.example", "1", DAY);
	world_pass(6000);
	a = room_answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 0);
}

static void test_what_is_in_redis_is_not_asked(void **state)
{
	struct asker a;
	char until[24];

	(void)state;
	room_other_node_fetched("sts:a.example", "enforce");
	snprintf(until, sizeof(until), "%lld", (long long)world_now() + 300);
	world_hash("dane:a.example", (const char *[]){"mx", "insecure", "kind", "null", "until", until, "truncated",
						      "0", "hosts", "", NULL});
	a = room_answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(a.mx, MX_INSECURE);
	assert_int_equal(world_dns_asked(NULL, 0), 0);
	assert_int_equal(world_writes(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_failed_fetch_holds_off),
	    ROOM_TEST(test_new_id_ends_the_hold_off),
	    ROOM_TEST(test_policy_host_without_address),
	    ROOM_TEST(test_other_node_has_the_lock),
	    ROOM_TEST(test_other_node_failed),
	    ROOM_TEST(test_other_node_failed_too),
	    ROOM_TEST(test_lock_holder_dies),
	    ROOM_TEST(test_lock_never_free),
	    ROOM_TEST(test_redis_goes_away_while_waiting_for_the_other),
	    ROOM_TEST(test_looks_again_before_fetching),
	    ROOM_TEST(test_what_is_in_redis_is_not_asked),
	};

	return cmocka_run_group_tests_name("resolve_fetch", tests, NULL, NULL);
}
