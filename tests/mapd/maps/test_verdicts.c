/*
 * test_verdicts.c - what happens beside a verdict: cached until its facts or settings end, remembered for the refusal
 * map, logged.
 *
 * The mirror and the resolver are played by this file; the clock is the test's.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/tick.h"
#include "mapd/maps/map.h"
#include "mapd/mapd.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/maps/verdict_cache.h"
#include "mapd/maps/verdicts.h"

#define MINUTE 60000LL

static struct mapd *m;
static struct settings *settings;
static int64_t clock_ms;
static struct facts known;
static bool is_known;
static char prefetched[NEXTHOP_SIZE];
static unsigned lines;
static char last_line[600];

/* ---- played parts ---- */

const struct name_code mirror_state_names[] = {{NULL, 0}};
const struct settings *mirror_read(struct mirror *mirror)
{
	(void)mirror;
	return settings;
}
void mirror_done(struct mirror *mirror)
{
	(void)mirror;
}
enum mirror_state mirror_state(const struct mirror *mirror)
{
	(void)mirror;
	return MIRROR_LIVE;
}
bool resolve_known(struct resolver *r, const struct nexthop *nexthop, struct facts *out)
{
	(void)r;
	if (!nexthop_in_dns(nexthop)) {
		facts_init(out, nexthop);
		return true;
	}
	if (!is_known)
		return false;
	assert_string_equal(nexthop->key, known.nexthop.key);
	*out = known; /* without a policy: nothing is owned */
	return true;
}
void resolve_prefetch(struct resolver *r, const struct nexthop *nexthop)
{
	(void)r;
	snprintf(prefetched, sizeof(prefetched), "%s", nexthop->key);
}

static int64_t test_clock(void)
{
	return clock_ms;
}

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	lines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static int begin(void **state)
{
	static struct conf conf;

	(void)state;
	conf.mapd.dane = true;
	conf.mapd.min_tls = (char *)(uintptr_t) "1.2";
	m = calloc(1, sizeof(*m));
	m->conf = &conf;
	m->cache = verdict_cache_new(100);
	m->refusals = refusal_memory_new(100);
	settings = settings_new();
	clock_ms = 1000000000000LL;
	tick_replace(test_clock);
	log_capture(keep_line);
	is_known = false;
	prefetched[0] = '\0';
	lines = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	verdict_cache_free(&m->cache);
	refusal_memory_free(&m->refusals);
	settings_free(&settings);
	free(m);
	tick_replace(NULL);
	log_capture(NULL);
	return 0;
}

/* Facts of KEY with one host mx.a.example that live a day. */
static void make_facts(struct facts *f, const char *key, enum mx_state mx, enum tlsa_state tlsa)
{
	struct nexthop nexthop;
	int64_t until = clock_ms / 1000 + 86400;

	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(f, &nexthop);
	if (nexthop.kind != NEXTHOP_DOMAIN)
		return;
	f->shared_known = true;
	f->mx = mx;
	f->mx_kind = MX_RECORDS;
	f->mx_until = until;
	f->sts.txt = TXT_NONE;
	f->sts.txt_until = until;
	if (mx != MX_SECURE && mx != MX_INSECURE)
		return;
	f->host_count = 1;
	strcpy(f->host[0].name, "mx.a.example");
	f->host[0].tlsa = tlsa;
	f->host[0].step = HOST_DONE;
	f->host[0].until = until;
}

/* A question of the plain map of MODE, asked now. */
static const struct map_query *query(enum mode mode)
{
	static struct map_row row;
	static struct map_query q = {.row = &row};

	row.mode = mode;
	q.now_ms = clock_ms;
	return &q;
}

static const char *render(const struct facts *f, enum mode mode)
{
	verdicts_render(m, query(mode), &f->nexthop, f);
	return m->reply.payload;
}

static bool cached(const char *key, enum mode mode, unsigned *due)
{
	struct verdict_hit hit;
	bool found = verdict_cache_get(m->cache, key, strlen(key), verdict_line(mode, false), clock_ms, &hit);

	if (due)
		*due = found ? hit.due : 0;
	return found;
}

static bool bounces(const char *host)
{
	return refusal_memory_modes(m->refusals, host, clock_ms) != 0;
}

static void set(enum setting_kind kind, const char *name, const char *field, const char *value, int64_t ends_at_ms)
{
	struct setting s;
	char complaint[160];

	settings_get(settings, kind, name, &s);
	assert_true(setting_field(&s, kind, field, strlen(field), value, strlen(value), complaint, sizeof(complaint)));
	s.ends_at_ms = ends_at_ms;
	settings_put(settings, kind, name, &s);
}

