/*
 * test_resolve.c - the resolver's jobs against scripted adapters and a clock that the test moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "core/rkeys.h"
#include "io/fake_world.h"
#include "mapd/resolve.h"

#define DAY 86400

static struct resolver *resolver;
static struct conf conf;
static char last_line[600];
static unsigned lines_failed, lines_timeout;

/* What on_facts told last. */
static struct {
	unsigned calls, forgotten;
	char key[NEXTHOP_SIZE];
	bool enforce;
} heard;

static void on_facts(const char *key, const struct facts *facts, void *arg)
{
	(void)arg;
	heard.calls++;
	heard.forgotten += facts == NULL;
	snprintf(heard.key, sizeof heard.key, "%s", key);
	heard.enforce = false;
	if (facts != NULL && facts_policy(facts, world_now()) != NULL)
		heard.enforce = facts_policy(facts, world_now())->mode == STS_ENFORCE;
}

static void on_line(enum log_level level, const char *line)
{
	(void)level;
	snprintf(last_line, sizeof last_line, "%s", line);
	lines_failed += strstr(line, "event=sts_fetch_failed") != NULL;
	lines_timeout += strstr(line, "event=resolve_timeout") != NULL;
}

static int begin(void **state)
{
	struct resolver_env env = {.base = world_begin(),
				   .conf = &conf,
				   .dns = world_dns(),
				   .https = world_https(),
				   .redis = world_redis(),
				   .on_facts = on_facts};

	(void)state;
	memset(&heard, 0, sizeof heard);
	lines_failed = lines_timeout = 0;
	conf = (struct conf){
	    .dns.timeout_s = 6, .sts.timeout_s = 5, .mapd = {.deadline_s = 10, .cache_entries = 1000, .max_jobs = 100}};
	log_capture(on_line);
	resolver = resolver_new(&env);
	return 0;
}

static int end(void **state)
{
	(void)state;
	resolver_free(&resolver);
	world_end();
	log_capture(NULL);
	return 0;
}

/* ---- people who ask ---- */

struct asker {
	struct resolve_wait *wait;
	unsigned answers;
	enum mx_state mx;
	enum tlsa_state tlsa; /* of the first host */
	bool policy, enforce;
	int64_t until;
};

static void on_answer(const struct facts *facts, void *arg)
{
	struct asker *a = arg;
	const struct sts_policy *policy = facts_policy(facts, world_now());

	a->wait = NULL;
	a->answers++;
	a->mx = facts->mx;
	a->tlsa = facts->host_count > 0 ? facts->host[0].tlsa : TLSA_UNKNOWN;
	a->policy = policy != NULL;
	a->enforce = policy != NULL && policy->mode == STS_ENFORCE;
	a->until = facts_until(facts, world_now());
}

static struct nexthop hop(const char *text)
{
	struct nexthop n;

	nexthop_parse(&n, text, strlen(text));
	return n;
}

static void ask(struct asker *a, const char *name)
{
	struct nexthop n = hop(name);

	memset(a, 0, sizeof *a);
	a->wait = resolve_ask(resolver, &n, on_answer, a);
}

/* Asks and waits. */
static struct asker answer(const char *name)
{
	struct asker a;

	ask(&a, name);
	assert_int_equal(a.answers, 0);
	world_run();
	return a;
}

static bool is_known(const char *name)
{
	struct nexthop n = hop(name);
	struct facts *f = xmalloc(sizeof *f);
	bool known = resolve_known(resolver, &n, f);

	if (known)
		facts_fini(f);
	free(f);
	return known;
}

static struct resolver_counts counts(void)
{
	struct resolver_counts c;

	resolver_counts(resolver, &c);
	return c;
}

/* ---- domains ---- */

static void plain(const char *domain, uint32_t ttl)
{
	char host[DOMAIN_SIZE];

	snprintf(host, sizeof host, "mx.%s", domain);
	world_mx(domain, false, ttl, host);
	world_address(host, false, ttl);
	world_sts_txt(domain, NULL, ttl);
}

static void with_dane(const char *domain, uint32_t ttl)
{
	char host[DOMAIN_SIZE];

	snprintf(host, sizeof host, "mx.%s", domain);
	world_mx(domain, true, ttl, host);
	world_address(host, true, ttl);
	world_tlsa(host, ttl);
	world_sts_txt(domain, NULL, ttl);
}

static const char *policy_host(const char *domain)
{
	static char host[DOMAIN_SIZE];

	snprintf(host, sizeof host, "mta-sts.%s", domain);
	return host;
}

