/*
 * test_rr.c - RDATA in wire form.
 */
#include "unit/check.h"

#include "core/rr.h"

#define RDATA(text)                                                                                                    \
	{                                                                                                              \
		(const uint8_t *)(text), sizeof(text) - 1                                                              \
	}

static void mx_records_are_read(void **state)
{
	static const struct rr_rdata good = RDATA("\x00\x0a\x03MX1\x07"
						  "Example\x00");
	static const struct rr_rdata null_mx = RDATA("\x00\x00\x00");
	static const struct rr_rdata bad[] = {
	    RDATA(""),
	    RDATA("\x00"),
	    RDATA("\x00\x0a"),
	    RDATA("\x00\x0a\x03mx1"),
	    RDATA("\x00\x0a\x03mx"),
	    RDATA("\x00\x0a\x03mx1\x00x"),
	    RDATA("\x00\x0a\xc0\x0c"),
	    RDATA("\x00\x0a\x03"
		  "a b\x00"),
	    RDATA("\x00\x0a\x03"
		  "a.b\x00"),
	    RDATA("\x00\x0a\x04"
		  "a:;{\x00"),
	};
	uint16_t pref;
	char host[DOMAIN_SIZE];

	(void)state;
	assert_true(rr_mx(&good, &pref, host));
	assert_int_equal(pref, 10);
	assert_string_equal(host, "mx1.example");
	assert_true(rr_mx(&null_mx, &pref, host));
	assert_string_equal(host, "");
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(rr_mx(&bad[i], &pref, host));
}

static void txt_strings_are_joined(void **state)
{
	static const struct rr_rdata split = RDATA("\x05v=STS\x08v1; id=1");
	static const struct rr_rdata empty_string = RDATA("\x00");
	static const struct rr_rdata bad[] = {RDATA(""), RDATA("\x05v=ST"),
					      RDATA("\x01"
						    "a\x02"
						    "b")};
	char out[64];

	(void)state;
	assert_int_equal(rr_txt(&split, out, sizeof(out)), 13);
	assert_string_equal(out, "v=STSv1; id=1");
	assert_int_equal(rr_txt(&split, out, 13), -1);
	assert_int_equal(rr_txt(&empty_string, out, sizeof(out)), 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(rr_txt(&bad[i], out, sizeof(out)), -1);
}

static void names_and_addresses_are_read(void **state)
{
	static const struct rr_rdata name = RDATA("\x01"
						  "A\x02xy\x00");
	static const struct rr_rdata a = RDATA("\xc0\x00\x02\x01");
	static const struct rr_rdata aaaa = RDATA("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01");
	char out[DOMAIN_SIZE];

	(void)state;
	assert_true(rr_name(&name, out));
	assert_string_equal(out, "a.xy");
	assert_true(rr_address(&a, RR_A, out, sizeof(out)));
	assert_string_equal(out, "192.0.2.1");
	assert_true(rr_address(&aaaa, RR_AAAA, out, sizeof(out)));
	assert_string_equal(out, "2001:db8::1");
	assert_false(rr_address(&a, RR_AAAA, out, sizeof(out)));
	assert_false(rr_address(&aaaa, RR_A, out, sizeof(out)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mx_records_are_read),
	    cmocka_unit_test(txt_strings_are_joined),
	    cmocka_unit_test(names_and_addresses_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
