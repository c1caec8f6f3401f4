/*
 * test_domain.c - canonical names and the domains of sender addresses.
 */
#include "unit/check.h"

#include "core/domain.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void names_become_canonical(void **state)
{
	static const struct {
		const char *raw, *canon;
		enum domain_status status;
	} rows[] = {
	    {"example.com", "example.com", DOMAIN_OK},
	    {"GOOD.Test.", "good.test", DOMAIN_OK},
	    {"localhost", "localhost", DOMAIN_OK},
	    {"_mta-sts.a_b.example", "_mta-sts.a_b.example", DOMAIN_OK},
	    {"b\xc3\xbc"
	     "cher.test",
	     "xn--bcher-kva.test", DOMAIN_OK},
	    {"B\xc3\x9c"
	     "CHER.test.",
	     "xn--bcher-kva.test", DOMAIN_OK},
	    {"bu\xcc\x88"
	     "cher.test",
	     "xn--bcher-kva.test", DOMAIN_OK}, /* NFD may map */
	    {"XN--BCHER-KVA.test", "xn--bcher-kva.test", DOMAIN_OK},
	    {"stra\xc3\x9f"
	     "e.example",
	     "xn--strae-oqa.example", DOMAIN_OK}, /* IDNA2008, not transitional */
	    {"a\xe3\x80\x82"
	     "example",
	     "a.example", DOMAIN_OK}, /* ideographic full stop */
	    {L63 ".test", L63 ".test", DOMAIN_OK},
	    {L63 "l.test", "", DOMAIN_TOO_LONG},
	    {"", "", DOMAIN_EMPTY},
	    {".", "", DOMAIN_EMPTY},
	    {".example.com", "", DOMAIN_BAD_LABEL},
	    {"a..b", "", DOMAIN_BAD_LABEL},
	    {"example.com..", "", DOMAIN_BAD_LABEL},
	    {"-a.example", "", DOMAIN_BAD_LABEL},
	    {"a-.example", "", DOMAIN_BAD_LABEL},
	    {"a b.example", "", DOMAIN_BAD_CHAR},
	    {"a/b", "", DOMAIN_BAD_CHAR},
	    {"*.example", "", DOMAIN_BAD_CHAR},
	    {"a:b", "", DOMAIN_BAD_CHAR},
	    {"XN--I-7IQ.test", "xn--i-7iq.test", DOMAIN_OK}, /* no IDNA2008, but there: a heart */
	    {"r3---sn.xn--bcher-kva.test", "r3---sn.xn--bcher-kva.test", DOMAIN_OK},
	    {"xn--i-7iq-.test", "", DOMAIN_BAD_IDNA},
	    {"i\xe2\x9d\xa4.test", "", DOMAIN_BAD_IDNA},
	    {"xn--\xc3\xbc.test", "", DOMAIN_BAD_IDNA},
	    {"xn--a.test", "", DOMAIN_BAD_IDNA},
	    {"\xff\xfe.test", "", DOMAIN_BAD_IDNA},
	};
	char out[DOMAIN_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum domain_status status = domain_canon(out, rows[i].raw, strlen(rows[i].raw));

		check_row(rows[i].raw, status == rows[i].status);
		check_row_text(rows[i].raw, out, rows[i].canon);
		assert_non_null(domain_status_text(status));
	}
	assert_int_equal(domain_canon(out, "a\0b", 3), DOMAIN_BAD_CHAR);
}

static void lengths_are_those_of_dns(void **state)
{
	char name[2000];
	char out[DOMAIN_SIZE];

	(void)state;
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", L63, L63, L63, L63);
	assert_int_equal(strlen(name), 253);
	assert_int_equal(domain_canon(out, name, 253), DOMAIN_OK);
	snprintf(name, sizeof(name), "%s.%s.%s.%.62s", L63, L63, L63, L63);
	assert_int_equal(domain_canon(out, name, 254), DOMAIN_TOO_LONG);
	memset(name, 'a', sizeof(name));
	assert_int_equal(domain_canon(out, name, sizeof(name)), DOMAIN_TOO_LONG);
}

static void parents_go_up_to_the_last_label(void **state)
{
	(void)state;
	assert_string_equal(domain_parent("a.b.c"), ".b.c");
	assert_string_equal(domain_parent(".b.c"), ".c");
	assert_null(domain_parent(".c"));
	assert_null(domain_parent("c"));
}

static void numeric_names_are_addresses(void **state)
{
	static const char *const yes[] = {"1.2.3.4", "example.1", "0x7f000001", "a.0x1f", "123"};
	static const char *const no[] = {"1.2.3.com", "a1", "1.x", "0xg", "4u"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yes); i++)
		check_row(yes[i], domain_is_numeric(yes[i]));
	for (size_t i = 0; i < COUNT_OF(no); i++)
		check_row(no[i], !domain_is_numeric(no[i]));
}

static void addresses_have_domains(void **state)
{
	static const struct {
		const char *raw, *domain;
		enum address_status status;
	} rows[] = {
	    {"user@example.com", "example.com", ADDRESS_DOMAIN},
	    {"<user@Example.COM>", "example.com", ADDRESS_DOMAIN},
	    {"user+ext@example.com.", "example.com", ADDRESS_DOMAIN},
	    {"\"a@b\"@example.com", "example.com", ADDRESS_DOMAIN},
	    {"\"a\\\"@b\"@example.com", "example.com", ADDRESS_DOMAIN},
	    {"@a.example,@b.example:user@example.com", "example.com", ADDRESS_DOMAIN},
	    {"us\xc3\xa9r@b\xc3\xbc"
	     "cher.test",
	     "xn--bcher-kva.test", ADDRESS_DOMAIN},
	    {"", "", ADDRESS_NULL},
	    {"<>", "", ADDRESS_NULL},
	    {"\"<>\"", "", ADDRESS_NULL},
	    {"root", "", ADDRESS_NONE},
	    {"user@", "", ADDRESS_NONE},
	    {"user@[192.0.2.1]", "", ADDRESS_NONE},
	    {"user@192.0.2.1", "", ADDRESS_NONE},
	    {"user@a b", "", ADDRESS_NONE},
	    {"user@a b.Example.com", ".example.com", ADDRESS_NONE},
	    {"user@xn--zzzz.example.com.", ".example.com", ADDRESS_NONE},
	    {"user@-a.b.example.com", ".b.example.com", ADDRESS_NONE},
	    {"user@a..example.com", ".example.com", ADDRESS_NONE},
	    {"user@" L63 "x.example.com", ".example.com", ADDRESS_NONE},
	    {"user@" L63 "." L63 "." L63 "." L63 ".b\xc3\xbc"
	     "cher.test",
	     "." L63 "." L63 "." L63 ".xn--bcher-kva.test", ADDRESS_NONE},
	    {"user@..", "", ADDRESS_NONE},
	    {"user@a!b.1", "", ADDRESS_NONE},
	    {"\"user@example.com", "", ADDRESS_NONE},
	    {"user@example.com\\", "", ADDRESS_NONE},
	};
	char out[DOMAIN_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(rows[i].raw, domain_of_address(out, rows[i].raw, strlen(rows[i].raw)) == rows[i].status);
		check_row_text(rows[i].raw, out, rows[i].domain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_become_canonical),          cmocka_unit_test(lengths_are_those_of_dns),
	    cmocka_unit_test(parents_go_up_to_the_last_label), cmocka_unit_test(numeric_names_are_addresses),
	    cmocka_unit_test(addresses_have_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
