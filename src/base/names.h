/*
 * names.h - two-way tables of numbers and names, ended by a row whose name is NULL.
 */
#ifndef TLSMODE_BASE_NAMES_H
#define TLSMODE_BASE_NAMES_H

#include <stddef.h>

struct name_code {
	const char *name;
	int code;
};

/* The name of CODE (the first row that has it), or NULL. */
const char *names_name(const struct name_code *table, int code);

/* The code of NAME (LEN octets, ASCII case does not matter), or -1. */
int names_code(const struct name_code *table, const char *name, size_t len);

#endif
