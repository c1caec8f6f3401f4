/*
 * test_resolve_chaos.c - the resolver while everything around it fails at random: what must hold at any time, and that
 * it ends.
 *
 * Deterministic: a failing run names its seed, and "test_resolve_chaos SEED" plays it again. What must hold:
 * every asker is answered exactly once, or aborted and never; no answer later than the deadline; while policies are in
 * force and nobody makes us forget them, every answer has them (RFC 8461 s5.1); when the world calms down no job is
 * left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "core/rkeys.h"
#include "mapd/resolve/fake_world.h"
#include "mapd/resolve/resolve.h"

#define STEPS 3000
#define SEEDS 60
#define DOMAINS 40
#define LAWFUL 5 /* the first domains: their enforce policy is fetched at the beginning and never forgotten */
#define ASKERS 200

struct chaos_asker {
	struct resolve_wait *wait;
	size_t domain;
	int64_t since_ms, answered;
};

static struct resolver *resolver;
static struct conf conf;
static struct chaos_asker askers[ASKERS];
static uint64_t state, seed;
static int64_t now_ms, stalled_ms;
static bool lawful_fetched;

static unsigned roll(unsigned sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 20) % sides);
}

static void fail(const char *what)
{
	printf("not ok 1 - seed %llu: %s\n1..1\n", (unsigned long long)seed, what);
	exit(1);
}

static const char *domain_name(size_t i)
{
	static char name[40];

	snprintf(name, sizeof(name), "d%zu.example", i);
	return name;
}

static const char *policy_host(size_t i)
{
	static char host[60];

	snprintf(host, sizeof(host), "mta-sts.%s", domain_name(i));
	return host;
}

static struct nexthop variant(size_t i, unsigned which)
{
	static const char *const form[] = {"%s", "%s:587", "[%s]"};
	char text[60];
	struct nexthop n;

	snprintf(text, sizeof(text), form[which], domain_name(i));
	nexthop_parse(&n, text, strlen(text));
	return n;
}

static void on_facts(const char *key, const struct facts *facts, void *arg)
{
	(void)arg;
	if (key[0] == '\0' || (facts && strcmp(facts->nexthop.key, key) != 0))
		fail("on_facts names another next hop");
}

static bool enforced(const struct facts *f)
{
	const struct sts_policy *policy = facts_policy(f, world_now());

	return policy && policy->mode == STS_ENFORCE;
}

static void look_at(const struct chaos_asker *a, const struct facts *facts)
{
	if (facts->mx == MX_UNKNOWN || facts->sts.txt == TXT_UNKNOWN)
		fail("an answer is not complete");
	if (lawful_fetched && a->domain < LAWFUL && !enforced(facts))
		fail("a policy in force was lost");
}

static void on_answer(const struct facts *facts, void *arg)
{
	struct chaos_asker *a = arg;

	if (!a->wait || a->answered++ > 0)
		fail("an asker was answered twice, or after it had gone");
	a->wait = NULL;
	look_at(a, facts);
	if (now_ms - a->since_ms > (int64_t)conf.mapd.deadline_s * 1000 + stalled_ms)
		fail("an answer came after the deadline");
}

/* ---- what may happen ---- */

static void ask(struct chaos_asker *a, const struct nexthop *n)
{
	struct facts known;

	switch (resolve_ask(resolver, n, &known, &a->wait)) {
	case RESOLVE_KNOWN:
		look_at(a, &known);
		a->answered = 1;
		facts_fini(&known);
		break;
	case RESOLVE_WAITS:
		resolve_wait_on(a->wait, on_answer, a);
		break;
	case RESOLVE_REFUSED:
	case RESOLVE_CROWDED:
		break;
	}
}

static void do_ask(void)
{
	struct chaos_asker *a = &askers[roll(ASKERS)];
	struct nexthop n;

	if (a->wait)
		return;
	*a = (struct chaos_asker){.domain = roll(DOMAINS), .since_ms = now_ms};
	n = variant(a->domain, roll(8) < 6 ? 0 : 1 + roll(2));
	ask(a, &n);
}

static void do_abort(void)
{
	resolve_abort(&askers[roll(ASKERS)].wait);
}

static void do_known(void)
{
	struct nexthop n = variant(roll(DOMAINS), roll(3));
	struct facts *f = xmalloc(sizeof(*f));

	if (resolve_known(resolver, &n, f)) {
		if (f->mx == MX_UNKNOWN || f->sts.txt == TXT_UNKNOWN)
			fail("known facts are not complete");
		facts_fini(f);
	}
	free(f);
}

