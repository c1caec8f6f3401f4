/*
 * names.c - two-way tables of numbers and names.
 */
#include "base/names.h"

#include <string.h>
#include <strings.h>

const char *names_name(const struct name_code *table, int code)
{
	for (; table->name; table++)
		if (table->code == code)
			return table->name;
	return NULL;
}

int names_code(const struct name_code *table, const char *name, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && strncasecmp(table->name, name, len) == 0)
			return table->code;
	return -1;
}
