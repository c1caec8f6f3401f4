/*
 * conf_text.c - the bytes of tlsmode.conf before libconfuse sees them: comments become blanks, open strings and braces
 * are found.
 *
 * Why: libconfuse 3.3 counts a comment's line more than once, so that every later mistake would be reported for a wrong
 * line; it takes a comment inside a list for a value; its scanner reports neither an open string nor a read error; and
 * the end of the file closes a section for it.
 */
#include "io/conf/conf_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "io/regular.h"

#define FILE_MAX (1024 * 1024)

char *conf_text_read(const char *file, char *reason, size_t size)
{
	const char *why = NULL;
	FILE *f = regular_open(file, &why);
	char *text;
	size_t len;

	if (!f) {
		snprintf(reason, size, "cannot read the configuration: %s", why);
		return NULL;
	}
	text = xmalloc(FILE_MAX + 2);
	len = fread(text, 1, FILE_MAX + 1, f);
	text[len] = '\0';
	*reason = '\0';
	if (ferror(f))
		snprintf(reason, size, "cannot read the configuration: %s", strerror(errno));
	else if (len > FILE_MAX || strlen(text) != len)
		snprintf(reason, size, "not a configuration: it %s",
			 len > FILE_MAX ? "is longer than 1 MB" : "has a NUL octet");
	fclose(f);
	if (*reason == '\0')
		return text;
	free(text);
	return NULL;
}

/* Past a quoted string that begins at P, or NULL. */
static char *skip_string(char *p)
{
	char quote = *p++;

	for (; *p != '\0' && *p != quote; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == quote ? p + 1 : NULL;
}

/* Past a comment that begins at P, which becomes blank; NULL when it has no end. */
static char *blank_comment(char *p)
{
	bool block = p[0] == '/' && p[1] == '*';
	char *end = block ? strstr(p + 2, "*/") : p + strcspn(p, "\n");

	if (!end)
		return NULL;
	end += block ? 2 : 0;
	for (; p < end; p++)
		if (*p != '\n')
			*p = ' ';
	return end;
}

static int line_of(const char *text, const char *p)
{
	int line = 1;

	for (; text < p; text++)
		line += *text == '\n';
	return line;
}

int conf_text_empty_list(const char *text, const char *name)
{
	static const char blanks[] = " \t\r\n";

	for (const char *p = strstr(text, name); p; p = strstr(p + 1, name)) {
		const char *q = p + strlen(name);

		q += strspn(q, blanks);
		if (*q++ != '=')
			continue;
		q += strspn(q, blanks);
		if (*q++ == '{' && q[strspn(q, blanks)] == '}')
			return line_of(text, p);
	}
	return 0;
}

/* What is open, and where it began. Sections and lists do not go deeper than two. */
struct open_braces {
	const char *at[4];
	size_t depth;
};

static void count_brace(struct open_braces *open, const char *p)
{
	if (*p == '{' && open->depth < sizeof(open->at) / sizeof(open->at[0]))
		open->at[open->depth++] = p;
	else if (*p == '}' && open->depth > 0)
		open->depth--;
}

const char *conf_text_strip(char *text, int *line)
{
	struct open_braces open = {.depth = 0};

	for (char *p = text, *next; *p != '\0'; p = next) {
		bool string = *p == '"' || *p == '\'';
		bool comment = *p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*'));

		count_brace(&open, p);
		next = string ? skip_string(p) : comment ? blank_comment(p) : p + 1;
		if (!next) {
			*line = line_of(text, p);
			return string ? "the string that begins here has no end"
				      : "the comment that begins here has no end";
		}
	}
	if (open.depth == 0)
		return NULL;
	*line = line_of(text, open.at[open.depth - 1]);
	return "the brace that opens here is not closed";
}