static void with_sts(const char *domain, const char *id, unsigned max_age)
{
	char host[DOMAIN_SIZE];

	plain(domain, 300);
	snprintf(host, sizeof host, "mx.%s", domain);
	world_sts_txt(domain, id, 300);
	world_address(policy_host(domain), false, 300);
	world_policy(policy_host(domain), "enforce", max_age, host);
}

/* ---- single flight ---- */

static void test_answers_dane(void **state)
{
	struct asker a;

	(void)state;
	with_dane("a.example", 300);
	a = answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_SECURE);
	assert_int_equal(a.tlsa, TLSA_USABLE);
	assert_false(a.policy);
	assert_int_equal(counts().jobs, 0);
	assert_string_equal(world_hash_get("dane:a.example", "mx"), "secure");
	assert_string_equal(world_hash_get("sts:a.example", "txt"), "none");
}

static void test_answers_sts(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	a = answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
	assert_string_equal(world_hash_get("sts:a.example", "id"), "1");
	assert_false(world_lock_is_ours("a.example"));
	assert_non_null(strstr(last_line, "event=sts_fetched domain=a.example id=1 was=- mode=enforce"));
}

static void test_thousand_askers_one_job(void **state)
{
	static struct asker a[1000];
	size_t i;

	(void)state;
	with_sts("a.example", "1", DAY);
	for (i = 0; i < 1000; i++)
		ask(&a[i], "a.example");
	assert_int_equal(counts().jobs, 1);
	world_run();
	for (i = 0; i < 1000; i++)
		assert_int_equal(a[i].answers, 1);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 1);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(world_reads(), 2); /* before asking, and once more before fetching */
}

static void test_known_is_answered_from_the_loop_too(void **state)
{
	struct asker a;
	size_t asked;

	(void)state;
	with_dane("a.example", 300);
	answer("a.example");
	asked = world_dns_asked(NULL, 0);
	assert_true(is_known("a.example"));
	a = answer("a.example"); /* checks that nothing comes from inside the call */
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.tlsa, TLSA_USABLE);
	assert_int_equal(world_dns_asked(NULL, 0), asked);
	assert_int_equal(world_reads(), 1);
}

static void test_literals_need_no_question(void **state)
{
	struct asker a;

	(void)state;
	assert_true(is_known("[192.0.2.1]"));
	assert_true(is_known(".example.com"));
	a = answer("[192.0.2.1]");
	assert_int_equal(a.answers, 1);
	assert_int_equal(world_dns_asked(NULL, 0), 0);
	assert_int_equal(world_reads(), 0);
}

static void test_abort_of_one_leaves_the_others(void **state)
{
	struct asker a, b, c;

	(void)state;
	with_dane("a.example", 300);
	ask(&a, "a.example");
	ask(&b, "a.example");
	ask(&c, "a.example");
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
	with_dane("a.example", 300);
	ask(&a, "a.example");
	resolve_abort(&a.wait);
	world_run();
	assert_int_equal(a.answers, 0);
	assert_true(is_known("a.example"));
	assert_int_equal(heard.calls, 1);
	assert_string_equal(heard.key, "a.example");
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
	ask(&m->again, "a.example");
	ask(m->victim, "b.example");
	assert_int_equal(m->again.answers, 0);
}

static void test_waiters_may_ask_and_abort(void **state)
{
	struct nexthop n = hop("a.example");
	struct asker victim, last;
	struct meddler m = {.victim = &victim};

	(void)state;
	with_dane("a.example", 300);
	with_dane("b.example", 300);
	resolve_ask(resolver, &n, on_meddler, &m);
	ask(&victim, "a.example");
	ask(&last, "a.example");
	world_run();
	assert_int_equal(m.answers, 1);
	assert_int_equal(victim.answers, 1); /* of b.example */
	assert_int_equal(last.answers, 1);
	assert_int_equal(m.again.answers, 1);
	assert_int_equal(counts().jobs, 0);
}

