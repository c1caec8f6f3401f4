/*
 * test_nexthop.c - next hops as Postfix sends them (seen keys: doc/design.md).
 */
#include "unit/check.h"

#include "core/nexthop.h"

static void every_form_has_one_key(void **state)
{
	static const struct {
		const char *raw;
		enum nexthop_kind kind;
		const char *key, *domain;
		unsigned port;
	} rows[] = {
	    {"example.com", NEXTHOP_DOMAIN, "example.com", "example.com", 25},
	    {"Example.COM.", NEXTHOP_DOMAIN, "example.com", "example.com", 25},
	    {"good.test:25", NEXTHOP_DOMAIN, "good.test", "good.test", 25},
	    {"good.test:smtp", NEXTHOP_DOMAIN, "good.test", "good.test", 25},
	    {"good.test:mail", NEXTHOP_DOMAIN, "good.test", "good.test", 25},
	    {"[good.test]:urd", NEXTHOP_HOST, "[good.test]:465", "good.test", 465},
	    {"good.test:587", NEXTHOP_DOMAIN, "good.test:587", "good.test", 587},
	    {"good.test:submission", NEXTHOP_DOMAIN, "good.test:587", "good.test", 587},
	    {"good.test:mail", NEXTHOP_DOMAIN, "good.test", "good.test", 25},
	    {"[good.test]:ssmtp", NEXTHOP_HOST, "[good.test]:465", "good.test", 465},
	    {"good.test:urd", NEXTHOP_DOMAIN, "good.test:465", "good.test", 465},
	    {"[mx.good.test]", NEXTHOP_HOST, "[mx.good.test]", "mx.good.test", 25},
	    {"[MX.good.test.]:587", NEXTHOP_HOST, "[mx.good.test]:587", "mx.good.test", 587},
	    {"[mx.good.test]:25", NEXTHOP_HOST, "[mx.good.test]", "mx.good.test", 25},
	    {"b\xc3\xbc"
	     "cher.test",
	     NEXTHOP_DOMAIN, "xn--bcher-kva.test", "xn--bcher-kva.test", 25},
	    {"[mx.good.test]:", NEXTHOP_HOST, "[mx.good.test]", "mx.good.test", 25},
	    {"good.test:", NEXTHOP_DOMAIN, "good.test", "good.test", 25},
	    {"[::1]:", NEXTHOP_LITERAL, "[::1]", "", 25},
	    {"[127.0.0.1]", NEXTHOP_LITERAL, "[127.0.0.1]", "", 25},
	    {"192.0.2.1", NEXTHOP_LITERAL, "[192.0.2.1]", "", 25},
	    {"192.0.2.1:2525", NEXTHOP_LITERAL, "[192.0.2.1]:2525", "", 2525},
	    {"[IPv6:2001:DB8::1]", NEXTHOP_LITERAL, "[2001:db8::1]", "", 25},
	    {"[a:bb:ccc::dddd]:123", NEXTHOP_LITERAL, "[a:bb:ccc::dddd]:123", "", 123},
	    {"2001:db8::1", NEXTHOP_LITERAL, "[2001:db8::1]", "", 25},
	    {".good.test", NEXTHOP_PARENT, ".good.test", ".good.test", 25},
	    {".TEST", NEXTHOP_PARENT, ".test", ".test", 25},
	    {"", NEXTHOP_OTHER, "", "", 25},
	    {".", NEXTHOP_OTHER, "", "", 25},
	    {"/var/spool/lmtp/sock", NEXTHOP_OTHER, "", "", 25},
	    {"[", NEXTHOP_OTHER, "", "", 25},
	    {"[]", NEXTHOP_OTHER, "", "", 25},
	    {"[]:25", NEXTHOP_OTHER, "", "", 25},
	    {"[mx.test", NEXTHOP_OTHER, "", "", 25},
	    {"[mx.test]x", NEXTHOP_OTHER, "", "", 25},
	    {"[mx.test]:x", NEXTHOP_OTHER, "", "", 25},
	    {":", NEXTHOP_OTHER, "", "", 25},
	    {"mx.test:0", NEXTHOP_OTHER, "", "", 25},
	    {"mx.test:65536", NEXTHOP_OTHER, "", "", 25},
	    {"mx.test:nntp", NEXTHOP_OTHER, "", "", 25},
	    {"999.1", NEXTHOP_OTHER, "", "", 25},
	    {"[1.2.3.4.5]", NEXTHOP_OTHER, "", "", 25},
	    {"a b.test", NEXTHOP_OTHER, "", "", 25},
	    {"two..dots", NEXTHOP_OTHER, "", "", 25},
	};
	struct nexthop nh;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		nexthop_parse(&nh, rows[i].raw, strlen(rows[i].raw));
		check_row(rows[i].raw, nh.kind == rows[i].kind);
		check_row_text(rows[i].raw, nh.key, rows[i].key);
		check_row_text(rows[i].raw, nh.domain, rows[i].domain);
		check_row(rows[i].raw, nh.port == rows[i].port);
	}
	nexthop_parse(&nh, "a\0b", 3);
	assert_int_equal(nh.kind, NEXTHOP_OTHER);
	nexthop_parse(&nh, "[1.2.3.4\0]", 10);
	assert_int_equal(nh.kind, NEXTHOP_OTHER);
}

static void keys_are_fixed_points(void **state)
{
	static const char *const raw[] = {"A.example:submission", "[MX.example]:2525", "[::1]:26", ".Up.example", "x"};
	struct nexthop a, b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(raw); i++) {
		nexthop_parse(&a, raw[i], strlen(raw[i]));
		nexthop_parse(&b, a.key, strlen(a.key));
		check_row(raw[i], a.kind == b.kind && a.port == b.port);
		check_row_text(raw[i], b.key, a.key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_form_has_one_key),
	    cmocka_unit_test(keys_are_fixed_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
