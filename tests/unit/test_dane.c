/*
 * test_dane.c - usable TLSA records and the state of an answer (RFC 7672 s2.2, s3.1).
 */
#include "unit/check.h"

#include <stdlib.h>

#include "core/dane.h"

#define D32 "12345678901234567890123456789012"
#define D64 D32 D32

static void usable_records(void **state)
{
	static const struct {
		const char *name;
		const char *rdata;
		size_t len;
		bool usable;
	} rows[] = {
#define ROW(name, rdata, usable) {name, rdata, sizeof(rdata) - 1, usable}
	    ROW("3 1 1", "\3\1\1" D32, true),
	    ROW("3 0 1", "\3\0\1" D32, true),
	    ROW("3 1 2", "\3\1\2" D64, true),
	    ROW("2 0 1", "\2\0\1" D32, true),
	    ROW("2 1 2", "\2\1\2" D64, true),
	    ROW("0 0 1", "\0\0\1" D32, false),
	    ROW("1 1 1", "\1\1\1" D32, false),
	    ROW("4 1 1", "\4\1\1" D32, false),
	    ROW("255 1 1", "\377\1\1" D32, false),
	    ROW("3 2 1", "\3\2\1" D32, false),
	    ROW("3 1 3", "\3\1\3" D32, false),
	    ROW("3 1 1 short",
		"\3\1\1"
		"1234567890123456789012345678901",
		false),
	    ROW("3 1 1 long", "\3\1\1" D32 "3", false),
	    ROW("3 1 2 of 32", "\3\1\2" D32, false),
	    ROW("3 1 1 of 64", "\3\1\1" D64, false),
	    ROW("empty", "", false),
	    ROW("head only", "\3\1\0", false),
	    ROW("3 1 0", "\3\1\0\x30\x04\x30\x02\x05\x00", true),
	    ROW("3 1 0 octet after", "\3\1\0\x30\x04\x30\x02\x05\x00\x00", false),
	    ROW("3 1 0 cut", "\3\1\0\x30\x04\x30\x02\x05", false),
	    ROW("3 1 0 empty sequence", "\3\1\0\x30\x00", false),
	    ROW("3 1 0 not a sequence", "\3\1\0\x31\x04\x30\x02\x05\x00", false),
	    ROW("3 1 0 indefinite", "\3\1\0\x30\x80\x30\x00\x00\x00", false),
	    ROW("3 1 0 long form not minimal", "\3\1\0\x30\x81\x04\x30\x02\x05\x00", false),
	    ROW("3 1 0 length cut", "\3\1\0\x30\x82\x01", false),
	    ROW("3 1 0 length of 4 octets", "\3\1\0\x30\x84\x00\x00\x00\x02\x30\x00", false),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		/* an exact copy, so that reading past its end is seen under the address sanitizer */
		uint8_t *copy = malloc(rows[i].len > 0 ? rows[i].len : 1);
		struct rr_rdata rd = {copy, rows[i].len};
		memcpy(copy, rows[i].rdata, rows[i].len);
		check_row(rows[i].name, dane_usable(&rd) == rows[i].usable);
		free(copy);
	}
}

static void long_lengths(void **state)
{
	static const size_t sizes[] = {127, 128, 255, 256, 65000};
	uint8_t rdata[65100];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		size_t head = sizes[i] < 128 ? 2 : sizes[i] < 256 ? 3 : 4;
		struct rr_rdata rd = {rdata, 3 + head + sizes[i]};
		memset(rdata, 0, sizeof(rdata));
		rdata[0] = 3;
		rdata[3] = 0x30;
		rdata[4] = head == 2 ? (uint8_t)sizes[i] : (uint8_t)(0x80 + head - 2);
		rdata[3 + head - 1] = (uint8_t)sizes[i];
		if (head == 4)
			rdata[5] = (uint8_t)(sizes[i] >> 8);
		rdata[3 + head] = 0x30;
		assert_true(dane_usable(&rd));
		rd.len--;
		assert_false(dane_usable(&rd));
	}
}

static void states_never_merge(void **state)
{
	static const struct rr_rdata good[] = {{(const uint8_t *)"\1\1\1" D32, 35},
					       {(const uint8_t *)"\3\1\1" D32, 35}};
	static const struct {
		const char *name;
		enum rr_status status;
		bool secure;
		size_t count;
		enum tlsa_state expect;
	} rows[] = {
	    {"secure usable among others", RR_OK, true, 2, TLSA_USABLE},
	    {"secure, none usable", RR_OK, true, 1, TLSA_UNUSABLE},
	    {"insecure", RR_OK, false, 2, TLSA_NONE},
	    {"secure nodata", RR_NODATA, true, 0, TLSA_NONE},
	    {"secure nxdomain", RR_NXDOMAIN, true, 0, TLSA_NONE},
	    {"insecure nxdomain", RR_NXDOMAIN, false, 0, TLSA_NONE},
	    {"servfail", RR_ERROR, false, 0, TLSA_ERROR},
	    {"bogus", RR_BOGUS, false, 0, TLSA_ERROR},
	    {"bogus with data", RR_BOGUS, false, 2, TLSA_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct rr_answer a = {
		    .status = rows[i].status, .secure = rows[i].secure, .count = rows[i].count, .rdata = good};
		check_row(rows[i].name, dane_state(&a) == rows[i].expect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(usable_records),
	    cmocka_unit_test(long_lengths),
	    cmocka_unit_test(states_never_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