static void test_variants_share_the_policy_and_the_fetch(void **state)
{
	struct asker a, b, c;

	(void)state;
	with_sts("a.example", "1", DAY);
	ask(&a, "a.example");
	ask(&b, "a.example:587");
	ask(&c, "[a.example]");
	world_run();
	assert_true(a.enforce);
	assert_true(b.enforce);
	assert_true(c.enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(counts().known, 1);
	assert_true(is_known("a.example:587"));
	assert_false(is_known("a.example:25000"));
}

/* ---- deadlines ---- */

static void test_dns_timeout_ends_the_dns_part_only(void **state)
{
	struct asker a;

	(void)state;
	conf.sts.timeout_s = 8;
	resolver_reconf(resolver, &conf, world_dns(), world_https());
	with_sts("a.example", "1", DAY);
	world_dns_silent("a.example", RR_MX);
	world_hold(policy_host("a.example"));
	ask(&a, "a.example");
	world_pass(6100);
	assert_int_equal(a.answers, 0); /* the policy is still waited for */
	assert_int_equal(counts().timeouts, 1);
	world_release(policy_host("a.example"));
	world_run();
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_true(a.enforce);
}

static void test_dns_timeout(void **state)
{
	struct asker a;

	(void)state;
	with_dane("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	ask(&a, "a.example");
	world_pass(5900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_int_equal(a.until, world_now() + FACTS_ERROR_TTL);
	assert_int_equal(world_dns_open(), 0);
	assert_int_equal(counts().timeouts, 1);
	assert_int_equal(lines_timeout, 1);
	assert_int_equal(counts().jobs, 0);
	assert_null(world_hash_get("dane:a.example", "mx")); /* an error is not worth sharing */
	with_dane("a.example", 300);
	world_pass(5000);
	assert_false(is_known("a.example"));
	assert_int_equal(answer("a.example").mx, MX_SECURE);
}

/* Each step is quick enough by itself; together they are not. */
static void test_dns_timeout_is_for_all_steps(void **state)
{
	struct asker a;

	(void)state;
	with_dane("a.example", 300);
	world_dns_silent("_25._tcp.mx.a.example", RR_TLSA);
	ask(&a, "a.example");
	world_pass(6100);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_SECURE);
	assert_int_equal(a.tlsa, TLSA_ERROR);
}

static void test_silent_redis_does_not_outlast_the_deadline(void **state)
{
	struct asker a;

	(void)state;
	with_dane("a.example", 300);
	world_redis_silent = true;
	ask(&a, "a.example");
	world_pass(9900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.mx, MX_ERROR);
	assert_int_equal(counts().jobs, 0);
}

static void test_redis_away(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_redis_away = true;
	a = answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_writes(), 0);
}

/* sts.timeout: "no policy" at once; the fetch goes on, and its end is told. */
static void test_overdue_fetch_ends_late(void **state)
{
	struct asker a, b;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_hold(policy_host("a.example"));
	ask(&a, "a.example");
	world_pass(4900);
	assert_int_equal(a.answers, 0);
	world_pass(200);
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(counts().jobs, 1);
	assert_false(is_known("a.example"));
	b = answer("a.example"); /* does not wait again */
	assert_int_equal(b.answers, 1);
	assert_false(b.policy);
	assert_int_equal(heard.calls, 0);
	world_pass(20000);
	world_release(policy_host("a.example"));
	world_run();
	assert_int_equal(heard.calls, 1);
	assert_true(heard.enforce);
	assert_int_equal(counts().jobs, 0);
	assert_true(is_known("a.example"));
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
}

static void test_fetch_is_given_up_after_a_minute(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_hold(policy_host("a.example"));
	ask(&a, "a.example");
	world_pass(5100);
	assert_int_equal(a.answers, 1);
	world_pass(54000);
	assert_int_equal(counts().jobs, 1);
	world_pass(1000);
	assert_int_equal(counts().jobs, 0);
	assert_int_equal(world_fetches_open(), 0);
	assert_int_equal(counts().fetch_failed, 1);
	assert_false(world_lock_is_ours("a.example"));
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-policy-fetch-error");
}

/* ---- hold-off ---- */

static void test_failed_fetch_holds_off(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_policy_fails(policy_host("a.example"), FETCH_WEBPKI, "certificate has expired");
	a = answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(lines_failed, 1);
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-webpki-invalid");
	world_pass(290 * 1000);
	answer("a.example");
	assert_int_equal(world_fetches(NULL), 1);
	with_sts("a.example", "1", DAY);
	world_pass(11 * 1000);
	a = answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 2);
}

static void test_new_id_ends_the_hold_off(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_policy_fails(policy_host("a.example"), FETCH_FAILED, "HTTP status 500");
	world_sts_txt("a.example", "1", 60);
	answer("a.example");
	with_sts("a.example", "2", DAY);
	world_pass(61 * 1000);
	a = answer("a.example");
	assert_true(a.enforce);
}

static void test_policy_host_without_address(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_dns_status(policy_host("a.example"), RR_A, RR_NXDOMAIN);
	a = answer("a.example");
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(lines_failed, 1);
	assert_int_equal(counts().fetch_failed, 1);
	assert_string_equal(world_hash_get("sts:a.example", "failure"), "sts-policy-fetch-error");
}