static void do_prefetch(void)
{
	struct nexthop n = variant(roll(DOMAINS), 0);

	resolve_prefetch(resolver, &n);
}

static void pass(int64_t ms)
{
	now_ms += ms;
	stalled_ms = ms; /* the loop stood still for so long: nothing could be in time */
	world_pass(ms);
}

static void do_pass(void)
{
	static const int64_t steps[] = {1, 50, 400, 1100, 3000, 5100, 11000, 61000, 310000};

	pass(steps[roll(sizeof(steps) / sizeof(steps[0]))]);
}

static void do_run(void)
{
	world_run();
}

static void good_dns(size_t i)
{
	char host[60];

	snprintf(host, sizeof(host), "mx.%s", domain_name(i));
	world_mx(domain_name(i), i % 2 == 0, 60 + (uint32_t)i, host);
	world_address(host, i % 2 == 0, 120);
	world_tlsa(host, 90);
	world_address(domain_name(i), false, 100);
	world_address(policy_host(i), false, 100);
	if (i % 3 == 0 || i < LAWFUL)
		world_sts_txt(domain_name(i), i % 2 ? "1" : "2", 30);
	else
		world_sts_txt(domain_name(i), NULL, 30);
}

static void good_policy(size_t i)
{
	char host[60];

	snprintf(host, sizeof(host), "mx.%s", domain_name(i));
	world_policy(policy_host(i), "enforce", i < LAWFUL ? 31557600 : 60 + roll(5000), host);
	world_release(policy_host(i));
}

static void do_break_dns(void)
{
	static const enum rr_status bad[] = {RR_ERROR, RR_BOGUS, RR_NXDOMAIN, RR_NODATA};
	size_t i = roll(DOMAINS);
	char name[80];

	snprintf(name, sizeof(name), "_mta-sts.%s", domain_name(i));
	switch (roll(5)) {
	case 0:
		world_dns_silent(domain_name(i), RR_MX);
		break;
	case 1:
		world_dns_silent(name, RR_TXT);
		break;
	case 2:
		world_dns_status(domain_name(i), RR_MX, bad[roll(4)]);
		break;
	case 3:
		world_dns_status(name, RR_TXT, bad[roll(4)]);
		break;
	default:
		world_dns_status(policy_host(i), RR_A, bad[roll(4)]);
	}
}

static void do_mend_dns(void)
{
	good_dns(roll(DOMAINS));
}

static void do_break_https(void)
{
	size_t i = roll(DOMAINS);

	if (roll(2))
		world_policy_fails(policy_host(i), FETCH_FAILED + (enum fetch_failure)roll(3), "broken");
	else
		world_hold(policy_host(i));
}

static void do_mend_https(void)
{
	good_policy(roll(DOMAINS));
}

/* Redis goes, comes back, perhaps empty. */
static void do_redis(void)
{
	char key[60];

	world_redis_away = roll(3) == 0;
	if (world_redis_away)
		return;
	for (size_t i = 0; roll(4) == 0 && i < DOMAINS; i++) {
		snprintf(key, sizeof(key), "sts:%s", domain_name(i));
		world_hash(key, NULL);
	}
	resolve_fact_changed(resolver, RKEY_STS, NULL);
}

static void do_slow_redis(void)
{
	world_redis_silent = roll(4) == 0;
}

/* Another node removes or writes facts; the lawful domains' policies only by eviction. */
static void do_change_fact(void)
{
	size_t i = roll(DOMAINS);
	char key[60];

	if (roll(2)) {
		snprintf(key, sizeof(key), "dane:%s", domain_name(i));
		if (roll(2))
			world_hash(key, NULL);
		resolve_fact_changed(resolver, RKEY_DANE, domain_name(i));
		return;
	}
	snprintf(key, sizeof(key), "sts:%s", domain_name(i));
	if (roll(3) == 0)
		world_hash(key, NULL);
	else if (roll(2) && i >= LAWFUL)
		world_hash(key, (const char *[]){"forgotten", "1", NULL});
	else if (roll(3) == 0)
		world_hash(key, (const char *[]){"txt", "perhaps", "mode", "enforce", NULL});
	resolve_fact_changed(resolver, RKEY_STS, domain_name(i));
}

static void do_lock(void)
{
	world_lock_of_other(domain_name(roll(DOMAINS)), roll(2));
}

static void do_reload(void)
{
	conf.mapd.max_jobs = 5 + roll(60);
	conf.mapd.cache_entries = 20 + roll(40); /* room for all policies */
	conf.sts.timeout_s = 1 + roll(8);
	conf.dns.timeout_s = 1 + roll(8);
	resolver_reconf(resolver, &conf, world_dns(), world_https());
}

