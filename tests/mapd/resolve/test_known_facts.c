/* known_facts.c and facts_pack.c: what is kept comes back to the letter, bounds hold, and what a domain costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"
#include "mapd/resolve/facts_pack.h"
#include "mapd/resolve/known_facts.h"
#include "mapd/resolve/refresh.h"

#define NOW INT64_C(1800000000)

static unsigned told;

static void on_evicted(const char *domain, void *arg)
{
	(void)arg;
	told++;
	assert_true(domain[0] == 'p');
}

static struct facts *facts_new(const char *name)
{
	struct facts *f = xmalloc(sizeof(*f));
	struct nexthop n;

	nexthop_parse(&n, name, strlen(name));
	facts_init(f, &n);
	return f;
}

static void drop(struct facts *f)
{
	facts_fini(f);
	free(f);
}

static void give_host(struct facts *f, const char *name, enum tlsa_state tlsa)
{
	struct host_fact *h = &f->host[f->host_count++];

	memset(h, 0, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "%s", name);
	h->tlsa = tlsa;
	h->step = HOST_DONE;
	h->until = NOW + 300;
}

/* A plain domain with two MX hosts, as most are. */
static struct facts *plain(const char *name)
{
	struct facts *f = facts_new(name);

	f->mx = MX_INSECURE;
	f->mx_kind = MX_RECORDS;
	f->mx_until = NOW + 3600;
	f->sts.txt = TXT_NONE;
	f->sts.txt_until = NOW + 300;
	give_host(f, "mx1.mail.example", TLSA_NONE);
	give_host(f, "mx2.mail.example", TLSA_NONE);
	return f;
}

static void give_policy(struct facts *f, int64_t fetched_at, uint32_t max_age, const char *patterns)
{
	f->sts.txt = TXT_RECORD;
	strcpy(f->sts.txt_id, "20260101000000");
	strcpy(f->sts.policy_id, "20260101000000");
	f->sts.have_policy = true;
	f->sts.policy.mode = STS_ENFORCE;
	f->sts.policy.max_age = max_age;
	assert_true(sts_policy_set_mx(&f->sts.policy, patterns, strlen(patterns)));
	f->sts.fetched_at = fetched_at;
}

/* The same octets when packed: the same facts. */
static void assert_same(const struct facts *a, const struct facts *b)
{
	struct packed p = {0}, q = {0};

	facts_pack_sts(&p, &a->sts);
	facts_pack_hop(&p, a);
	facts_pack_sts(&q, &b->sts);
	facts_pack_hop(&q, b);
	assert_int_equal(p.len, q.len);
	assert_memory_equal(p.bytes, q.bytes, p.len);
	facts_packed_fini(&p);
	facts_packed_fini(&q);
}

static void test_everything_comes_back(void **state)
{
	struct known_facts *k = known_facts_new(10, on_evicted, NULL);
	struct facts *f = plain("a.example:587"), *g = facts_new("a.example:587");

	(void)state;
	give_policy(f, NOW - 100, 86400, "mx1.mail.example *.mail.example");
	give_host(f, "alias.example", TLSA_ERROR);
	strcpy(f->host[2].expanded, "real.example");
	f->host[2].why = "the answer is bogus";
	f->mx_why = "a reason";
	f->mx_truncated = true;
	f->sts.failure = FETCH_WEBPKI;
	strcpy(f->sts.fail_id, "2");
	f->sts.fail_at = NOW - 7;
	strcpy(f->sts.fail_why, "certificate has expired");
	known_facts_put(k, f, NOW, true);
	assert_true(known_facts_get(k, &g->nexthop, g));
	assert_same(f, g);
	assert_int_equal(g->mx, MX_INSECURE);
	assert_int_equal(g->mx_until, NOW + 3600);
	assert_true(g->mx_truncated);
	assert_string_equal(g->mx_why, "a reason");
	assert_int_equal(g->host_count, 3);
	assert_string_equal(g->host[1].name, "mx2.mail.example");
	assert_string_equal(g->host[2].expanded, "real.example");
	assert_string_equal(g->host[2].why, "the answer is bogus");
	assert_int_equal(g->host[2].tlsa, TLSA_ERROR);
	assert_int_equal(g->host[2].step, HOST_DONE);
	assert_string_equal(g->sts.txt_id, "20260101000000");
	assert_int_equal(g->sts.policy.mx_count, 2);
	assert_true(sts_policy_matches(&g->sts.policy, "x.mail.example"));
	assert_int_equal(g->sts.failure, FETCH_WEBPKI);
	assert_int_equal(g->sts.fail_at, NOW - 7);
	assert_string_equal(g->sts.fail_why, "certificate has expired");
	drop(f);
	drop(g);
	known_facts_free(&k);
}

