/*
 * test_sts.c - MTA-STS records and policies (RFC 8461 s3.1, s3.2, s4.1).
 */
#include "unit/check.h"

#include <stdlib.h>
#include <time.h>

#include "core/sts_policy.h"
#include "core/sts_record.h"

/* ---- records ---- */

static void records_are_read_to_the_letter(void **state)
{
	static const struct {
		const char *text;
		const char *id; /* NULL: no record */
	} rows[] = {
	    {"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
	    {"v=STSv1;id=a", "a"},
	    {"v=STSv1 ;\tid=a \t; ", "a"},
	    {"v=STSv1; x=1; id=1", "1"},
	    {"v=STSv1; id=foo; id=bar", "foo"},
	    {"v=STSv1; id=foo; id=b-r", "foo"},
	    {"v=STSv1; v=STSv1; id=1", "1"},
	    {"v=STSv1; x-1_.y=!:<>~; id=1;", "1"},
	    {"v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012"},
	    {"v=STSv1; id=123456789012345678901234567890123", NULL},
	    {"v=STSv1; id=b-r; id=foo", NULL},
	    {"v=STSv1", NULL},
	    {"v=STSv1;", NULL},
	    {"v=STSv1; id=", NULL},
	    {"v=STSv1; id", NULL},
	    {"", NULL},
	    {"v=STSv1; id=a;;", NULL},
	    {"v=STSv1;; id=a", NULL},
	    {"v=STSv1 id=a", NULL},
	    {"v=STSv10; id=a", NULL},
	    {"V=STSv1; id=a", NULL},
	    {"v=stsv1; id=a", NULL},
	    {" v=STSv1; id=a", NULL},
	    {"id=a; v=STSv1", NULL},
	    {"v=STSv1; ID=a", NULL},
	    {"v=STSv1; id =a", NULL},
	    {"v=STSv1; id= a", NULL},
	    {"v=STSv1; id=a ", NULL},
	    {"v=STSv1; id=a; x=", NULL},
	    {"v=STSv1; id=a; =x", NULL},
	    {"v=STSv1; id=a; x=a=b", NULL},
	    {"v=STSv1; id=a; -x=1", NULL},
	    {"v=STSv1; id=a; x=\xc3\xa9", NULL},
	    {"v=STSv1; id=a; x=\x01", NULL},
	    {"v=STSv1; id=a; a23456789012345678901234567890123=1", NULL},
	    {"v=STSv1; id=a; a2345678901234567890123456789012=1", "a"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char id[STS_ID_SIZE];
		const char *reason;
		bool ok = sts_record_parse(id, rows[i].text, strlen(rows[i].text), &reason);
		check_row(rows[i].text, ok == !!rows[i].id);
		check_row_text(rows[i].text, id, ok ? rows[i].id : "");
		check_row(rows[i].text, ok == (!reason));
	}
}

#define TXT(text)                                                                                                      \
	{                                                                                                              \
		(const uint8_t *)(text), sizeof(text) - 1                                                              \
	}

static void exactly_one_record_counts(void **state)
{
	static const struct rr_rdata spf = TXT("\x0bv=spf1 -all"), one = TXT("\x0dv=STSv1; id=1"),
				     two = TXT("\x0dv=STSv1; id=2"), split = TXT("\x05v=STS\x08v1; id=3"),
				     bad = TXT("\x0ev=STSv1; id=1-"), cut = TXT("\x20v=STSv1; id=9"),
				     v10 = TXT("\x0ev=STSv10; id=1");
	const struct {
		const char *name;
		struct rr_rdata rr[3];
		size_t count;
		const char *id;
	} rows[] = {
	    {"none", {{NULL, 0}}, 0, NULL},
	    {"one", {one}, 1, "1"},
	    {"one after spf", {spf, one}, 2, "1"},
	    {"one before spf", {one, spf}, 2, "1"},
	    {"split", {split}, 1, "3"},
	    {"two", {one, two}, 2, NULL},
	    {"the same twice", {one, one}, 2, NULL},
	    {"one and an invalid one", {one, bad}, 2, NULL},
	    {"an invalid one first", {bad, one}, 2, NULL},
	    {"invalid", {bad}, 1, NULL},
	    {"one and another version", {one, v10}, 2, "1"},
	    {"malformed rdata", {cut}, 1, NULL},
	    {"one and malformed rdata", {cut, one}, 2, "1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct rr_answer a = {.status = RR_OK, .count = rows[i].count, .rdata = rows[i].rr};
		char id[STS_ID_SIZE];
		const char *reason;
		bool ok = sts_record_find(id, &a, &reason);
		check_row(rows[i].name, ok == !!rows[i].id);
		check_row_text(rows[i].name, id, ok ? rows[i].id : "");
		check_row(rows[i].name, ok == (!reason));
	}
}

/* ---- policies ---- */

#define V "version: STSv1\n"
#define E "mode: enforce\n"
#define MX "mx: mx.example\n"
#define AGE "max_age: 86400\n"

static void policies_are_read(void **state)
{
	static const struct {
		const char *body;
		int mode; /* -1: invalid */
		uint32_t max_age;
		const char *mx; /* with spaces between */
	} rows[] = {
	    {V E MX AGE, STS_ENFORCE, 86400, "mx.example"},
	    {AGE MX E V, STS_ENFORCE, 86400, "mx.example"},
	    {V E AGE "mx: B.example\r\nmx:*.A.example \t\r\nmx:\tb.example\nmx: *.a.example.", STS_ENFORCE, 86400,
	     "b.example *.a.example"},
	    {V "mode: none\n" AGE, STS_NONE, 86400, ""},
	    {V "mode: testing\n" AGE MX, STS_TESTING, 86400, "mx.example"},
	    {V E "mode: testing\n" MX AGE, STS_ENFORCE, 86400, "mx.example"},
	    {V E "mode: rubbish\n" MX AGE "max_age: x\nversion: STSv2\n", STS_ENFORCE, 86400, "mx.example"},
	    {V E MX "max_age: 31557601", STS_ENFORCE, STS_MAX_AGE_LIMIT, "mx.example"},
	    {V E MX "max_age: 4294967297", STS_ENFORCE, STS_MAX_AGE_LIMIT, "mx.example"},
	    {V E MX "max_age: 9999999999", STS_ENFORCE, STS_MAX_AGE_LIMIT, "mx.example"},
	    {V E MX "max_age: 0000000001", STS_ENFORCE, 1, "mx.example"},
	    {V "\n\r\n" E MX AGE "bad name: x\nno colon at all\n:\nx: \x7f\t\n", STS_ENFORCE, 86400, "mx.example"},
	    {V E MX AGE "x: a\rb\n", STS_ENFORCE, 86400, "mx.example"},
	    {V E AGE, -1, 0, NULL},
	    {V "mode: testing\n" AGE, -1, 0, NULL},
	    {E MX AGE, -1, 0, NULL},
	    {V MX AGE, -1, 0, NULL},
	    {V E MX, -1, 0, NULL},
	    {"", -1, 0, NULL},
	    {"\n", -1, 0, NULL},
	    {"version: STSv2\n" V E MX AGE, -1, 0, NULL},
	    {"Version: STSv1\n" E MX AGE, -1, 0, NULL},
	    {"version : STSv1\n" E MX AGE, -1, 0, NULL},
	    {" version: STSv1\n" E MX AGE, -1, 0, NULL},
	    {"\xef\xbb\xbfversion: STSv1\n" E MX AGE, -1, 0, NULL},
	    {"version: stsv1\n" E MX AGE, -1, 0, NULL},
	    {V "mode: Enforce\n" MX AGE, -1, 0, NULL},
	    {V "mode: enforce testing\n" MX AGE, -1, 0, NULL},
	    {V E MX "max_age: -1\n", -1, 0, NULL},
	    {V E MX "max_age: 1.5\n", -1, 0, NULL},
	    {V E MX "max_age: +1\n", -1, 0, NULL},
	    {V E MX "max_age: 0x10\n", -1, 0, NULL},
	    {V E MX "max_age: 1 0\n", -1, 0, NULL},
	    {V E MX "max_age: 00000000001\n", -1, 0, NULL},
	    {V E MX "max_age:\n", -1, 0, NULL},
	    {V E MX AGE "mx: \n", -1, 0, NULL},
	    {V E MX AGE "mx: a b\n", -1, 0, NULL},
	    {V E MX AGE "mx: a:b\n", -1, 0, NULL},
	    {V E MX AGE "mx: a,b\n", -1, 0, NULL},
	    {V E MX AGE "mx: a ciphers=null\n", -1, 0, NULL},
	    {V E MX AGE "mx: {a}\n", -1, 0, NULL},
	    {V "mode: none\n" AGE "mx: *\n", -1, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sts_policy p;
		char mx[200] = "";
		const char *reason;
		bool ok = sts_policy_parse(&p, rows[i].body, strlen(rows[i].body), &reason);
		check_row(rows[i].body, ok == (rows[i].mode >= 0));
		check_row(rows[i].body, ok == (!reason));
		if (ok) {
			check_row(rows[i].body, (int)p.mode == rows[i].mode && p.max_age == rows[i].max_age);
			for (const char *m = sts_policy_mx(&p, NULL); m; m = sts_policy_mx(&p, m))
				snprintf(mx + strlen(mx), sizeof(mx) - strlen(mx), "%s%s", mx[0] ? " " : "", m);
			check_row_text(rows[i].body, mx, rows[i].mx);
		}
		check_row(rows[i].body, ok || (!p.mx && p.mx_count == 0));
		sts_policy_fini(&p);
	}
}

static void size_and_nul_are_checked(void **state)
{
	char *body = malloc(STS_BODY_MAX + 1);
	struct sts_policy p;
	const char *reason;
	size_t len;

	(void)state;
	memset(body, 'a', STS_BODY_MAX + 1);
	len = strlen(V E MX AGE);
	memcpy(body, V E MX AGE, len);
	assert_true(sts_policy_parse(&p, body, STS_BODY_MAX, &reason));
	sts_policy_fini(&p);
	assert_false(sts_policy_parse(&p, body, STS_BODY_MAX + 1, &reason));
	body[len + 10] = '\0';
	assert_false(sts_policy_parse(&p, body, STS_BODY_MAX, &reason));
	assert_false(sts_policy_parse(&p, NULL, 0, &reason));
	free(body);
}

static void patterns_are_checked(void **state)
{
	static const struct {
		const char *raw;
		const char *canon; /* NULL: invalid */
	} rows[] = {
	    {"mx.example", "mx.example"},
	    {"MX.Example.", "mx.example"},
	    {"*.Example", "*.example"},
	    {"lalala", "lalala"},
	    {"xn--bcher-kva.example", "xn--bcher-kva.example"},
	    {"*.xn--eebajf.xn--9dbq2a", "*.xn--eebajf.xn--9dbq2a"},
	    {"", NULL},
	    {"*", NULL},
	    {"*.", NULL},
	    {".example", NULL},
	    {"*.*.example", NULL},
	    {"a.*.example", NULL},
	    {"m*.example", NULL},
	    {"**.example", NULL},
	    {"*a.example", NULL},
	    {"a..b", NULL},
	    {"-a.example", NULL},
	    {"a-.example", NULL},
	    {"192.0.2.1", NULL},
	    {"*.2.0.192", NULL},
	    {"[192.0.2.1]", NULL},
	    {"2001:db8::1", NULL},
	    {"a.0x7f", NULL},
	    {"b\xc3\xbc"
	     "cher.example",
	     NULL},
	    {"xn--\xc3\xbc.example", NULL},
	    {"xn--zzzzzzzzzz99999.example", NULL},
	    {"hostname", "hostname"},
	    {"a:b", NULL},
	    {"a b", NULL},
	    {"a,b", NULL},
	    {"a=b", NULL},
	    {"{a}", NULL},
	    {"a;b", NULL},
	    {"a/b", NULL},
	    {"a\nb", NULL},
	};
	char out[DOMAIN_SIZE + 2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool ok = sts_pattern_canon(out, sizeof(out), rows[i].raw, strlen(rows[i].raw));
		check_row(rows[i].raw, ok == !!rows[i].canon);
		check_row_text(rows[i].raw, out, ok ? rows[i].canon : "");
	}
	assert_false(sts_pattern_canon(out, sizeof(out), "a\0b", 3));
}

static void a_star_is_one_label(void **state)
{
	static const char patterns[] = "mx.a.example *.b.example *.b.example mx.a.example";
	struct sts_policy p = {0};

	(void)state;
	assert_true(sts_policy_set_mx(&p, patterns, strlen(patterns)));
	assert_int_equal(p.mx_count, 2);
	assert_true(sts_policy_matches(&p, "mx.a.example"));
	assert_false(sts_policy_matches(&p, "x.mx.a.example"));
	assert_true(sts_policy_matches(&p, "x.b.example"));
	assert_false(sts_policy_matches(&p, "b.example"));
	assert_false(sts_policy_matches(&p, "y.x.b.example"));
	assert_false(sts_policy_matches(&p, "xb.example"));
	assert_false(sts_policy_matches(&p, "example"));
	assert_false(sts_policy_matches(&p, ""));
	sts_policy_fini(&p);
}

static void stored_patterns_are_checked_again(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		size_t count;
	} rows[] = {
	    {"", true, 0},      {"a.example", true, 1}, {"a.example *.b", true, 2}, {"a a a", true, 1},
	    {" ", false, 0},    {"a ", false, 0},       {" a", false, 0},           {"a  b", false, 0},
	    {"a\tb", false, 0}, {"a *", false, 0},      {"a b:c", false, 0},
	};
	struct sts_policy p = {0}, copy;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(rows[i].text, sts_policy_set_mx(&p, rows[i].text, strlen(rows[i].text)) == rows[i].ok);
		check_row(rows[i].text, p.mx_count == rows[i].count);
		sts_policy_copy(&copy, &p);
		check_row(rows[i].text, copy.mx_count == p.mx_count && (!copy.mx) == (!p.mx));
		check_row(rows[i].text, !copy.mx || (copy.mx != p.mx && memcmp(copy.mx, p.mx, p.mx_len) == 0));
		sts_policy_fini(&copy);
	}
	sts_policy_fini(&p);
}

/* Thousands of patterns, told apart: measured and printed, since a quadratic search would hold up the hot thread. */
static void many_patterns_are_told_apart(void **state)
{
	char *body = malloc(STS_BODY_MAX + 1);
	size_t len = (size_t)sprintf(body, V E AGE), count = 0;
	struct timespec from, to;
	struct sts_policy p;
	const char *reason;

	(void)state;
	for (unsigned i = 0; len + 12 < STS_BODY_MAX; i++, count++)
		len += (size_t)sprintf(body + len, "mx:%x\n", 0xa0000 + i % 4000 * 16 + 10);
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_true(sts_policy_parse(&p, body, len, &reason));
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(p.mx_count, 4000);
	print_message("# %zu mx lines of 4000 names read in %ld us\n", count,
		      (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
	sts_policy_fini(&p);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_read_to_the_letter),
	    cmocka_unit_test(exactly_one_record_counts),
	    cmocka_unit_test(policies_are_read),
	    cmocka_unit_test(size_and_nul_are_checked),
	    cmocka_unit_test(patterns_are_checked),
	    cmocka_unit_test(a_star_is_one_label),
	    cmocka_unit_test(stored_patterns_are_checked_again),
	    cmocka_unit_test(many_patterns_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
