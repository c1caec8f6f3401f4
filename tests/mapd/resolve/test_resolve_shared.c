/*
 * test_resolve_shared.c - facts in Redis that others change, forget or lose, and what the resolver then keeps.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>

#include "core/rkeys.h"

static void test_cache_forget(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"forgotten", "1", NULL});
	world_hash("dane:a.example", NULL);
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(room.heard.forgotten, 1);
	assert_string_equal(room.heard.key, "a.example");
	assert_false(room_is_known("a.example"));
	a = room_answer("a.example");
	assert_false(a.policy);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_int_equal(room_counts().policies_dated, 0);
	assert_null(world_hash_get("sts:a.example", "mode"));
}

/* The TXT record is looked at every five minutes on every node. Only what another could not know goes to Redis, which announces it
 * to all. */
static void test_looks_are_not_shared(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_tlsa("mx.a.example", 300);
	room_answer("a.example");
	assert_string_equal(world_hash_get("sts:a.example", "txt_id"), "1");
	world_hash("sts:a.example",
		   (const char *[]){"txt", "record", "txt_id", "1", "txt_until", "1", "mark", "1", NULL});
	for (int i = 0; i < 3; i++) {
		world_pass(301 * 1000);
		assert_true(room_answer("a.example").enforce);
	}
	assert_string_equal(world_hash_get("sts:a.example", "mark"), "1"); /* not written */
	world_sts_txt("a.example", NULL, 300);
	world_pass(301 * 1000);
	assert_true(room_answer("a.example").enforce);
	assert_string_equal(world_hash_get("sts:a.example", "txt"), "none"); /* news */
}

/* tlsmode cache refresh of a domain without a policy; the hash of MX and TLSA is not announced. */
static void test_cache_refresh_without_policy(void **state)
{
	(void)state;
	room_plain("a.example", 300);
	room_answer("a.example");
	assert_true(room_is_known("a.example"));
	world_hash("dane:a.example", NULL);
	world_hash("sts:a.example", (const char *[]){"refresh", "1", NULL});
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(room.heard.forgotten, 1);
	assert_false(room_is_known("a.example"));
	room_answer("a.example");
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
}

static void test_forgotten_while_redis_is_away(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"forgotten", "1", NULL});
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_redis_away = true;
	assert_true(room_answer("a.example").enforce); /* nobody can tell: the policy stays */
	world_redis_away = false;
	assert_false(room_answer("a.example").policy);
}

/* A node that knows nothing yet, the TXT record taken away on the wire, and Redis pauses for half a second: what it holds
 * is waited for. */
static void test_redis_pauses(void **state)
{
	struct asker a;

	(void)state;
	room_plain("a.example", 300);
	room_other_node_fetched("sts:a.example", "enforce");
	world_redis_unread = true;
	room_ask(&a, "a.example");
	world_pass(500);
	assert_int_equal(a.answers, 0);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 1); /* meanwhile */
	world_redis_unread = false;
	world_pass(500);
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce && !a.in_doubt);
	assert_true(a.until > world_now() + FACTS_ERROR_TTL);
	assert_true(room.lines_unread >= 1);
	assert_true(room_is_known("a.example"));
}

/* Never read until the deadline: in doubt, and not kept as if there were nothing. */
static void test_redis_pauses_for_long(void **state)
{
	struct asker a;
	size_t reads;

	(void)state;
	room_plain("a.example", 300);
	room_other_node_fetched("sts:a.example", "enforce");
	world_redis_unread = true;
	room_ask(&a, "a.example");
	for (int i = 0; i < 99; i++)
		world_pass(100);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_true(a.in_doubt && !a.enforce);
	assert_int_equal(a.mx, MX_INSECURE);
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	assert_int_equal(room_counts().jobs, 0);
	assert_int_equal(room_counts().unread, world_reads() + 1);
	assert_false(room_is_known("a.example"));
	reads = world_reads();
	world_redis_unread = false;
	world_pass(1000);
	assert_int_equal(world_reads(), reads); /* when it is asked for */
	a = room_answer("a.example");
	assert_true(a.enforce && !a.in_doubt);
}

/* Redis goes away while it is waited for: the network speaks, for a short time. */
static void test_redis_pauses_and_falls(void **state)
{
	struct asker a;

	(void)state;
	room_plain("a.example", 300);
	room_other_node_fetched("sts:a.example", "enforce");
	world_redis_unread = true;
	room_ask(&a, "a.example");
	world_pass(500);
	world_redis_away = true;
	world_pass(500);
	assert_int_equal(a.answers, 1);
	assert_false(a.in_doubt || a.enforce);
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	a = room_answer("a.example");
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 1);
	world_redis_away = world_redis_unread = false;
	assert_true(room_answer("a.example").enforce);
}

