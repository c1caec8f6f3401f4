/*
 * test_facts_text.c - facts to Redis hashes and back: round trip, what is worth telling, and every malformed value
 * refused.
 */
#include "unit/check.h"

#include "core/facts_text.h"

#define NOW 1000000

static struct facts *fresh(const char *key)
{
	static struct facts f;
	struct nexthop nexthop;

	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&f, &nexthop);
	return &f;
}

/* NAME=VALUE pairs of one line, as a hash would have them; '|' between fields. */
static size_t fields_of(const char *line, struct text_field out[FACTS_TEXT_FIELDS_MAX])
{
	size_t n = 0;

	while (*line != '\0') {
		const char *equal = strchr(line, '='), *end = strchrnul(line, '|');

		out[n].name = line;
		out[n].name_len = (size_t)(equal - line);
		out[n].value = equal + 1;
		out[n++].value_len = (size_t)(end - equal - 1);
		line = *end == '|' ? end + 1 : end;
	}
	return n;
}

static const char *line_of(const struct text_fields *t)
{
	static char line[70000];
	size_t len = 0;

	line[0] = '\0';
	for (size_t i = 0; i < t->count; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%.*s=%.*s", i > 0 ? "|" : "",
					(int)t->field[i].name_len, t->field[i].name, (int)t->field[i].value_len,
					t->field[i].value);
	return line;
}

static bool take_sts(struct facts *f, const char *line, const char **reason)
{
	struct text_field field[FACTS_TEXT_FIELDS_MAX];

	return facts_text_take_sts(f, field, fields_of(line, field), NOW, reason);
}

static bool take_dane(struct facts *f, const char *line, const char **reason)
{
	struct text_field field[FACTS_TEXT_FIELDS_MAX];

	return facts_text_take_dane(f, field, fields_of(line, field), NOW, reason);
}

static void test_sts_round_trip(void **state)
{
	static const char *const lines[] = {
	    "txt=none|txt_until=1000100",
	    "txt=record|txt_id=a1|txt_until=1000300",
	    ("txt=record|txt_id=20260101|txt_until=1000300|mode=enforce|max_age=86400|mx=mx.a.example "
	     "*.b.example|id=20260101|fetched_at=999000"),
	    "mode=none|max_age=60|mx=|id=|fetched_at=1000000",
	    "mode=testing|max_age=31557600|mx=mx.a.example|id=x|fetched_at=1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct facts *f = fresh("a.example");
		struct text_fields text;
		const char *reason;

		check_row(lines[i], take_sts(f, lines[i], &reason));
		check_row(lines[i], !reason);
		check_row(lines[i], facts_text_sts(f, NOW, &text));
		check_row_text(lines[i], line_of(&text), lines[i]);
		facts_text_fini(&text);
		facts_fini(f);
	}
}

/* Told for people; another node's failure is none of ours. */
static void test_sts_failure(void **state)
{
	static const char line[] =
	    "mode=testing|max_age=31557600|mx=mx.a.example|id=x|fetched_at=1|"
	    "failure=sts-webpki-invalid|fail_id=y|fail_at=999999|fail_why=certificate has expired";
	struct facts *f = fresh("a.example");
	struct text_fields text;
	const char *reason;

	(void)state;
	assert_true(take_sts(f, line, &reason));
	assert_true(f->sts.have_policy && f->sts.failure == FETCH_OK && f->sts.fail_at == 0);
	f->sts.failure = FETCH_WEBPKI;
	f->sts.fail_at = 999999;
	strcpy(f->sts.fail_id, "y");
	strcpy(f->sts.fail_why, "certificate has expired");
	assert_true(facts_text_sts(f, NOW, &text));
	assert_string_equal(line_of(&text), line);
	facts_text_fini(&text);
	facts_fini(f);
}