static void test_variants_stand_together(void **state)
{
	struct known_facts *k = known_facts_new(10, on_evicted, NULL);
	struct nexthop hops[KNOWN_HOPS_MAX];
	char name[40];

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct facts *f;

		snprintf(name, sizeof(name), "a.example:%d", 1000 + i);
		f = plain(name);
		known_facts_put(k, f, NOW, true);
		drop(f);
	}
	assert_int_equal(known_facts_hops(k, "a.example", hops), KNOWN_HOPS_MAX);
	for (int i = 0; i < KNOWN_HOPS_MAX; i++) { /* the last found first */
		snprintf(name, sizeof(name), "a.example:%d", 1011 - i);
		assert_string_equal(hops[i].key, name);
	}
	assert_int_equal(known_facts_hops(k, "b.example", hops), 0);
	known_facts_free(&k);
}

/* Whoever asks for port after port takes nothing from the usual mail. */
static void test_ports_leave_the_usual_hops(void **state)
{
	static const char *const usual[] = {"a.example", "[a.example]"};
	struct known_facts *k = known_facts_new(10, on_evicted, NULL);
	struct nexthop hops[KNOWN_HOPS_MAX];
	char name[40];

	(void)state;
	for (int i = 0; i < 5002; i++) {
		struct facts *f;

		snprintf(name, sizeof(name), i % 2 ? "[a.example]:%d" : "a.example:%d", 1000 + i / 2);
		f = plain(i < 2 ? usual[i] : name);
		known_facts_put(k, f, NOW, true);
		drop(f);
	}
	assert_int_equal(known_facts_hops(k, "a.example", hops), KNOWN_HOPS_MAX);
	assert_string_equal(hops[0].key, name);
	assert_string_equal(hops[KNOWN_HOPS_MAX - 2].key, usual[1]);
	assert_string_equal(hops[KNOWN_HOPS_MAX - 1].key, usual[0]);
	known_facts_free(&k);
}

static void test_marks(void **state)
{
	struct known_facts *k = known_facts_new(10, on_evicted, NULL);
	struct facts *f = plain("a.example");

	(void)state;
	known_facts_mark(k, "a.example", KNOWN_MARK_STS);
	assert_int_equal(known_facts_marks(k, "a.example"), 0); /* not known */
	known_facts_put(k, f, NOW, true);
	known_facts_mark(k, "a.example", KNOWN_MARK_STS);
	known_facts_put(k, f, NOW, true); /* outlived by the mark */
	assert_int_equal(known_facts_marks(k, "a.example"), KNOWN_MARK_STS);
	known_facts_unmark(k, "a.example");
	known_facts_mark_all(k);
	assert_int_equal(known_facts_marks(k, "a.example"), KNOWN_MARK_ALL);
	known_facts_unmark(k, "a.example");
	assert_int_equal(known_facts_marks(k, "a.example"), 0);
	drop(f);
	known_facts_free(&k);
}

