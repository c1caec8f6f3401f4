/*
 * test_sentinel.c - addresses and moves as Redis Sentinel says them.
 */
#include "unit/check.h"

#include "core/sentinel.h"

static void addresses(void **state)
{
	static const struct {
		const char *host, *port;
		const char *expect; /* NULL: refused */
	} rows[] = {
	    {"10.0.0.1", "6379", "10.0.0.1:6379"},
	    {"::1", "1", "[::1]:1"},
	    {"fd00:1:2:3:4:5:6:7", "65535", "[fd00:1:2:3:4:5:6:7]:65535"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "65535",
	     "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535"},
	    {"redis-1.example", "6379", NULL},
	    {"localhost", "6379", NULL},
	    {"", "6379", NULL},
	    {"10.0.0", "6379", NULL},
	    {"10.0.0.1 ", "6379", NULL},
	    {"[::1]", "6379", NULL},
	    {"fe80::1%eth0", "6379", NULL},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255:1:1", "6379", NULL},
	    {"10.0.0.1", "", NULL},
	    {"10.0.0.1", "0", NULL},
	    {"10.0.0.1", "65536", NULL},
	    {"10.0.0.1", "-1", NULL},
	    {"10.0.0.1", "+1", NULL},
	    {"10.0.0.1", "6379x", NULL},
	    {"10.0.0.1", "063790", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[SENTINEL_ADDRESS_SIZE], row[120];
		const char *reason = NULL;
		bool is = sentinel_address(out, rows[i].host, strlen(rows[i].host), rows[i].port, strlen(rows[i].port),
					   &reason);

		snprintf(row, sizeof(row), "%s %s", rows[i].host, rows[i].port);
		check_row(row, is == !!rows[i].expect);
		check_row_text(row, out, is ? rows[i].expect : "");
		check_row(row, is == (!reason));
	}
}

static void a_nul_does_not_end_an_address(void **state)
{
	char out[SENTINEL_ADDRESS_SIZE];
	const char *reason;

	(void)state;
	assert_false(sentinel_address(out, "10.0.0.1\0.example", 17, "6379", 4, &reason));
	assert_false(sentinel_address(out, "10.0.0.1", 8,
				      "63\0"
				      "9",
				      4, &reason));
}

static void moves(void **state)
{
	static const struct {
		const char *message;
		enum sentinel_switch what;
		const char *to;
	} rows[] = {
	    {"ours 10.0.0.1 6379 10.0.0.2 6380", SENTINEL_SWITCH_MOVED, "10.0.0.2:6380"},
	    {"ours fd00::1 6379 fd00::2 6380", SENTINEL_SWITCH_MOVED, "[fd00::2]:6380"},
	    {"ours a.example 6379 10.0.0.2 6380", SENTINEL_SWITCH_MOVED, "10.0.0.2:6380"},
	    {"ours 10.0.0.1 6379 b.example 6380", SENTINEL_SWITCH_BAD, ""},
	    {"ours 10.0.0.1 6379 10.0.0.2 0", SENTINEL_SWITCH_BAD, ""},
	    {"our 10.0.0.1 6379 10.0.0.2 6380", SENTINEL_SWITCH_OTHER, ""},
	    {"ours2 10.0.0.1 6379 10.0.0.2 6380", SENTINEL_SWITCH_OTHER, ""},
	    {"Ours 10.0.0.1 6379 10.0.0.2 6380", SENTINEL_SWITCH_OTHER, ""},
	    {"other 10.0.0.1 6379 b.example 6380", SENTINEL_SWITCH_OTHER, ""},
	    {"ours 10.0.0.1 6379 10.0.0.2", SENTINEL_SWITCH_BAD, ""},
	    {"ours 10.0.0.1 6379 10.0.0.2 6380 more", SENTINEL_SWITCH_BAD, ""},
	    {"ours 10.0.0.1 6379 10.0.0.2 ", SENTINEL_SWITCH_BAD, ""},
	    {"ours  6379 10.0.0.2 6380", SENTINEL_SWITCH_BAD, ""},
	    {"ours", SENTINEL_SWITCH_BAD, ""},
	    {"", SENTINEL_SWITCH_BAD, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[SENTINEL_ADDRESS_SIZE];
		const char *reason = NULL;

		check_row(rows[i].message, sentinel_switch_parse(rows[i].message, strlen(rows[i].message), "ours", out,
								 &reason) == rows[i].what);
		check_row_text(rows[i].message, out, rows[i].to);
		check_row(rows[i].message, (rows[i].what == SENTINEL_SWITCH_BAD) == !!reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(a_nul_does_not_end_an_address),
	    cmocka_unit_test(moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
