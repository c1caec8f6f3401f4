/*
 * table.c - aligned columns for people.
 */
#include "ctl/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define GAP 2

void table_init(struct table *t, size_t columns)
{
	assert(columns <= TABLE_COLUMNS_MAX);
	memset(t, 0, sizeof(*t));
	t->columns = columns;
}

void table_add(struct table *t, const char *text)
{
	char *copy = xstrdup(text && text[0] != '\0' ? text : "-");

	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (t->count == t->room) {
		t->room = t->room == 0 ? 64 : t->room * 2;
		t->cell = xrealloc(t->cell, t->room * sizeof(t->cell[0]));
	}
	t->cell[t->count++] = copy;
}

/* Characters a terminal shows: UTF-8 continuation octets take no place. */
static size_t shown(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void find_widths(const struct table *t, size_t width[TABLE_COLUMNS_MAX])
{
	memset(width, 0, TABLE_COLUMNS_MAX * sizeof(width[0]));
	for (size_t i = 0; i < t->count; i++)
		if (shown(t->cell[i]) > width[i % t->columns])
			width[i % t->columns] = shown(t->cell[i]);
}

void table_print(struct table *t)
{
	size_t width[TABLE_COLUMNS_MAX];

	find_widths(t, width);
	for (size_t i = 0; i < t->count; i++) {
		size_t column = i % t->columns;
		size_t pad = width[column] - shown(t->cell[i]) + GAP;

		fputs(t->cell[i], stdout);
		if (column + 1 == t->columns)
			putchar('\n');
		else
			printf("%*s", (int)pad, "");
	}
	table_drop(t);
}

void table_drop(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cell[i]);
	free(t->cell);
	memset(t, 0, sizeof(*t));
}