/* Octets are bounded too: policies of 60 kB do not add up to gigabytes. */
static void test_bound_in_octets(void **state)
{
	struct known_facts *k = known_facts_new(1000, on_evicted, NULL);
	struct known_facts_counts c;
	char *patterns = xmalloc(60000), name[40];
	size_t len = 0;

	(void)state;
	told = 0;
	for (int i = 0; len < 59900; i++)
		len += (size_t)snprintf(patterns + len, 60000 - len, "%smx%d.long-policy.example", i > 0 ? " " : "", i);
	for (int i = 0; i < 100; i++) {
		struct facts *f;

		snprintf(name, sizeof(name), "p%d.example", i);
		f = plain(name);
		give_policy(f, NOW, 86400, patterns);
		known_facts_put(k, f, NOW, true);
		drop(f);
	}
	known_facts_counts(k, &c);
	assert_true(c.octets <= 1001 * KNOWN_OCTETS_EACH);
	assert_int_equal(told, 100 - c.domains);
	free(patterns);
	known_facts_free(&k);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Measured and printed, not judged. */
static void test_what_a_domain_costs(void **state)
{
	enum { MANY = 200000 };
	struct known_facts *k = known_facts_new(MANY, on_evicted, NULL);
	struct known_facts_counts c;
	struct facts *f = plain("a.example"), *g = facts_new("a.example");
	size_t before = (size_t)mallinfo2().uordblks;
	double begin = seconds();

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(f->nexthop.domain, sizeof(f->nexthop.domain), "customer-%d.example", i);
		known_facts_put(k, f, NOW, true);
	}
	known_facts_counts(k, &c);
	print_message("# %d domains with two hosts: %.0f octets each in blocks, %.0f with malloc and the table; %.1f "
		      "us to keep one\n",
		      MANY, (double)c.octets / MANY, (double)((size_t)mallinfo2().uordblks - before) / MANY,
		      (seconds() - begin) * 1e6 / MANY);
	begin = seconds();
	for (int i = 0; i < MANY; i++) {
		snprintf(g->nexthop.domain, sizeof(g->nexthop.domain), "customer-%d.example", (int)(i * 7919L % MANY));
		assert_true(known_facts_get(k, &g->nexthop, g));
	}
	print_message("# %.1f us to get one back\n", (seconds() - begin) * 1e6 / MANY);
	assert_int_equal(c.domains, MANY);
	drop(f);
	drop(g);
	known_facts_free(&k);
}

/* ---- refresh.h: the date ---- */

static void test_refresh_date(void **state)
{
	static const struct {
		const char *label;
		uint32_t max_age;
		int64_t failed_at; /* after the fetch; 0: not */
		int64_t earliest, latest;
	} rows[] = {
	    {"a week: within a tenth of a day before a day", 604800, 0, 86400 - 8640, 86400},
	    {"ten hours: half of it", 36000, 0, 18000 - 1800, 18000},
	    {"two minutes: never within a minute", 120, 0, 60, 60},
	    {"held off", 604800, 86390, 86690, 86690},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t lowest = INT64_MAX, highest = 0;

		for (int d = 0; d < 1000; d++) {
			char name[40];
			struct facts *f;
			int64_t at;

			snprintf(name, sizeof(name), "d%d.example", d);
			f = plain(name);
			give_policy(f, NOW, rows[i].max_age, "mx.example");
			f->sts.failure = rows[i].failed_at ? FETCH_FAILED : FETCH_OK;
			f->sts.fail_at = NOW + rows[i].failed_at;
			at = refresh_date(f) - NOW;
			assert_int_equal(at, refresh_date(f) - NOW); /* the same on every node, every time */
			lowest = at < lowest ? at : lowest;
			highest = at > highest ? at : highest;
			drop(f);
		}
		if (lowest < rows[i].earliest || highest > rows[i].latest)
			fail_msg("%s: %lld to %lld", rows[i].label, (long long)lowest, (long long)highest);
		if (i == 0)
			assert_true(highest - lowest > 8000); /* spread over all of it */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything_comes_back),
	    cmocka_unit_test(test_variants_stand_together),
	    cmocka_unit_test(test_ports_leave_the_usual_hops),
	    cmocka_unit_test(test_marks),
	    cmocka_unit_test(test_bound_in_octets),
	    cmocka_unit_test(test_what_a_domain_costs),
	    cmocka_unit_test(test_refresh_date),
	};

	return cmocka_run_group_tests_name("known_facts", tests, NULL, NULL);
}