/* What binds as hard as anything that Redis may have does not wait for it; nor does what the domain says now. */
static void test_no_doubt(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	resolve_fact_changed(room.resolver, RKEY_STS, NULL);
	world_redis_unread = true;
	a = room_answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce && !a.in_doubt);
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	room_with_sts("b.example", "1", DAY);
	a = room_answer("b.example");
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce && !a.in_doubt);
	assert_int_equal(world_fetches(NULL), 2);
}

/* A change that was announced and could not be read: what was rendered does not speak for it. */
static void test_change_that_cannot_be_read(void **state)
{
	(void)state;
	room_plain("a.example", 300);
	assert_false(room_answer("a.example").enforce);
	room_other_node_fetched("sts:a.example", "enforce");
	world_redis_unread = true;
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(room.heard.forgotten, 1);
	assert_false(room_is_known("a.example"));
	world_redis_unread = false;
	assert_true(room_answer("a.example").enforce);
}

/* FLUSHALL, or Redis restarted empty: lost, not forgotten. */
static void test_lost_policies_are_shared_again(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(room.resolver, RKEY_STS, NULL);
	assert_false(room_is_known("a.example"));
	a = room_answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
}

/* It says that the policy is none; the domain says otherwise. */
static void test_weaker_policy_of_another_node(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_pass(100 * 1000);
	room_other_node_fetched("sts:a.example", "none");
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_true(room_answer("a.example").enforce);
	world_pass(1000);
	assert_true(room_answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 2);
	assert_int_equal(room.lines_weakened, 0);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce"); /* told to all */
	for (int i = 0; i < 50; i++) {
		world_pass(1000);
		room_other_node_fetched("sts:a.example", "none");
		resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
		world_run();
	}
	assert_true(room_answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 2); /* not more than one a minute ... */
	for (int i = 0; i < 15; i++)
		world_pass(1000);
	assert_int_equal(world_fetches(NULL), 3); /* ... but then one */
	assert_true(room_answer("a.example").enforce);
}

/* It says so, and so does the domain: taken, and said. */
static void test_policy_weakened(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_pass(100 * 1000);
	world_policy(room_policy_host("a.example"), "none", DAY, "mx.a.example");
	room_other_node_fetched("sts:a.example", "none");
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	world_pass(1000);
	assert_int_equal(world_fetches(NULL), 2);
	assert_false(room_answer("a.example").enforce);
	assert_int_equal(room.lines_weakened, 1);
	assert_int_equal(room_counts().weakened, 1);
}

/* The domain cannot be asked: what is in force stays. */
static void test_weaker_policy_and_no_way(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_pass(100 * 1000);
	world_policy_fails(room_policy_host("a.example"), FETCH_FAILED, "connection refused");
	room_other_node_fetched("sts:a.example", "none");
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	for (int i = 0; i < 100; i++) {
		world_pass(10000);
		assert_true(room_answer("a.example").enforce);
	}
}

/* A job that knew of no policy could read Redis only after another of the domain had fetched the real one, and a weaker
 * one is there by then. */
static void test_weaker_policy_read_by_another_job(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_address("a.example", false, 300);
	world_redis_unread = true;
	world_dns_silent("_mta-sts.a.example", RR_TXT);
	room_ask(&a, "[a.example]");
	world_pass(100);
	world_sts_txt("a.example", "1", 300);
	assert_true(room_answer("a.example").enforce);
	world_pass(2000);
	room_other_node_fetched("sts:a.example", "none");
	world_redis_unread = false;
	world_pass(5000);
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_true(room_answer("a.example").enforce);
}