/* ---- one node of many ---- */

static void other_node_fetched(const char *key, const char *mode)
{
	char at[24], until[24];

	snprintf(at, sizeof at, "%lld", (long long)world_now());
	snprintf(until, sizeof until, "%lld", (long long)world_now() + 300);
	world_hash(key, (const char *[]){"txt", "record", "txt_id", "1", "txt_until", until, "mode", mode, "max_age",
					 "86400", "mx", "mx.a.example", "id", "1", "fetched_at", at, NULL});
}

static void test_other_node_has_the_lock(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	ask(&a, "a.example");
	world_pass(1000);
	assert_int_equal(a.answers, 0);
	assert_int_equal(world_fetches(NULL), 0);
	other_node_fetched("sts:a.example", "enforce");
	world_lock_of_other("a.example", false);
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(a.answers, 1);
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(counts().jobs, 0);
}

static void test_other_node_failed(void **state)
{
	struct asker a;
	char at[24];

	(void)state;
	with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	ask(&a, "a.example");
	world_pass(1000);
	snprintf(at, sizeof at, "%lld", (long long)world_now());
	world_hash("sts:a.example", (const char *[]){"failure", "sts-webpki-invalid", "fail_id", "1", "fail_at", at,
						     "fail_why", "bad", NULL});
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	assert_int_equal(world_fetches(NULL), 0);
	world_pass(60 * 1000);
	answer("a.example");
	assert_int_equal(world_fetches(NULL), 0);
}

static void test_lock_holder_dies(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	ask(&a, "a.example");
	world_pass(5100); /* sts.timeout */
	assert_int_equal(a.answers, 1);
	assert_false(a.policy);
	world_lock_of_other("a.example", false);
	world_pass(5000); /* the lock's time */
	assert_int_equal(world_fetches(NULL), 1);
	assert_true(heard.enforce);
	assert_true(answer("a.example").enforce);
}

static void test_redis_goes_away_while_waiting_for_the_other(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_lock_of_other("a.example", true);
	ask(&a, "a.example");
	world_pass(1000);
	world_redis_away = true;
	world_hold(policy_host("a.example"));
	resolve_fact_changed(resolver, RKEY_STS, NULL);
	world_run();
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(11000); /* the other node's time is over: one transfer is on its way already */
	assert_int_equal(world_fetches_open(), 1);
	world_release(policy_host("a.example"));
	world_run();
	assert_int_equal(a.answers, 1);
	assert_true(heard.enforce);
}

/* The last holder finished between our first look and our lock. */
static void test_looks_again_before_fetching(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_dns_silent("_mta-sts.a.example", RR_TXT);
	ask(&a, "a.example");
	world_run();
	resolve_abort(&a.wait);
	other_node_fetched("sts:a.example", "enforce");
	world_pass(7000); /* TXT is an error: nothing is fetched */
	with_sts("a.example", "1", DAY);
	world_pass(6000);
	a = answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 0);
}

static void test_what_is_in_redis_is_not_asked(void **state)
{
	struct asker a;
	char until[24];

	(void)state;
	other_node_fetched("sts:a.example", "enforce");
	snprintf(until, sizeof until, "%lld", (long long)world_now() + 300);
	world_hash("dane:a.example", (const char *[]){"mx", "insecure", "kind", "null", "until", until, "truncated",
						      "0", "hosts", "", NULL});
	a = answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(a.mx, MX_INSECURE);
	assert_int_equal(world_dns_asked(NULL, 0), 0);
	assert_int_equal(world_writes(), 0);
}

/* ---- facts that others change ---- */

static void test_cache_forget(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"forgotten", "1", NULL});
	world_hash("dane:a.example", NULL);
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	resolve_fact_changed(resolver, RKEY_DANE, "a.example");
	world_run();
	assert_int_equal(heard.forgotten, 1);
	assert_string_equal(heard.key, "a.example");
	assert_false(is_known("a.example"));
	a = answer("a.example");
	assert_false(a.policy);
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_int_equal(counts().policies_dated, 0);
	assert_null(world_hash_get("sts:a.example", "mode"));
}

static void test_forgotten_while_redis_is_away(void **state)
{
	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"forgotten", "1", NULL});
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_redis_away = true;
	assert_true(answer("a.example").enforce); /* nobody can tell: the policy stays */
	world_redis_away = false;
	assert_false(answer("a.example").policy);
}

