/*
 * check.h - cmocka with its own includes, and what table tests share: a failing row is named.
 */
#ifndef TLSMODE_TESTS_CHECK_H
#define TLSMODE_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Fails the test naming ROW unless CONDITION holds. */
#define check_row(row, condition)                                                                                      \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("row %s: %s", (row), #condition);                                                     \
	} while (0)

#define check_row_text(row, got, expected)                                                                             \
	do {                                                                                                           \
		if (strcmp((got), (expected)) != 0)                                                                    \
			fail_msg("row %s: \"%s\" instead of \"%s\"", (row), (got), (expected));                        \
	} while (0)

#endif