/* ---- tests ---- */

static void only_the_mode_alone_allows_a_bounce(void **state)
{
	static const struct {
		const char *name;
		enum mx_state mx;
		enum tlsa_state tlsa;
		bool enforced;
	} rows[] = {
	    {"row 4: DANE", MX_SECURE, TLSA_USABLE, false},
	    {"row 5: a broken TLSA lookup", MX_SECURE, TLSA_ERROR, false},
	    {"row 7: unusable TLSA demands TLS too", MX_SECURE, TLSA_UNUSABLE, false},
	    {"row 9: nothing is published", MX_SECURE, TLSA_NONE, true},
	    {"row 11: TLSA behind an insecure MX", MX_INSECURE, TLSA_USABLE, false},
	    {"row 12: nothing is published", MX_INSECURE, TLSA_NONE, true},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (enum mode mode = MODE_OPPORTUNISTIC; mode <= MODE_VERIFIED; mode++) {
			struct facts f;

			begin(state);
			make_facts(&f, "a.example", rows[i].mx, rows[i].tlsa);
			render(&f, mode);
			check_row(rows[i].name,
				  bounces("mx.a.example") == (rows[i].enforced && mode != MODE_OPPORTUNISTIC));
			check_row(rows[i].name, !bounces("a.example"));
			end(state);
		}
	}
	begin(state);
}

/* Found by tests/e2e/chaos.py: while _mta-sts could not be looked up, mail to an enforcing domain was bounced. */
static void unknown_mta_sts_allows_no_bounce(void **state)
{
	static const struct {
		const char *name;
		enum txt_state txt;
		const char *policy; /* a body, or NULL for none */
		bool bounces;
	} rows[] = {
	    {"no record", TXT_NONE, NULL, true},
	    {"the record could not be looked up", TXT_ERROR, NULL, false},
	    {"a record without a policy", TXT_RECORD, NULL, false},
	    {"a policy in testing", TXT_RECORD, "version: STSv1\nmode: testing\nmx: mx.a.example\nmax_age: 9999\n",
	     true},
	    {"an enforced policy", TXT_RECORD, "version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 9999\n",
	     false},
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *body = rows[i].policy, *reason;
		struct facts f;

		begin(state);
		make_facts(&f, "a.example", MX_SECURE, TLSA_NONE);
		f.sts.txt = rows[i].txt;
		if (body) {
			f.sts.have_policy = sts_policy_parse(&f.sts.policy, body, strlen(body), &reason);
			f.sts.fetched_at = clock_ms / 1000;
		}
		render(&f, MODE_ENFORCED);
		check_row(rows[i].name, bounces("mx.a.example") == rows[i].bounces);
		facts_fini(&f);
		end(state);
	}
	begin(state);
}

static void another_kind_of_answer_ends_it(void **state)
{
	struct facts plain, dane;

	(void)state;
	make_facts(&plain, "a.example", MX_SECURE, TLSA_NONE);
	make_facts(&dane, "b.example", MX_SECURE, TLSA_USABLE); /* the same host */
	render(&plain, MODE_ENFORCED);
	assert_true(bounces("mx.a.example"));
	render(&dane, MODE_OPPORTUNISTIC);
	assert_true(bounces("mx.a.example"));
	render(&dane, MODE_VERIFIED);
	assert_false(bounces("mx.a.example"));
	render(&plain, MODE_ENFORCED);
	assert_false(bounces("mx.a.example"));
}

static void addresses_and_bare_domains_are_remembered(void **state)
{
	struct facts f;

	(void)state;
	make_facts(&f, "[192.0.2.1]:587", MX_UNKNOWN, TLSA_UNKNOWN);
	render(&f, MODE_ENFORCED);
	assert_true(bounces("192.0.2.1"));
	make_facts(&f, "[2001:db8::1]", MX_UNKNOWN, TLSA_UNKNOWN);
	render(&f, MODE_ENFORCED);
	assert_true(bounces("2001:db8::1"));
	make_facts(&f, "a.example", MX_BOGUS, TLSA_UNKNOWN);
	render(&f, MODE_ENFORCED);
	assert_false(bounces("a.example"));
}

