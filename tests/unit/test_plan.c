/*
 * test_plan.c - what the planner promises its drivers apart from the answers (those are tests/scenario): late, double
 * and foreign answers change nothing, names DNS has no room for are never asked, lists are bounded.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/decide.h"
#include "core/facts_text.h"
#include "lib/drive.h"

#define NOW 1000000

static struct facts *fresh(const char *key)
{
	static struct facts f;
	struct nexthop nexthop;

	facts_fini(&f);
	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&f, &nexthop);
	return &f;
}

static const struct ask *find_ask(const struct plan *p, enum ask_kind kind)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->ask[i].kind == kind)
			return &p->ask[i];
	fail_msg("%s is not asked", names_name(plan_ask_kind_names, (int)kind));
	return NULL;
}

static struct ask ask_of(struct facts *f, enum ask_kind kind)
{
	static struct plan p;

	plan_next(f, NOW, &p);
	if (p.count == 1 && p.ask[0].kind == ASK_SHARED) {
		plan_take_shared(f, false);
		plan_next(f, NOW, &p);
	}
	return *find_ask(&p, kind);
}

static const struct rr_answer no_data = {.status = RR_NODATA, .secure = true, .ttl = 300};

static void test_late_answers(void **state)
{
	struct facts *f = fresh("a.example");
	struct ask mx = ask_of(f, ASK_MX), txt = {.kind = ASK_TXT, .type = RR_TXT, .name = "_mta-sts.a.example"};
	struct ask host = {.kind = ASK_HOST, .type = RR_A, .name = "a.example"};

	(void)state;
	facts_timeout(f, NOW);
	assert_true(facts_ready(f, NOW));
	plan_take_answer(f, &mx, &no_data, NOW);
	plan_take_answer(f, &txt, &no_data, NOW);
	plan_take_answer(f, &host, &no_data, NOW);
	assert_int_equal(f->mx, MX_ERROR);
	assert_int_equal(f->sts.txt, TXT_ERROR);
	assert_int_equal(f->host_count, 0);
}

static void test_answer_twice(void **state)
{
	struct facts *f = fresh("a.example");
	struct ask mx = ask_of(f, ASK_MX), host, stale;
	static struct plan p;

	(void)state;
	plan_take_answer(f, &mx, &no_data, NOW);
	plan_take_answer(f, &mx, &no_data, NOW);
	assert_int_equal(f->host_count, 1);
	plan_next(f, NOW, &p);
	host = *find_ask(&p, ASK_HOST);
	plan_take_answer(f, &host, &no_data, NOW); /* A: now AAAA is asked */
	plan_next(f, NOW, &p);
	plan_take_answer(f, &host, &no_data, NOW); /* the answer to A once more is not one to AAAA */
	assert_int_equal(f->host[0].step, HOST_ASK_AAAA);
	stale = *find_ask(&p, ASK_HOST);
	stale.host = FACTS_HOSTS_MAX; /* nor is an answer for a host that is not there one at all */
	plan_take_answer(f, &stale, &no_data, NOW);
	assert_int_equal(f->host[0].step, HOST_ASK_AAAA);
}

static void test_policy_without_fetch(void **state)
{
	struct facts *f = fresh("a.example");
	static const char body[] = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 100\n";
	struct policy_result result = {.failure = FETCH_OK, .body = body, .len = sizeof(body) - 1};

	(void)state;
	plan_take_policy(f, &result, NOW);
	assert_false(f->sts.have_policy);
}

/* A fetch that succeeds leaves no trace of the one that failed before it. */
static void test_success_after_failure(void **state)
{
	static const char body[] = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 100\n";
	struct policy_result good = {.failure = FETCH_OK, .body = body, .len = sizeof(body) - 1};
	struct policy_result bad = {.failure = FETCH_WEBPKI, .why = "certificate has expired"};
	struct facts *f = fresh("a.example");

	(void)state;
	f->sts.fetch_wait_body = true;
	plan_take_policy(f, &bad, NOW);
	assert_int_equal(f->sts.failure, FETCH_WEBPKI);
	assert_string_equal(f->sts.fail_why, "certificate has expired");
	f->sts.fetch_wait_body = true;
	plan_take_policy(f, &good, NOW + 1);
	assert_int_equal(f->sts.failure, FETCH_OK);
	assert_string_equal(f->sts.fail_why, "");
	assert_non_null(facts_policy(f, NOW + 1));
	facts_fini(f);
}

/* A whole round over a script of lines. */
static struct drive_job *resolved(const char *const *lines, size_t count, const char *key)
{
	struct drive_job *job = xcalloc(1, sizeof(*job));
	struct world world = {.redis_away = true};
	struct drive d = {.world = &world};
	struct nexthop nexthop;