/* FLUSHALL, or Redis restarted empty: lost, not forgotten. */
static void test_lost_policies_are_shared_again(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(resolver, RKEY_STS, NULL);
	assert_false(is_known("a.example"));
	a = answer("a.example");
	assert_true(a.enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce");
}

static void test_newer_policy_of_another_node(void **state)
{
	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_pass(10000);
	other_node_fetched("sts:a.example", "none");
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(heard.forgotten, 1);
	assert_false(answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 1);
}

/* Redis is emptied between the readings of two of a domain's jobs: the one that found nothing ends last, and takes
 * nothing away. */
static void test_other_job_without_the_policy(void **state)
{
	struct asker a, b;

	(void)state;
	plain("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	other_node_fetched("sts:a.example", "enforce");
	ask(&a, "a.example");
	world_pass(1000);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(resolver, RKEY_STS, NULL);
	ask(&b, "a.example:587");
	world_pass(5500);
	assert_int_equal(a.answers, 1);
	assert_int_equal(b.answers, 0);
	assert_true(a.enforce);
	world_pass(1000);
	assert_int_equal(b.answers, 1);
	assert_true(b.enforce);
	assert_true(answer("a.example").enforce);
}

/* The fact changes while the job that read the old one is still under way. */
static void test_changed_under_way(void **state)
{
	struct asker a;
	unsigned forgotten;

	(void)state;
	with_dane("a.example", 300);
	world_dns_silent("a.example", RR_MX);
	ask(&a, "a.example");
	world_pass(1000);
	other_node_fetched("sts:a.example", "enforce");
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	forgotten = heard.forgotten;
	world_pass(6000);
	assert_int_equal(a.answers, 1);
	assert_int_equal(heard.forgotten, forgotten + 1); /* what was rendered just now is stale */
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce"); /* not overwritten */
	assert_false(is_known("a.example"));
	assert_true(answer("a.example").enforce);
}

/* Redis tells us of our own scripts' writes, NOLOOP or not. */
static void test_own_writes_change_nothing(void **state)
{
	size_t asked;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_tlsa("mx.a.example", 300);
	answer("a.example");
	asked = world_dns_asked(NULL, 0);
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	resolve_fact_changed(resolver, RKEY_DANE, "a.example");
	world_run();
	assert_int_equal(heard.calls, 0);
	assert_true(is_known("a.example"));
	assert_int_equal(world_dns_asked(NULL, 0), asked);
}

/* Redis was emptied; a node without the policy then wrote that its fetch had failed; that hash came to its end, which
 * Redis announces like a removal. Our policy has not ended. */
static void test_ended_hash_is_not_forgotten(void **state)
{
	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_sts_txt("a.example", NULL, 300);
	world_hash("sts:a.example", (const char *[]){"txt", "none", "txt_until", "1", NULL});
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	world_pass(301 * 1000);
	assert_true(answer("a.example").enforce);
	world_hash("sts:a.example", NULL);
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	assert_true(answer("a.example").enforce);
	world_pass(301 * 1000);
	assert_true(answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 1);
	assert_string_equal(world_hash_get("sts:a.example", "mode"), "enforce"); /* shared again */
}

/* More changes than are read at once: the rest when it is asked. */
static void test_many_changes(void **state)
{
	char name[40];
	size_t i;

	(void)state;
	for (i = 0; i < 800; i++) {
		snprintf(name, sizeof name, "d%zu.example", i);
		plain(name, 300);
		answer(name);
	}
	for (i = 0; i < 800; i++) {
		snprintf(name, sizeof name, "dane:d%zu.example", i);
		world_hash(name, NULL);
		resolve_fact_changed(resolver, RKEY_DANE, name + 5);
	}
	assert_int_equal(world_reads(), 800 + 500);
	world_run();
	for (i = 0; i < 800; i++) {
		snprintf(name, sizeof name, "d%zu.example", i);
		assert_false(is_known(name));
	}
	assert_int_equal(heard.forgotten, 800);
}

static void test_malformed_fact_is_ignored(void **state)
{
	struct asker a;

	(void)state;
	with_dane("a.example", 300);
	world_hash("dane:a.example", (const char *[]){"mx", "certainly", NULL});
	a = answer("a.example");
	assert_int_equal(a.mx, MX_SECURE);
	assert_string_equal(world_hash_get("dane:a.example", "mx"), "secure");
}

/* ---- the policy's life ---- */

static void test_refresh_without_a_query(void **state)
{
	(void)state;
	with_sts("a.example", "1", 7 * DAY);
	assert_true(answer("a.example").enforce);
	assert_int_equal(counts().policies_dated, 1);
	world_sts_txt("a.example", NULL, 300); /* whether or not the TXT record is still there */
	world_pass(21 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(3 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	assert_int_equal(counts().refreshed, 1);
	assert_true(heard.enforce);
	world_pass(24 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
}

static void test_refresh_of_short_lives(void **state)
{
	int i;

	(void)state;
	with_sts("a.example", "1", 100); /* half of it is less than a minute */
	assert_true(answer("a.example").enforce);
	for (i = 0; i < 59; i++)
		world_pass(1000);
	assert_int_equal(world_fetches(NULL), 1);
	world_pass(1000);
	assert_int_equal(world_fetches(NULL), 2);
	world_pass(60 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
}

static void test_failing_refresh_holds_off_and_warns(void **state)
{
	int hour;

	(void)state;
	with_sts("a.example", "1", 2 * DAY);
	assert_true(answer("a.example").enforce);
	world_policy_fails(policy_host("a.example"), FETCH_FAILED, "connection refused");
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	assert_non_null(strstr(last_line, "in_force=enforce refresh=yes"));
	world_pass(290 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
	world_pass(11 * 1000);
	assert_int_equal(world_fetches(NULL), 3);
	for (hour = 0; hour < 23; hour++) {
		world_pass(3600 * 1000);
		assert_true(answer("a.example").enforce); /* to the end of its life */
	}
	world_pass(3600 * 1000);
	assert_false(answer("a.example").policy);
	assert_int_equal(counts().policies, 0);
	assert_int_equal(counts().policies_dated, 0);
}

static void test_redis_away_for_the_whole_life(void **state)
{
	int hour;

	(void)state;
	with_sts("a.example", "1", DAY);
	assert_true(answer("a.example").enforce);
	world_redis_away = true;
	world_policy_fails(policy_host("a.example"), FETCH_FAILED, "connection refused");
	world_dns_status("_mta-sts.a.example", RR_TXT, RR_ERROR);
	for (hour = 0; hour < 23; hour++) {
		world_pass(3600 * 1000);
		assert_true(answer("a.example").enforce);
	}
	world_pass(2 * 3600 * 1000);
	assert_false(answer("a.example").policy);
}

static void test_refresh_is_another_nodes(void **state)
{
	(void)state;
	with_sts("a.example", "1", 7 * DAY);
	assert_true(answer("a.example").enforce);
	world_pass(20 * 3600 * 1000);
	other_node_fetched("sts:a.example", "enforce");
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_pass(4 * 3600 * 1000);
	assert_int_equal(world_fetches(NULL), 1);
	assert_int_equal(counts().policies_dated, 1);
}

/* tlsmode cache refresh: the field "refresh" in the hash (facts_text.h). */
static void test_operator_asks_for_a_fetch(void **state)
{
	char at[24], asked[24];

	(void)state;
	with_sts("a.example", "1", 7 * DAY);
	assert_true(answer("a.example").enforce);
	snprintf(at, sizeof at, "%lld", (long long)world_now());
	world_pass(100 * 1000);
	snprintf(asked, sizeof asked, "%lld", (long long)world_now());
	world_hash("sts:a.example", (const char *[]){"mode", "enforce", "max_age", "604800", "mx", "mx.a.example", "id",
						     "1", "fetched_at", at, "refresh", asked, NULL});
	resolve_fact_changed(resolver, RKEY_STS, "a.example");
	world_run();
	assert_int_equal(world_fetches(NULL), 2);
	assert_int_equal(counts().refreshed, 1);
	assert_null(world_hash_get("sts:a.example", "refresh"));
	world_pass(100 * 1000);
	assert_int_equal(world_fetches(NULL), 2);
}

static void test_refresh_at_most_ten_at_once(void **state)
{
	char name[40];
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		with_sts(name, "1", 7 * DAY);
		assert_true(answer(name).enforce);
		world_hold(policy_host(name));
	}
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(world_fetches_open(), 10);
	assert_int_equal(counts().jobs, 10);
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		world_release(policy_host(name));
	}
	world_run();
	assert_int_equal(counts().refreshed, 30);
	assert_int_equal(counts().jobs, 0);
}

static void test_refreshed_policy_reaches_variants(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", 7 * DAY);
	answer("a.example");
	answer("a.example:587");
	world_policy(policy_host("a.example"), "none", DAY, "mx.a.example");
	world_pass((int64_t)DAY * 1000);
	assert_int_equal(heard.calls, 2);
	a = answer("a.example:587");
	assert_true(a.policy);
	assert_false(a.enforce);
}

static void test_restart_takes_policies_from_redis(void **state)
{
	struct resolver_env env = {.conf = &conf, .redis = world_redis(), .on_facts = on_facts};

	(void)state;
	with_sts("a.example", "1", 7 * DAY);
	assert_true(answer("a.example").enforce);
	resolver_free(&resolver);
	world_end();
	env.base = world_begin();
	env.dns = world_dns();
	env.https = world_https();
	resolver = resolver_new(&env);
	other_node_fetched("sts:a.example", "enforce");
	plain("a.example", 300);
	assert_true(answer("a.example").enforce);
	assert_int_equal(world_fetches(NULL), 0);
	assert_int_equal(counts().policies_dated, 1); /* asked for once: refreshed from here on */
}

/* ---- prefetch ---- */

static void prefetch(const char *name)
{
	struct nexthop n = hop(name);

	resolve_prefetch(resolver, &n);
}

static void test_prefetch(void **state)
{
	(void)state;
	with_dane("a.example", 300);
	answer("a.example");
	world_pass(250 * 1000);
	prefetch("a.example");
	prefetch("a.example");
	assert_true(is_known("a.example")); /* the old serves meanwhile */
	world_run();
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_int_equal(heard.calls, 1);
	world_pass(100 * 1000);
	assert_true(is_known("a.example"));
}

static void test_failed_prefetch_spoils_nothing(void **state)
{
	(void)state;
	with_dane("a.example", 300);
	answer("a.example");
	world_dns_status("a.example", RR_MX, RR_ERROR);
	world_pass(250 * 1000);
	prefetch("a.example");
	world_run();
	assert_int_equal(world_dns_asked("a.example", RR_MX), 2);
	assert_true(is_known("a.example"));
	assert_int_equal(answer("a.example").mx, MX_SECURE);
	world_pass(51 * 1000);
	assert_int_equal(answer("a.example").mx, MX_ERROR);
}

/* ---- bounds ---- */

static void test_storm(void **state)
{
	static struct asker a[10000];
	char name[40];
	size_t i, refused = 0, answered = 0;

	(void)state;
	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof name, "d%zu.example", i);
		if (i < 100)
			plain(name, 300);
		ask(&a[i], name);
		refused += a[i].wait == NULL;
	}
	assert_int_equal(refused, 9900);
	assert_int_equal(counts().refused, 9900);
	world_run();
	for (i = 0; i < 10000; i++)
		answered += a[i].answers;
	assert_int_equal(answered, 100);
	plain("later.example", 300);
	assert_int_equal(answer("later.example").answers, 1);
}

/* Policy hosts that never end must not keep others out. */
static void test_background_gives_way(void **state)
{
	struct asker a[100], late;
	char name[40];
	size_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "d%zu.example", i);
		with_sts(name, "1", DAY);
		world_hold(policy_host(name));
		ask(&a[i], name);
	}
	plain("late.example", 300);
	world_run();
	ask(&late, "late.example");
	assert_null(late.wait); /* all of them have somebody who waits */
	world_pass(5100);
	for (i = 0; i < 100; i++)
		assert_int_equal(a[i].answers, 1);
	late = answer("late.example");
	assert_int_equal(late.answers, 1);
	assert_int_equal(counts().given_up, 1);
	assert_int_equal(world_fetches_open(), 99);
	world_pass(60 * 1000);
	assert_int_equal(counts().jobs, 0);
}

static void test_eviction_keeps_policies_in_force(void **state)
{
	char name[40];
	size_t i;

	(void)state;
	conf.mapd.cache_entries = 50;
	resolver_reconf(resolver, &conf, world_dns(), world_https());
	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "sts%zu.example", i);
		with_sts(name, "1", 7 * DAY);
		assert_true(answer(name).enforce);
	}
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "plain%zu.example", i);
		answer(name);
	}
	assert_int_equal(counts().known, 50);
	assert_int_equal(counts().policies, 10);
	assert_int_equal(counts().policies_evicted, 0);
	world_redis_away = true;
	for (i = 0; i < 10; i++) {
		snprintf(name, sizeof name, "sts%zu.example", i);
		world_policy_fails(policy_host(name), FETCH_FAILED, "connection refused");
		world_sts_txt(name, NULL, 300);
		world_pass(400 * 1000);
		assert_true(answer(name).enforce);
	}
}