static void what_is_served_from_the_cache_is_remembered_again(void **state)
{
	unsigned due;

	(void)state;
	make_facts(&known, "a.example", MX_SECURE, TLSA_NONE);
	is_known = true;
	render(&known, MODE_ENFORCED);
	for (int i = 0; i < 20; i++) { /* three hours and more, an answer every ten minutes */
		clock_ms += 10 * MINUTE;
		assert_true(cached("a.example", MODE_ENFORCED, &due));
		assert_int_equal(due, VERDICT_TOUCH);
		verdicts_due(m, query(MODE_ENFORCED), "a.example", strlen("a.example"), due);
		assert_true(bounces("mx.a.example"));
	}
	clock_ms += 80 * MINUTE;
	assert_false(bounces("mx.a.example"));
	assert_true(cached("a.example", MODE_ENFORCED, &due));
	is_known = false; /* not to be told from memory: the next answer is made anew */
	verdicts_due(m, query(MODE_ENFORCED), "a.example", strlen("a.example"), due);
	assert_false(cached("a.example", MODE_ENFORCED, NULL));
}

static void the_next_facts_are_looked_for_in_time(void **state)
{
	static const char key[] = "a.example:587";
	unsigned due;

	(void)state;
	make_facts(&known, key, MX_SECURE, TLSA_NONE);
	render(&known, MODE_OPPORTUNISTIC);
	clock_ms += 17 * 60 * MINUTE;
	assert_true(cached(key, MODE_OPPORTUNISTIC, &due));
	assert_int_equal(due, 0);
	clock_ms += 2 * 60 * MINUTE;
	assert_true(cached(key, MODE_OPPORTUNISTIC, &due));
	assert_int_equal(due, VERDICT_PREFETCH);
	verdicts_due(m, query(MODE_OPPORTUNISTIC), key, strlen(key), due);
	assert_string_equal(prefetched, key);
}

static void a_verdict_ends_with_its_settings(void **state)
{
	struct facts f;

	(void)state;
	make_facts(&f, "a.example", MX_SECURE, TLSA_NONE);
	set(SETTING_RCPT, "a.example", "mode", "enforced", clock_ms + 1234);
	assert_string_equal(render(&f, MODE_OPPORTUNISTIC), "OK encrypt protocols=>=TLSv1.2");
	clock_ms += 1233;
	assert_true(cached("a.example", MODE_OPPORTUNISTIC, NULL));
	clock_ms += 1;
	assert_false(cached("a.example", MODE_OPPORTUNISTIC, NULL));
	assert_string_equal(render(&f, MODE_OPPORTUNISTIC), "NOTFOUND ");
}