	for (size_t i = 0; i < count; i++)
		check_row(lines[i], world_set_dns(&world, lines[i]));
	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&job->facts, &nexthop);
	drive_round(&d, job, NOW, NULL, NULL);
	assert_string_equal(d.error, "");
	world_fini(&world);
	return job;
}

static void test_no_room_for_tlsa(void **state)
{
	char name[DOMAIN_SIZE], mx[400], address[400];
	const char *lines[] = {mx, address, "_mta-sts.a.example TXT nxdomain secure 300",
			       "_25._tcp.mx.a.example TLSA ok secure 300 usable"};
	struct drive_job *job;

	(void)state;
	memset(name, 'a', DOMAIN_MAX);
	name[63] = name[127] = name[191] = '.';
	name[DOMAIN_MAX] = '\0';
	/* the expanded name is too long: the alias itself is asked */
	snprintf(mx, sizeof(mx), "a.example MX ok secure 300 10 mx.a.example");
	snprintf(address, sizeof(address), "mx.a.example A ok secure 300 -> %s 192.0.2.1", name);
	job = resolved(lines, COUNT_OF(lines), "a.example");
	assert_int_equal(job->facts.host[0].tlsa, TLSA_USABLE);
	free(job);
	/* the host's own name is too long: nobody can publish TLSA for it */
	snprintf(mx, sizeof(mx), "a.example MX ok secure 300 10 %s", name);
	snprintf(address, sizeof(address), "%s A ok secure 300 192.0.2.1", name);
	job = resolved(lines, COUNT_OF(lines), "a.example");
	assert_int_equal(job->facts.host[0].tlsa, TLSA_NONE);
	assert_non_null(job->facts.host[0].why);
	free(job);
}

static void test_order_of_hosts(void **state)
{
	static const char *const lines[] = {
	    "a.example MX ok secure 300 20 c.a.example | 10 z.a.example | 20 b.a.example | 5 c.a.example | 0 .",
	    "* A ok insecure 300 192.0.2.1",
	    "_mta-sts.a.example TXT nxdomain secure 300",
	};
	struct drive_job *job = resolved(lines, COUNT_OF(lines), "a.example");

	(void)state;
	assert_int_equal(job->facts.host_count, 3);
	assert_string_equal(job->facts.host[0].name, "c.a.example");
	assert_string_equal(job->facts.host[1].name, "z.a.example");
	assert_string_equal(job->facts.host[2].name, "b.a.example");
	free(job);
}

static struct ask fetch_address(struct facts *f, enum ask_kind kind)
{
	static struct plan p;

	plan_next(f, NOW, &p);
	return *find_ask(&p, kind);
}

/* Many addresses of one family do not push out the other, whichever answer comes first. */
static void test_policy_addresses(void **state)
{
	static const uint8_t bytes[16] = {0x20, 1, 0xd, 0xb8};
	struct rr_rdata a[20], aaaa[20];
	struct rr_answer answer = {.status = RR_OK, .ttl = 300, .count = 20};

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		a[i] = (struct rr_rdata){bytes, 4};
		aaaa[i] = (struct rr_rdata){bytes, 16};
	}
	for (int first = 0; first < 2; first++) {
		struct facts *f = fresh("a.example");
		struct ask ask_a, ask_aaaa = {.kind = ASK_POLICY_AAAA, .type = RR_AAAA};
		size_t four = 0;

		plan_take_shared(f, false);
		f->sts.txt = TXT_RECORD;
		strcpy(f->sts.txt_id, "1");
		ask_a = fetch_address(f, ASK_POLICY_A);
		answer.rdata = first == 0 ? a : aaaa;
		plan_take_answer(f, first == 0 ? &ask_a : &ask_aaaa, &answer, NOW);
		answer.rdata = first == 0 ? aaaa : a;
		plan_take_answer(f, first == 0 ? &ask_aaaa : &ask_a, &answer, NOW);
		assert_int_equal(f->sts.address_count, 8);
		for (size_t i = 0; i < 8; i++)
			four += !strchr(f->sts.address[i], ':');
		assert_int_equal(four, 4);
	}
}