static void test_more_policies_than_room(void **state)
{
	char name[40];
	size_t i;

	(void)state;
	conf.mapd.cache_entries = 10;
	resolver_reconf(resolver, &conf, world_dns(), world_https());
	for (i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "sts%zu.example", i);
		with_sts(name, "1", 7 * DAY);
		assert_true(answer(name).enforce);
	}
	assert_int_equal(counts().known, 10);
	assert_int_equal(counts().policies_evicted, 20);
	assert_int_equal(counts().policies_dated, 10);
	assert_true(answer("sts0.example").enforce); /* Redis still has it */
	assert_int_equal(world_fetches(NULL), 30);
}

/* ---- reload and end ---- */

static void test_reload(void **state)
{
	struct asker a;

	(void)state;
	with_sts("a.example", "1", DAY);
	world_hold(policy_host("a.example"));
	ask(&a, "a.example");
	world_run();
	conf.sts.timeout_s = 2;
	resolver_reconf(resolver, &conf, world_dns(), world_https());
	assert_int_equal(world_contexts(), 4);
	world_pass(2100);
	assert_int_equal(a.answers, 0); /* what is under way keeps its limits */
	world_pass(3000);
	assert_int_equal(a.answers, 1);
	world_release(policy_host("a.example"));
	world_run();
	assert_int_equal(counts().jobs, 0);
	assert_int_equal(world_contexts(), 2);
}

