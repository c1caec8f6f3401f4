/*
 * test_resolve_jobs.c - the resolver's jobs: one for all who ask the same, those who stop asking, reload and end.
 */
#include "mapd/resolve/resolve_room.h"

#include <string.h>

#include "core/rkeys.h"

static void test_answers_dane(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	a = room_answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_SECURE);
	assert_int_equal(a.tlsa, TLSA_USABLE);
	assert_false(a.policy);
	assert_int_equal(room_counts().jobs, 0);
	assert_string_equal(world_hash_get("dane:a.example", "mx"), "secure");
	assert_null(world_hash_get("sts:a.example", "txt")); /* no policy: nothing to announce to all nodes */
}

static void test_answers_sts(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	a = room_answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
	assert_string_equal(world_hash_get("sts:a.example", "id"), "1");
	assert_false(world_lock_is_ours("a.example"));
	assert_non_null(strstr(room.last_line, "event=sts_fetched domain=a.example id=1 was=- mode=enforce"));
}

static void test_thousand_askers_one_job(void **state)
{
	static struct asker a[1000];

	(void)state;
	room_with_sts("a.example", "1", DAY);
	for (size_t i = 0; i < 1000; i++)
		room_ask(&a[i], "a.example");
	assert_int_equal(room_counts().jobs, 1);
	world_run();
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(a[i].answers, 1);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 1);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(world_reads(), 2); /* before asking, and once more before fetching */
}

static void test_known_is_answered_at_once(void **state)
{
	struct asker a;
	size_t asked;

	(void)state;
	room_with_dane("a.example", 300);
	room_answer("a.example");
	asked = world_dns_asked(NULL, 0);
	assert_true(room_is_known("a.example"));
	room_ask(&a, "a.example");
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.tlsa, TLSA_USABLE);
	assert_int_equal(world_dns_asked(NULL, 0), asked);
	assert_int_equal(world_reads(), 1);
}

static void test_literals_need_no_question(void **state)
{
	struct nexthop literal = room_hop("[192.0.2.1]");
	struct asker a;

	(void)state;
	assert_true(room_is_known("[192.0.2.1]"));
	assert_true(room_is_known(".example.com"));
	room_ask(&a, "[192.0.2.1]");
	assert_int_equal(a.answers, 1);
	resolve_prefetch(room.resolver, &literal);
	assert_int_equal(room_counts().started, 0);
	assert_int_equal(world_dns_asked(NULL, 0), 0);
	assert_int_equal(world_reads(), 0);
}

static void test_abort_of_one_leaves_the_others(void **state)
{
	struct asker a, b, c;

	(void)state;
	room_with_dane("a.example", 300);
	room_ask(&a, "a.example");
	room_ask(&b, "a.example");
	room_ask(&c, "a.example");
	resolve_abort(&b.wait);
	assert_null(b.wait);
	world_run();
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 0);
	assert_int_equal(c.answers, 1);
}

static void test_a_job_without_waiters_goes_on(void **state)
{
	struct asker a;

	(void)state;
	room_with_dane("a.example", 300);
	room_ask(&a, "a.example");
	resolve_abort(&a.wait);
	world_run();
	assert_int_equal(a.answers, 0);
	assert_true(room_is_known("a.example"));
	assert_int_equal(room.heard.calls, 1);
	assert_string_equal(room.heard.key, "a.example");
}

/* The answer's function may do what it likes: abort the next one, ask again. */
struct meddler {
	struct asker *victim;
	struct asker again;
	unsigned answers;
};

static void on_meddler(const struct facts *facts, void *arg)
{
	struct meddler *m = arg;

	(void)facts;
	if (m->answers++ > 0)
		return;
	resolve_abort(&m->victim->wait);
	resolve_fact_changed(room.resolver, RKEY_STS, NULL); /* what was just found is to be read again */
	room_ask(&m->again, "a.example");
	room_ask(m->victim, "b.example");
	assert_int_equal(m->again.answers, 0);
}

static void test_waiters_may_ask_and_abort(void **state)
{
	struct nexthop n = room_hop("a.example");
	struct resolve_wait *first;
	struct facts none;
	struct asker victim, last;
	struct meddler m = {.victim = &victim};

	(void)state;
	room_with_dane("a.example", 300);
	room_with_dane("b.example", 300);
	assert_int_equal(resolve_ask(room.resolver, &n, &none, &first), RESOLVE_WAITS);
	resolve_wait_on(first, on_meddler, &m);
	room_ask(&victim, "a.example");
	room_ask(&last, "a.example");
	world_run();
	assert_int_equal(m.answers, 1);
	assert_int_equal(victim.answers, 1); /* of b.example */
	assert_int_equal(last.answers, 1);
	assert_int_equal(m.again.answers, 1);
	assert_int_equal(room_counts().jobs, 0);
}

static void test_variants_share_the_policy_and_the_fetch(void **state)
{
	struct asker a, b, c;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	room_ask(&a, "a.example");
	room_ask(&b, "a.example:587");
	room_ask(&c, "[a.example]");
	world_run();
	assert_true(a.enforce);
	assert_true(b.enforce);
	assert_true(c.enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(room_counts().known, 1);
	assert_true(room_is_known("a.example:587"));
	assert_false(room_is_known("a.example:25000"));
}

static void test_reload(void **state)
{
	struct asker a;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	world_hold(room_policy_host("a.example"));
	room_ask(&a, "a.example");
	world_run();
	room.conf.sts.timeout_s = 2;
	resolver_reconf(room.resolver, &room.conf, world_dns(), world_https());
	assert_int_equal(world_contexts(), 4);
	world_pass(2100);
	assert_int_equal(a.answers, 0); /* what is under way keeps its limits */
	world_pass(3000);
	assert_int_equal(a.answers, 1);
	world_release(room_policy_host("a.example"));
	world_run();
	assert_int_equal(room_counts().jobs, 0);
	assert_int_equal(world_contexts(), 2);
}

static void test_free_is_silent(void **state)
{
	struct asker a, b;

	(void)state;
	room_with_sts("a.example", "1", DAY);
	room_with_dane("b.example", 300);
	world_hold(room_policy_host("a.example"));
	world_dns_silent("b.example", RR_MX);
	room_ask(&a, "a.example");
	room_ask(&b, "b.example");
	world_run();
	resolver_free(&room.resolver); /* world_end() sees what was not aborted */
	assert_int_equal(a.answers + b.answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TEST(test_answers_dane),
	    ROOM_TEST(test_answers_sts),
	    ROOM_TEST(test_thousand_askers_one_job),
	    ROOM_TEST(test_known_is_answered_at_once),
	    ROOM_TEST(test_literals_need_no_question),
	    ROOM_TEST(test_abort_of_one_leaves_the_others),
	    ROOM_TEST(test_a_job_without_waiters_goes_on),
	    ROOM_TEST(test_waiters_may_ask_and_abort),
	    ROOM_TEST(test_variants_share_the_policy_and_the_fetch),
	    ROOM_TEST(test_reload),
	    ROOM_TEST(test_free_is_silent),
	};

	return cmocka_run_group_tests_name("resolve_jobs", tests, NULL, NULL);
}