/* What others say of a policy in force here: as strict or stricter is taken, anything else makes us ask the domain. */
static void test_sts_asymmetry(void **state)
{
	static const struct {
		const char *line;
		bool taken;
	} rows[] = {
	    {"mode=enforce|max_age=9000|mx=mx.a.example *.b.example|id=2|fetched_at=999900", true},
	    {"mode=enforce|max_age=9000|mx=*.b.example mx.a.example|id=2|fetched_at=999900", true},
	    {"mode=enforce|max_age=90000|mx=mx.a.example *.b.example|id=2|fetched_at=99999999", true},
	    {"mode=none|max_age=9000|mx=|id=2|fetched_at=999900", false},
	    {"mode=testing|max_age=9000|mx=mx.a.example *.b.example|id=2|fetched_at=999900", false},
	    {"mode=enforce|max_age=9000|mx=mx.a.example|id=2|fetched_at=999900", false},
	    {"mode=enforce|max_age=9000|mx=mx.a.example *.b.example mx.evil.example|id=2|fetched_at=999900", false},
	    {"mode=enforce|max_age=9000|mx=mx.evil.example *.b.example|id=2|fetched_at=999900", false},
	    {"mode=enforce|max_age=1|mx=mx.a.example *.b.example|id=2|fetched_at=999900", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct facts *f = fresh("a.example");
		const char *reason;

		check_row(rows[i].line,
			  take_sts(f, "mode=enforce|max_age=9000|mx=mx.a.example *.b.example|id=1|fetched_at=999500",
				   &reason));
		f->sts.txt = TXT_RECORD;
		strcpy(f->sts.txt_id, "1");
		check_row(rows[i].line, take_sts(f, rows[i].line, &reason));
		check_row(rows[i].line, (f->sts.fetched_at != 999500) == rows[i].taken);
		check_row(rows[i].line, f->sts.policy.mode == STS_ENFORCE && f->sts.policy.mx_count == 2);
		check_row(rows[i].line, f->sts.refresh == !rows[i].taken);
		check_row(rows[i].line, facts_fetch_due(f, NOW) == !rows[i].taken || rows[i].taken);
		facts_fini(f);
	}
}

/* Not again and again: a minute after the last fetch at the soonest. */
static void test_sts_asymmetry_is_bounded(void **state)
{
	struct facts *f = fresh("a.example");
	const char *reason;

	(void)state;
	assert_true(take_sts(f, "mode=enforce|max_age=9000|mx=mx.a.example|id=1|fetched_at=999950", &reason));
	assert_true(take_sts(f, "mode=none|max_age=9000|mx=|id=2|fetched_at=999990", &reason));
	assert_true(f->sts.policy.mode == STS_ENFORCE && !f->sts.refresh);
	facts_fini(f);
}

static void test_sts_malformed(void **state)
{
	static const char *const lines[] = {
	    "txt=record|txt_until=1000300",
	    "txt=record|txt_id=|txt_until=1000300",
	    "txt=record|txt_id=a-b|txt_until=1000300",
	    "txt=record|txt_id=aaaaaaaaaabbbbbbbbbbccccccccccddd|txt_until=1000300",
	    "txt=RECORD|txt_id=a|txt_until=1000300",
	    "txt=error|txt_until=1000300",
	    "txt=unknown|txt_until=1000300",
	    "txt=|txt_until=1000300",
	    "txt=none|txt_until=-1",
	    "txt=none|txt_until=1e3",
	    "txt=none|txt_until=",
	    "txt=none|txt_until= 1",
	    "txt=none|txt_until=1234567890123456",
	    "txt=none|txt=none|txt_until=1000300",
	    "mode=enforce|max_age=60|mx=|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|mx=mx.a.example  mx.b.example|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|mx=a:b|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|mx=*|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|mx=mx.a.example servername=x|id=a|fetched_at=1",
	    "mode=enforce|max_age=31557601|mx=mx.a.example|id=a|fetched_at=1",
	    "mode=enforce|max_age=|mx=mx.a.example|id=a|fetched_at=1",
	    "mode=enforce|max_age=60|mx=mx.a.example|id=a",
	    "mode=enforce|max_age=60|mx=mx.a.example|fetched_at=1",
	    "mode=strict|max_age=60|mx=mx.a.example|id=a|fetched_at=1",
	    "failure=|fail_id=a|fail_at=1",
	    "failure=sts-policy-fetch-error|fail_id=a",
	    "failure=sts-policy-fetch-error|fail_at=1",
	    "failure=validation-failure|fail_id=a|fail_at=1",
	    "failure=sts-policy-fetch-error|fail_id=a|fail_at=1|fail_why=a\nb",
	    "mode=enforce|max_age=60|mx=mx.a.example|id=a|fetched_at=1|txt=bad",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct facts *f = fresh("a.example");
		const char *reason = NULL;

		check_row(lines[i], !take_sts(f, lines[i], &reason));
		check_row(lines[i], reason);
		check_row(lines[i], !f->sts.have_policy && f->sts.txt == TXT_UNKNOWN && f->sts.failure == FETCH_OK);
		facts_fini(f);
	}
}

static void test_sts_merge(void **state)
{
	struct facts *f = fresh("a.example");
	const char *reason;

	(void)state;
	assert_true(take_sts(f, "mode=enforce|max_age=9000|mx=new.example|id=2|fetched_at=999500", &reason));
	/* an older one does not come back, an unknown field is no complaint */
	assert_true(take_sts(f, "mode=none|max_age=9000|mx=|id=1|fetched_at=999400|colour=red", &reason));
	assert_int_equal(f->sts.policy.mode, STS_ENFORCE);
	/* a later one comes in; what lies in the future is cut to now */
	f->sts.refresh = true;
	assert_true(take_sts(f, "mode=enforce|max_age=9000|mx=new.example|id=3|fetched_at=99999999", &reason));
	assert_string_equal(f->sts.policy_id, "3");
	assert_int_equal(f->sts.fetched_at, NOW);
	assert_false(f->sts.refresh);
	/* TXT: not past its end, not further than we would believe it ourselves */
	assert_true(take_sts(f, "txt=record|txt_id=old|txt_until=1000000", &reason));
	assert_int_equal(f->sts.txt, TXT_UNKNOWN);
	assert_true(take_sts(f, "txt=record|txt_id=new|txt_until=99999999", &reason));
	assert_int_equal(f->sts.txt_until, NOW + FACTS_TXT_TTL_MAX);
	/* and what we know ourselves stays */
	assert_true(take_sts(f, "txt=none|txt_until=1000100", &reason));
	assert_int_equal(f->sts.txt, TXT_RECORD);
	assert_true(facts_text_take_sts(f, NULL, 0, NOW, &reason));
	facts_fini(f);
}

/* An operator's `cache refresh`: due although the id is the same and a fetch has failed a moment ago; over once a fetch
 * has ended. */
static void test_sts_refresh(void **state)
{
	static const char policy[] =
	    "txt=record|txt_id=1|txt_until=1000100|mode=enforce|max_age=9000|mx=a.example|id=1|fetched_at=999500|";
	char line[400];
	struct facts *f = fresh("a.example");
	const char *reason;

	(void)state;
	f->sts.failure = FETCH_INVALID;
	f->sts.fail_at = 999900;
	strcpy(f->sts.fail_id, "1");
	snprintf(line, sizeof(line), "%srefresh=999950", policy);
	assert_true(take_sts(f, line, &reason));
	assert_true(f->sts.refresh);
	assert_true(facts_fetch_due(f, NOW));
	facts_fini(f);
	f = fresh("a.example");
	f->sts.failure = FETCH_INVALID;
	f->sts.fail_at = 999950;
	strcpy(f->sts.fail_id, "1");
	assert_true(take_sts(f, line, &reason));
	assert_false(f->sts.refresh);
	assert_false(facts_fetch_due(f, NOW));
	snprintf(line, sizeof(line), "%srefresh=999500", policy);
	assert_true(take_sts(f, line, &reason));
	assert_false(f->sts.refresh);
	assert_true(take_sts(f, "refresh=1000000", &reason));
	assert_true(f->sts.refresh); /* the policy we have ourselves counts */
	assert_false(take_sts(f, "refresh=soon", &reason));
	assert_string_equal(reason, "a number is malformed");
	facts_fini(f);
}

static void test_sts_worth(void **state)
{
	struct facts *f = fresh("a.example");
	struct text_fields text;
	const char *reason;

	(void)state;
	assert_false(facts_text_sts(f, NOW, &text));
	f->sts.txt = TXT_ERROR;
	f->sts.txt_until = NOW + 5;
	assert_false(facts_text_sts(f, NOW, &text));
	assert_true(take_sts(f, "mode=enforce|max_age=100|mx=mx.a.example|id=a|fetched_at=999950", &reason));
	assert_true(facts_text_sts(f, NOW, &text));
	assert_string_equal(line_of(&text), "mode=enforce|max_age=100|mx=mx.a.example|id=a|fetched_at=999950");
	facts_text_fini(&text);
	assert_int_equal(facts_text_sts_ttl(f, NOW), 51);
	assert_false(facts_text_sts(f, NOW + 51, &text));
	assert_int_equal(facts_text_sts_ttl(f, NOW + 51), 1);
	facts_fini(f);
	assert_false(facts_text_sts(fresh("[192.0.2.1]"), NOW, &text));
}

static void test_dane_round_trip(void **state)
{
	static const struct {
		const char *key, *line;
	} rows[] = {
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example usable 1000200 "
			  "real.example,mx2.example none 1000300 -"},
	    {"a.example", "mx=insecure|kind=records|until=1000300|truncated=0|hosts=mx1.example unusable 1000200 -"},
	    {"a.example", "mx=secure|kind=implicit|until=1000300|truncated=0|hosts=a.example none 1000001 -"},
	    {"a.example", "mx=insecure|kind=nxdomain|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=null|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts="},
	    {"[a.example]:587", "mx=secure|kind=none|until=1000200|truncated=0|hosts=a.example usable 1000200 -"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct facts *f = fresh(rows[i].key);
		struct text_fields text;
		const char *reason;

		check_row(rows[i].line, take_dane(f, rows[i].line, &reason));
		check_row(rows[i].line, facts_dane_shareable(f));
		check_row(rows[i].line, facts_text_dane(f, NOW, &text));
		check_row_text(rows[i].line, line_of(&text), rows[i].line);
		check_row(rows[i].line, facts_text_dane_ttl(f, NOW) == (rows[i].key[0] == '[' ? 200 : 300));
		facts_text_fini(&text);
	}
}

static void test_dane_malformed(void **state)
{
	static const struct {
		const char *key, *line;
	} rows[] = {
	    {"a.example", "mx=error|kind=records|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=bogus|kind=records|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=none|until=1000300|truncated=0|hosts=a.example usable 1000300 -"},
	    {"a.example", "mx=secure|kind=implicit|until=1000300|truncated=0|hosts=b.example usable 1000300 -"},
	    {"a.example", "mx=secure|kind=implicit|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=null|until=1000300|truncated=0|hosts=a.example usable 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=1|hosts=a.example usable 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=2|hosts="},
	    {"a.example", "mx=secure|kind=records|until=x|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0"},
	    {"a.example", "mx=secure|kind=records|truncated=0|hosts="},
	    {"a.example", "kind=records|until=1000300|truncated=0|hosts="},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example error 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example unknown 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=MX1.example usable 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example. usable 1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example usable 1000300"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example usable 1000300 - -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example usable  1000300 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=mx1.example usable 1000300 -,"},
	    {"a.example",
	     "mx=secure|kind=records|until=1000300|truncated=0|hosts=m.example none 1 -,m.example none 1 -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=m.example none x -"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=m.example none 1000300 M.example"},
	    {"a.example", "mx=secure|kind=records|until=1000300|truncated=0|hosts=m.example none 1000300 "},
	    {"[a.example]", "mx=secure|kind=records|until=1000300|truncated=0|hosts=a.example usable 1000300 -"},
	    {"[a.example]", "mx=insecure|kind=none|until=1000300|truncated=0|hosts=a.example usable 1000300 -"},
	    {"[a.example]", "mx=secure|kind=none|until=1000300|truncated=0|hosts=b.example usable 1000300 -"},
	    {"[192.0.2.1]", "mx=secure|kind=none|until=1000300|truncated=0|hosts="},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct facts *f = fresh(rows[i].key);
		size_t hosts = f->host_count;
		enum mx_state mx = f->mx;
		const char *reason = NULL;

		check_row(rows[i].line, !take_dane(f, rows[i].line, &reason));
		check_row(rows[i].line, reason);
		check_row(rows[i].line, f->host_count == hosts && f->mx == mx);
		check_row(rows[i].line, hosts == 0 || f->host[0].tlsa == TLSA_UNKNOWN);
	}
}

/* One host more than is ever looked at. */
static void test_dane_too_many(void **state)
{
	char line[10000] = "mx=secure|kind=records|until=1000300|truncated=0|hosts=";
	struct facts *f = fresh("a.example");
	const char *reason;

	(void)state;
	for (size_t i = 0; i <= FACTS_HOSTS_MAX; i++)
		sprintf(line + strlen(line), "%sm%zu.example usable 1000300 -", i > 0 ? "," : "", i);
	assert_false(take_dane(f, line, &reason));
	assert_string_equal(reason, "too many hosts");
	assert_int_equal(f->mx, MX_UNKNOWN);
	*strrchr(line, ',') = '\0';
	assert_true(take_dane(f, line, &reason));
	assert_int_equal(f->host_count, FACTS_HOSTS_MAX);
}

static void test_dane_merge(void **state)
{
	struct facts *f = fresh("a.example");
	const char *reason;

	(void)state;
	/* past its end: nothing of it */
	assert_true(
	    take_dane(f, "mx=secure|kind=records|until=1000000|truncated=0|hosts=m.example usable 1000300 -", &reason));
	assert_int_equal(f->mx, MX_UNKNOWN);
	/* a host past its end is known by name only; no end is believed for more than a day */
	assert_true(take_dane(f,
			      "mx=secure|kind=records|until=9999999|truncated=0|hosts=m.example usable 9999999 "
			      "-,n.example usable 1000000 -",
			      &reason));
	assert_int_equal(f->mx_until, NOW + FACTS_TTL_MAX);
	assert_int_equal(f->host[0].tlsa, TLSA_USABLE);
	assert_int_equal(f->host[0].until, NOW + FACTS_TTL_MAX);
	assert_int_equal(f->host[1].step, HOST_ASK_A);
	/* then only what is missing is taken */
	assert_true(take_dane(f,
			      "mx=insecure|kind=records|until=9999999|truncated=0|hosts=m.example none 1000300 "
			      "-,n.example none 1000300 -",
			      &reason));
	assert_int_equal(f->mx, MX_SECURE);
	assert_int_equal(f->host[0].tlsa, TLSA_USABLE);
	assert_int_equal(f->host[1].tlsa, TLSA_NONE);
	assert_true(facts_text_take_dane(f, NULL, 0, NOW, &reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sts_round_trip),  cmocka_unit_test(test_sts_failure),
	    cmocka_unit_test(test_sts_asymmetry),   cmocka_unit_test(test_sts_asymmetry_is_bounded),
	    cmocka_unit_test(test_sts_malformed),   cmocka_unit_test(test_sts_merge),
	    cmocka_unit_test(test_sts_refresh),     cmocka_unit_test(test_sts_worth),
	    cmocka_unit_test(test_dane_round_trip), cmocka_unit_test(test_dane_malformed),
	    cmocka_unit_test(test_dane_too_many),   cmocka_unit_test(test_dane_merge),
	};

	return cmocka_run_group_tests_name("facts_text", tests, NULL, NULL);
}