static void a_changed_setting_drops_what_it_may_change(void **state)
{
	static const struct {
		const char *setting;
		bool a, a587, b;
	} rows[] = {
	    {"a.example", false, false, true},   {"[a.example]:25", false, false, true},
	    {"sub.a.example", true, true, true}, {".example", false, false, false},
	    {"*", false, false, false},          {"c.example", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct facts a, a587, b;

		make_facts(&a, "a.example", MX_SECURE, TLSA_NONE);
		make_facts(&a587, "a.example:587", MX_SECURE, TLSA_NONE);
		make_facts(&b, "b.example", MX_SECURE, TLSA_NONE);
		render(&a, MODE_ENFORCED);
		render(&a587, MODE_ENFORCED);
		render(&b, MODE_ENFORCED);
		verdicts_setting_changed(m, rows[i].setting);
		check_row(rows[i].setting, cached("a.example", MODE_ENFORCED, NULL) == rows[i].a);
		check_row(rows[i].setting, cached("a.example:587", MODE_ENFORCED, NULL) == rows[i].a587);
		check_row(rows[i].setting, cached("b.example", MODE_ENFORCED, NULL) == rows[i].b);
	}
}

static void each_use_of_an_exception_counts(void **state)
{
	struct facts f;

	(void)state;
	make_facts(&f, "a.example", MX_SECURE, TLSA_USABLE);
	set(SETTING_EXCEPT, "a.example", "dane", "ignore", 0);
	render(&f, MODE_OPPORTUNISTIC);
	assert_false(cached("a.example", MODE_OPPORTUNISTIC, NULL)); /* no answer goes by here */
	assert_int_equal(lines, 1);
	assert_non_null(strstr(
	    last_line,
	    "event=exception_used exception=dane nexthop=a.example setting=a.example mode=opportunistic answer=may"));
	clock_ms += MINUTE - 1;
	render(&f, MODE_OPPORTUNISTIC);
	assert_int_equal(lines, 1);
	clock_ms += 1;
	render(&f, MODE_OPPORTUNISTIC);
	assert_int_equal(lines, 2);
	assert_int_equal(m->metrics.value[METRIC_EXCEPT_DANE_USED], 3);
	assert_int_equal(m->metrics.value[METRIC_EXCEPT_STS_USED], 0);
	make_facts(&f, "b.example", MX_SECURE, TLSA_USABLE);
	render(&f, MODE_OPPORTUNISTIC);
	assert_int_equal(lines, 2);
}

static void an_exception_counts_in_the_map_for_sendmail(void **state)
{
	static const char mx[] = "mx.a.example";
	struct facts f;

	(void)state;
	make_facts(&f, "a.example", MX_INSECURE, TLSA_NONE);
	set(SETTING_EXCEPT, "a.example", "sts", "ignore", 0);
	verdicts_render_sts(m, query(MODE_OPPORTUNISTIC), &f.nexthop, &f);
	assert_int_equal(m->metrics.value[METRIC_EXCEPT_STS_USED], 0); /* there is no policy to ignore */
	f.sts.have_policy = true;
	f.sts.policy.mode = STS_ENFORCE;
	f.sts.policy.max_age = 1000;
	f.sts.fetched_at = clock_ms / 1000;
	assert_true(sts_policy_set_mx(&f.sts.policy, mx, strlen(mx)));
	verdicts_render_sts(m, query(MODE_OPPORTUNISTIC), &f.nexthop, &f);
	assert_int_equal(m->reply.status, SOCKMAP_NOTFOUND);
	assert_int_equal(m->metrics.value[METRIC_EXCEPT_STS_USED], 1);
	assert_non_null(strstr(last_line, "event=exception_used exception=sts nexthop=a.example setting=a.example"));
	settings_remove(settings, SETTING_EXCEPT, "a.example");
	verdicts_render_sts(m, query(MODE_OPPORTUNISTIC), &f.nexthop, &f);
	assert_string_equal(m->reply.payload, "OK secure match=mx.a.example servername=hostname");
	assert_int_equal(m->metrics.value[METRIC_EXCEPT_STS_USED], 1);
	facts_fini(&f);
}

/* Nobody would tell when a setting changes that was read for one question. */
static void what_was_read_for_one_question_is_its_own(void **state)
{
	struct map_query own = *query(MODE_ENFORCED);
	struct setting match = {.has = SETTING_HAS_MATCH, .match = "mx.other.example"};
	struct facts f;

	(void)state;
	make_facts(&f, "a.example", MX_INSECURE, TLSA_UNKNOWN);
	own.own = settings_new();
	settings_put(own.own, SETTING_RCPT, "a.example", &match);
	verdicts_render(m, &own, &f.nexthop, &f);
	assert_non_null(strstr(m->reply.payload, "mx.other.example"));
	assert_false(cached("a.example", MODE_ENFORCED, NULL));
	assert_true(verdicts_named(m, &own, &f.nexthop));
	assert_false(verdicts_named(m, query(MODE_ENFORCED), &f.nexthop));
	assert_null(strstr(render(&f, MODE_ENFORCED), "mx.other.example"));
	assert_true(cached("a.example", MODE_ENFORCED, NULL));
	settings_free(&own.own);
}

static void a_verdict_that_defers_says_why(void **state)
{
	struct facts f;

	(void)state;
	make_facts(&f, "a.example", MX_BOGUS, TLSA_UNKNOWN);
	assert_memory_equal(render(&f, MODE_ENFORCED), "TEMP ", 5);
	assert_non_null(strstr(last_line, "event=verdict_temp nexthop=a.example mode=enforced reason="));
	assert_int_equal(lines, 1);
	render(&f, MODE_ENFORCED);
	assert_int_equal(lines, 1);
	render(&f, MODE_VERIFIED);
	assert_int_equal(lines, 2);
	assert_int_equal(m->metrics.value[METRIC_VERDICTS_TEMP], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(only_the_mode_alone_allows_a_bounce, end),
	    cmocka_unit_test_teardown(unknown_mta_sts_allows_no_bounce, end),
	    cmocka_unit_test_setup_teardown(another_kind_of_answer_ends_it, begin, end),
	    cmocka_unit_test_setup_teardown(what_was_read_for_one_question_is_its_own, begin, end),
	    cmocka_unit_test_setup_teardown(addresses_and_bare_domains_are_remembered, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_served_from_the_cache_is_remembered_again, begin, end),
	    cmocka_unit_test_setup_teardown(the_next_facts_are_looked_for_in_time, begin, end),
	    cmocka_unit_test_setup_teardown(a_verdict_ends_with_its_settings, begin, end),
	    cmocka_unit_test_setup_teardown(a_changed_setting_drops_what_it_may_change, begin, end),
	    cmocka_unit_test_setup_teardown(each_use_of_an_exception_counts, begin, end),
	    cmocka_unit_test_setup_teardown(an_exception_counts_in_the_map_for_sendmail, begin, end),
	    cmocka_unit_test_setup_teardown(a_verdict_that_defers_says_why, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