static const struct {
	unsigned weight;
	void (*fn)(void);
} happenings[] = {
    {40, do_ask},  {6, do_abort},      {10, do_known},      {4, do_prefetch},    {14, do_pass},
    {10, do_run},  {8, do_break_dns},  {8, do_mend_dns},    {6, do_break_https}, {6, do_mend_https},
    {3, do_redis}, {2, do_slow_redis}, {6, do_change_fact}, {4, do_lock},        {1, do_reload},
};

static void happen(void)
{
	unsigned total = 0, at;
	size_t i;

	for (i = 0; i < sizeof(happenings) / sizeof(happenings[0]); i++)
		total += happenings[i].weight;
	at = roll(total);
	for (i = 0; at >= happenings[i].weight; i++)
		at -= happenings[i].weight;
	happenings[i].fn();
}

/* ---- one run ---- */

static void begin(void)
{
	struct resolver_env env = {.base = world_begin(),
				   .conf = &conf,
				   .dns = world_dns(),
				   .https = world_https(),
				   .redis = world_redis(),
				   .on_facts = on_facts};

	conf = (struct conf){
	    .dns.timeout_s = 6, .sts.timeout_s = 5, .mapd = {.deadline_s = 10, .cache_entries = 30, .max_jobs = 30}};
	memset(askers, 0, sizeof(askers));
	now_ms = 0;
	stalled_ms = 0;
	lawful_fetched = false;
	resolver = resolver_new(&env);
	for (size_t i = 0; i < DOMAINS; i++) {
		good_dns(i);
		good_policy(i);
	}
}

static void fetch_lawful(void)
{
	for (size_t i = 0; i < LAWFUL; i++) {
		struct nexthop n = variant(i, 0);

		askers[i] = (struct chaos_asker){.domain = i};
		ask(&askers[i], &n);
	}
	world_run();
	for (size_t i = 0; i < LAWFUL; i++)
		if (askers[i].answered != 1)
			fail("the first answers did not come");
	lawful_fetched = true;
}

/* Everything works again: all are answered, and all jobs end. */
static void calm_down(void)
{
	struct resolver_counts c;

	world_redis_away = world_redis_silent = false;
	for (size_t i = 0; i < DOMAINS; i++) {
		good_dns(i);
		good_policy(i);
		world_lock_of_other(domain_name(i), false);
	}
	for (size_t i = 0; i < 15; i++)
		pass(10000);
	for (size_t i = 0; i < ASKERS; i++)
		if (askers[i].wait)
			fail("an asker was never answered");
	resolver_counts(resolver, &c);
	if (c.jobs != 0 || c.fetches != 0)
		fail("a job did not end");
	if (c.known > conf.mapd.cache_entries)
		fail("the bound of the cache was not kept");
}

static struct resolver_counts sum;

static void add_up(void)
{
	struct resolver_counts c;

	resolver_counts(resolver, &c);
	sum.started += c.started;
	sum.refused += c.refused;
	sum.given_up += c.given_up;
	sum.timeouts += c.timeouts;
	sum.fetch_ok += c.fetch_ok;
	sum.fetch_failed += c.fetch_failed;
	sum.refreshed += c.refreshed;
	sum.evicted += c.evicted;
	sum.policies_evicted += c.policies_evicted;
}

static void play(uint64_t number)
{
	seed = number;
	state = number * 0x9e3779b97f4a7c15u + 1;
	begin();
	fetch_lawful();
	for (int i = 0; i < STEPS; i++)
		happen();
	calm_down();
	if (number % 2)
		for (int i = 0; i < 20; i++) /* the end may come in the middle */
			do_ask();
	add_up();
	resolver_free(&resolver);
	world_end();
}

static void swallow(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

int main(int argc, char **argv)
{
	log_capture(swallow);
	if (argc > 1) {
		play(strtoull(argv[1], NULL, 10));
	} else {
		for (uint64_t i = 1; i <= SEEDS; i++)
			play(i);
	}
	printf("# jobs %lu refused %lu given up %lu timeouts %lu fetched %lu failed %lu refreshed %lu evicted %lu with "
	       "policies %lu\n",
	       sum.started, sum.refused, sum.given_up, sum.timeouts, sum.fetch_ok, sum.fetch_failed, sum.refreshed,
	       sum.evicted, sum.policies_evicted);
	printf("ok 1 - %d seeds of %d happenings\n1..1\n", SEEDS, STEPS);
	return 0;
}
