/*
 * test_duration.c - spans of time of the control tool.
 */
#include "unit/check.h"

#include "ctl/duration.h"

static void spans_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
	    {"90s", 90000},
	    {"15m", 900000},
	    {"2h30m", 9000000},
	    {"7d", 604800000},
	    {"1w", 604800000},
	    {"250ms", 250},
	    {"60", 60000},
	    {"", -1},
	    {"0", -1},
	    {"s", -1},
	    {"-1s", -1},
	    {"1y", -1},
	    {"1 h", -1},
	    {"1.5h", -1},
	    {"99999999999999999999s", -1},
	    {"3650d", 315360000000},
	    {"3651d", -1},
	    {"3650d1s", -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row(rows[i].text, duration_parse(rows[i].text) == rows[i].ms);
}

static void spans_are_shown_in_two_units(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
	    {0, "0s"},        {5, "5ms"},           {999, "999ms"},          {1000, "1s"},
	    {61000, "1m1s"},  {60000, "1m"},        {3600000, "1h"},         {3661000, "1h1m"},
	    {86400000, "1d"}, {604799000, "6d23h"}, {31557600000, "365d6h"},
	};
	char out[40];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row_text(rows[i].text, duration_format(out, sizeof(out), rows[i].ms), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spans_are_read),
	    cmocka_unit_test(spans_are_shown_in_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