/* The fact changes while the job that read the old one is still under way. */
static void test_changed_under_way(void **state)
{
	struct asker a;
	unsigned forgotten;

	(void)state;
	room_with_dane("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	room_ask(&a, "a.example");
	world_pass(1000);
	room_other_node_fetched("sts:a.example", "enforce");
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	forgotten = room.heard.forgotten;
	world_pass(6000);
	assert_int_equal(a.answers, 1);
	assert_int_equal(room.heard.forgotten, forgotten + 1); /* what was rendered just now is stale */
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce"); /* not overwritten */
	assert_false(room_is_known("a.example"));
	assert_true(room_answer("a.example").enforce);
}

/* Redis tells us of our own scripts' writes, NOLOOP or not. */
static void test_own_writes_change_nothing(void **state)
{
	size_t asked;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_tlsa("mx.a.example", 300);
	room_answer("a.example");
	asked = world_dns_asked(NULL, 0);
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	resolve_fact_changed(room.resolver, RKEY_DANE, "a.example");
	world_run();
	assert_int_equal(room.heard.calls, 0);
	assert_true(room_is_known("a.example"));
	assert_int_equal(world_dns_asked(NULL, 0), asked);
}

/* Redis was emptied; a node without the policy then wrote that its fetch had failed; that hash came to its end, which
 * Redis announces like a removal. Our policy has not ended. */
static void test_ended_hash_is_not_forgotten(void **state)
{
	(void)state;
	room_with_sts("a.example", "1", DAY);
	assert_true(room_answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"txt", "none", "txt_until", "1", NULL});
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	world_pass(301 * 1000);
	assert_true(room_answer("a.example").enforce);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(room.resolver, RKEY_STS, "a.example");
	world_run();
	assert_true(room_answer("a.example").enforce);
	world_pass(301 * 1000);
	assert_true(room_answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce"); /* shared again */
}

/* Redis is emptied between the readings of two of a domain's jobs: the one that found nothing ends last, and takes
 * nothing away. */
static void test_other_job_without_the_policy(void **state)
{
	struct asker a, b;

	(void)state;
	room_plain("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	room_other_node_fetched("sts:a.example", "enforce");
	room_ask(&a, "a.example");
	world_pass(1000);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(room.resolver, RKEY_STS, NULL);
	room_ask(&b, "a.example:587");
	world_pass(5500);
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 0);
	assert_true(a.enforce);
	world_pass(1000);
	assert_int_equal(b.answers, 1);
	assert_true(b.enforce);
	assert_true(room_answer("a.example").enforce);
}

/* More changes than are read at once: the rest when it is asked. */
static void test_many_changes(void **state)
{
	char name[40];

	(void)state;
	for (size_t i = 0; i < 800; i++) {
		snprintf(name, sizeof(name), "d%zu.example", i);
		room_plain(name, 300);
		room_answer(name);
	}
	for (size_t i = 0; i < 800; i++) {
		snprintf(name, sizeof(name), "dane:d%zu.example", i);
		world_hash(name, NULL);
		resolve_fact_changed(room.resolver, RKEY_DANE, name + 5);
	}
	assert_int_equal(world_reads(), 800 + room.conf.mapd.max_jobs / 4 + 1);
	world_run();
	for (size_t i = 0; i < 800; i++) {
		snprintf(name, sizeof(name), "d%zu.example", i);
		assert_false(room_is_known(name));
	}
	assert_int_equal(room.heard.forgotten, 800);
}

static void test_malformed_fact_is_ignored(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	world_hash("dane:a.example", (const char *[]){"mx", "certainly", NULL});
	a = room_answer("a.example");
	assert_int_equal(a.mx, MX_SECURE);
	assert_string_equal(world_hash_get("dane:a.example", "mx"), "secure");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_redis_pauses),
	    ROOM_TEST(test_redis_pauses_for_long),
	    ROOM_TEST(test_redis_pauses_and_falls),
	    ROOM_TEST(test_no_doubt),
	    ROOM_TEST(test_change_that_cannot_be_read),
	    ROOM_TEST(test_cache_forget),
	    ROOM_TEST(test_cache_refresh_without_policy),
	    ROOM_TEST(test_looks_are_not_shared),
	    ROOM_TEST(test_forgotten_while_redis_is_away),
	    ROOM_TEST(test_lost_policies_are_shared_again),
	    ROOM_TEST(test_weaker_policy_of_another_node),
	    ROOM_TEST(test_policy_weakened),
	    ROOM_TEST(test_weaker_policy_and_no_way),
	    ROOM_TEST(test_weaker_policy_read_by_another_job),
	    ROOM_TEST(test_changed_under_way),
	    ROOM_TEST(test_own_writes_change_nothing),
	    ROOM_TEST(test_ended_hash_is_not_forgotten),
	    ROOM_TEST(test_other_job_without_the_policy),
	    ROOM_TEST(test_many_changes),
	    ROOM_TEST(test_malformed_fact_is_ignored),
	};

	return cmocka_run_group_tests_name("resolve_shared", tests, NULL, NULL);
}