static void test_free_is_silent(void **state)
{
	struct asker a, b;

	(void)state;
	with_sts("a.example", "1", DAY);
	with_dane("b.example", 300);
	world_hold(policy_host("a.example"));
	world_dns_silent("b.example", RR_MX);
	ask(&a, "a.example");
	ask(&b, "b.example");
	world_run();
	resolver_free(&resolver); /* world_end() sees what was not aborted */
	assert_int_equal(a.answers + b.answers, 0);
}

/* Not a test of right or wrong: what a domain costs. */
static void test_octets_per_domain(void **state)
{
	char name[40];
	size_t i, before;

	(void)state;
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "plain%zu.example", i);
		plain(name, 300);
		answer(name);
	}
	before = counts().known_octets;
	print_message("# %zu octets per plain domain\n", before / 500);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "sts%zu.example", i);
		with_sts(name, "20260101000000", DAY);
		answer(name);
	}
	print_message("# %zu octets per domain with a policy\n", (counts().known_octets - before) / 100);
	assert_true(before / 500 < 400);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_answers_dane),
	    T(test_answers_sts),
	    T(test_thousand_askers_one_job),
	    T(test_known_is_answered_from_the_loop_too),
	    T(test_literals_need_no_question),
	    T(test_abort_of_one_leaves_the_others),
	    T(test_a_job_without_waiters_goes_on),
	    T(test_waiters_may_ask_and_abort),
	    T(test_variants_share_the_policy_and_the_fetch),
	    T(test_dns_timeout_ends_the_dns_part_only),
	    T(test_dns_timeout),
	    T(test_dns_timeout_is_for_all_steps),
	    T(test_silent_redis_does_not_outlast_the_deadline),
	    T(test_redis_away),
	    T(test_overdue_fetch_ends_late),
	    T(test_fetch_is_given_up_after_a_minute),
	    T(test_failed_fetch_holds_off),
	    T(test_new_id_ends_the_hold_off),
	    T(test_policy_host_without_address),
	    T(test_other_node_has_the_lock),
	    T(test_other_node_failed),
	    T(test_lock_holder_dies),
	    T(test_redis_goes_away_while_waiting_for_the_other),
	    T(test_looks_again_before_fetching),
	    T(test_what_is_in_redis_is_not_asked),
	    T(test_cache_forget),
	    T(test_forgotten_while_redis_is_away),
	    T(test_lost_policies_are_shared_again),
	    T(test_newer_policy_of_another_node),
	    T(test_changed_under_way),
	    T(test_own_writes_change_nothing),
	    T(test_ended_hash_is_not_forgotten),
	    T(test_other_job_without_the_policy),
	    T(test_many_changes),
	    T(test_malformed_fact_is_ignored),
	    T(test_refresh_without_a_query),
	    T(test_refresh_of_short_lives),
	    T(test_failing_refresh_holds_off_and_warns),
	    T(test_redis_away_for_the_whole_life),
	    T(test_refresh_is_another_nodes),
	    T(test_operator_asks_for_a_fetch),
	    T(test_refresh_at_most_ten_at_once),
	    T(test_refreshed_policy_reaches_variants),
	    T(test_restart_takes_policies_from_redis),
	    T(test_prefetch),
	    T(test_failed_prefetch_spoils_nothing),
	    T(test_storm),
	    T(test_background_gives_way),
	    T(test_eviction_keeps_policies_in_force),
	    T(test_more_policies_than_room),
	    T(test_reload),
	    T(test_free_is_silent),
	    T(test_octets_per_domain),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