/* A policy that Redis has for a name too long for a policy host is used, and never fetched anew. */
static void test_refresh_of_long_name(void **state)
{
	static const char *const field[][2] = {
	    {"mode", "enforce"}, {"max_age", "1000"}, {"mx", "mx.a.example"}, {"id", "1"}, {"fetched_at", "999400"}};
	struct text_field fields[COUNT_OF(field)];
	static struct plan p;
	char name[DOMAIN_SIZE];
	const char *reason;
	struct facts *f;

	(void)state;
	memset(name, 'a', DOMAIN_MAX);
	name[63] = name[127] = name[191] = '.';
	name[DOMAIN_MAX] = '\0';
	for (size_t i = 0; i < COUNT_OF(field); i++)
		fields[i] = (struct text_field){field[i][0], strlen(field[i][0]), field[i][1], strlen(field[i][1])};
	f = fresh(name);
	assert_true(facts_text_take_sts(f, fields, COUNT_OF(fields), NOW, &reason));
	f->sts.refresh = true;
	plan_take_shared(f, false);
	for (size_t i = 0; i < 3; i++) {
		plan_next(f, NOW, &p);
		assert_int_equal(p.count, i == 0); /* the MX question */
	}
	assert_non_null(facts_policy(f, NOW));
	facts_timeout(f, NOW);
	plan_next(f, NOW, &p);
	assert_true(p.ready && p.idle);
	facts_fini(f);
}

/* The deadline at every step of a host: always an error, never an absence. */
static void test_deadline_at_every_step(void **state)
{
	enum host_step step;

	(void)state;
	for (step = HOST_ASK_A; step < HOST_DONE; step++) {
		struct facts *f = fresh("[mx.a.example]");
		struct decide_facts d;

		f->host[0].step = step;
		f->host[0].waiting = true;
		facts_timeout(f, NOW);
		decide_summary(f, NOW, &d);
		assert_true(d.error && !d.none && !d.usable && d.mx == COL_SECURE);
		assert_true(facts_until(f, NOW) == NOW + FACTS_ERROR_TTL);
	}
}

/* The rest is asked meanwhile; the facts decide when Redis was read, when the domain itself has spoken, or when nothing
 * that Redis may have would bind more. */
static void test_unread(void **state)
{
	static const struct policy_result fetched = {
	    .failure = FETCH_OK, .body = "version: STSv1\nmode: none\nmax_age: 100\n", .len = 39};
	struct facts *f = fresh("[mx.a.example]");
	struct decide_facts d;
	static struct plan p;

	(void)state;
	plan_next(f, NOW, &p);
	assert_int_equal(p.count, 1);
	assert_true(plan_take_unread(f, NOW));
	f->host[0].step = HOST_DONE;
	plan_next(f, NOW, &p);
	assert_int_equal(p.count, 1);
	assert_int_equal(p.ask[0].kind, ASK_TXT);
	f->sts.txt = TXT_NONE;
	f->txt_waiting = false;
	plan_next(f, NOW, &p);
	assert_true(!p.ready && !p.idle && p.count == 0);
	decide_summary(f, NOW, &d);
	assert_true(d.sts_unread);
	f->sts.fetch_wait_body = true;
	plan_take_policy(f, &fetched, NOW);
	plan_next(f, NOW, &p);
	assert_true(p.ready && p.idle);
	decide_summary(f, NOW, &d);
	assert_false(d.sts_unread);
	f->shared_known = false;
	plan_next(f, NOW, &p);
	f->sts.policy.mode = STS_ENFORCE;
	assert_false(plan_take_unread(f, NOW));
	decide_summary(f, NOW, &d);
	assert_true(d.sts_enforce && !d.sts_unread);
	assert_true(facts_until(f, NOW) == NOW + FACTS_ERROR_TTL);
	plan_next(f, NOW, &p);
	assert_true(p.ready && p.idle);
}

static void test_states_named(void **state)
{
	(void)state;
	assert_string_equal(names_name(facts_txt_state_names, TXT_RECORD), "record");
	assert_string_equal(names_name(facts_mx_kind_names, MX_IMPLICIT), "implicit");
	assert_string_equal(names_name(facts_fetch_failure_names, FETCH_OK), "");
	assert_string_equal(names_name(plan_ask_kind_names, ASK_POLICY_AAAA), "policy-aaaa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_late_answers),
	    cmocka_unit_test(test_answer_twice),
	    cmocka_unit_test(test_policy_without_fetch),
	    cmocka_unit_test(test_success_after_failure),
	    cmocka_unit_test(test_no_room_for_tlsa),
	    cmocka_unit_test(test_order_of_hosts),
	    cmocka_unit_test(test_policy_addresses),
	    cmocka_unit_test(test_refresh_of_long_name),
	    cmocka_unit_test(test_deadline_at_every_step),
	    cmocka_unit_test(test_states_named),
	    cmocka_unit_test(test_unread),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
