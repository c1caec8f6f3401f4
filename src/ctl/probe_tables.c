/*
 * probe_tables.c - the entries of Postfix's lookup tables (probe.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "ctl/probe.h"
#include "ctl/run_program.h"
#include "io/regular.h"

#define POSTMAP_S 120
#define FILE_MAX (64u << 20)

static void take_entries(struct doctor_table *t, const char *type, const char *text, size_t len)
{
	struct lookup_reader r;
	struct lookup_entry e;

	lookup_reader_init(&r, type, text, len);
	while (lookup_reader_next(&r, &e))
		doctor_table_add(t, e.key, e.key_len, e.value, e.value_len);
	t->state = TABLE_LISTED;
}

/* Before: what the program printed first of what is wrong. */
static void take_failure(struct doctor_table *t, const char *text)
{
	t->state = TABLE_UNREADABLE;
	snprintf(t->why, sizeof(t->why), "%.*s", (int)strcspn(text, "\n"), text);
}

static void list_by_postmap(const struct doctor_facts *f, struct doctor_table *t)
{
	char *name = xasprintf("%s:%s", t->table.type, t->table.name);
	char *argv[6];
	struct run_result r;
	int n = 0;

	argv[n++] = xstrdup("postmap");
	if (f->config_dir) {
		argv[n++] = xstrdup("-c");
		argv[n++] = xstrdup(f->config_dir);
	}
	argv[n++] = xstrdup("-s");
	argv[n++] = name;
	argv[n] = NULL;
	run_program(&r, argv, POSTMAP_S);
	if (r.status == 0)
		take_entries(t, "", r.out, r.out_len);
	else
		take_failure(t, r.err[0] != '\0' ? r.err : "postmap cannot be run");
	run_result_fini(&r);
	while (n > 0)
		free(argv[--n]);
}

static void list_by_text(struct doctor_table *t)
{
	const char *why;
	FILE *file = regular_open(t->table.name, &why);
	char *text;
	size_t len;

	if (!file) {
		t->state = TABLE_UNREADABLE;
		snprintf(t->why, sizeof(t->why), "%.150s: %s", t->table.name, why);
		return;
	}
	text = xmalloc(FILE_MAX);
	len = fread(text, 1, FILE_MAX, file);
	t->cut = len == FILE_MAX;
	fclose(file);
	take_entries(t, t->table.type, text, len);
	free(text);
}

void probe_tables(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->tables; i++) {
		struct doctor_table *t = &f->table[i];

		switch (lookup_table_listing(&t->table)) {
		case TABLE_BY_POSTMAP:
			list_by_postmap(f, t);
			break;
		case TABLE_BY_TEXT:
			list_by_text(t);
			break;
		case TABLE_BY_NAME:
			take_entries(t, t->table.type, t->table.name, strlen(t->table.name));
			break;
		case TABLE_EMPTY:
			t->state = TABLE_LISTED;
			break;
		case TABLE_NEVER:
			t->state = TABLE_UNLISTABLE;
			break;
		}
	}
}
