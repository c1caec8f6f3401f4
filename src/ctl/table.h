/*
 * table.h - aligned columns for people.
 */
#ifndef TLSMODE_CTL_TABLE_H
#define TLSMODE_CTL_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS_MAX 8

struct table {
	size_t columns;
	size_t count; /* of cells */
	size_t room;
	char **cell; /* row after row, heap */
};

void table_init(struct table *t, size_t columns);
/* Adds one cell (copied; control characters become '?'); NULL counts as "-". Cells fill row after row. */
void table_add(struct table *t, const char *text);
/* Prints all rows, the first as a heading, and ends the table. */
void table_print(struct table *t);
/* Ends the table without printing it. */
void table_drop(struct table *t);

#endif
