/*
 * lookup_table.c - see lookup_table.h.
 */
#include "core/doctor/lookup_table.h"

#include <stdio.h>
#include <string.h>

#include "base/names.h"

static bool lookup_table_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool lookup_list_next(const char **rest, const char **word, size_t *len)
{
	const char *p = *rest;
	int level = 0;

	while (lookup_table_is_space(*p) || *p == ',')
		p++;
	*word = p;
	for (; *p != '\0' && (level > 0 || !(lookup_table_is_space(*p) || *p == ',')); p++)
		level += (*p == '{') - (*p == '}' && level > 0);
	*len = (size_t)(p - *word);
	*rest = p;
	return *len > 0;
}

static void copy(char *out, size_t size, const char *from, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(out, from, len);
	out[len] = '\0';
}

bool lookup_list_take(const char **rest, char *word, size_t size)
{
	const char *from;
	size_t len;

	if (!lookup_list_next(rest, &from, &len))
		return false;
	copy(word, size, from, len);
	return true;
}

/* name = endpoint ":" map */
static void split_socketmap(struct lookup_table *t)
{
	const char *colon = strrchr(t->name, ':');

	if (!colon)
		return;
	copy(t->endpoint, sizeof(t->endpoint), t->name, (size_t)(colon - t->name));
	copy(t->map, sizeof(t->map), colon + 1, strlen(colon + 1));
}

void lookup_table_parse(struct lookup_table *out, const char *word, size_t len)
{
	static const char proxy[] = "proxy:";
	const char *colon;

	memset(out, 0, sizeof(*out));
	copy(out->whole, sizeof(out->whole), word, len);
	word = out->whole;
	while (strncmp(word, proxy, sizeof(proxy) - 1) == 0) {
		out->proxied = true;
		word += sizeof(proxy) - 1;
	}
	colon = strchr(word, ':');
	if (colon)
		copy(out->type, sizeof(out->type), word, (size_t)(colon - word));
	copy(out->name, sizeof(out->name), colon ? colon + 1 : word, strlen(colon ? colon + 1 : word));
	if (strcmp(out->type, "socketmap") == 0)
		split_socketmap(out);
}

enum table_listing lookup_table_listing(const struct lookup_table *t)
{
	static const struct name_code kinds[] = {
	    {"hash", TABLE_BY_POSTMAP},   {"btree", TABLE_BY_POSTMAP},    {"dbm", TABLE_BY_POSTMAP},
	    {"sdbm", TABLE_BY_POSTMAP},   {"lmdb", TABLE_BY_POSTMAP},     {"cdb", TABLE_BY_POSTMAP},
	    {"inline", TABLE_BY_POSTMAP}, {"texthash", TABLE_BY_POSTMAP}, {"regexp", TABLE_BY_TEXT},
	    {"pcre", TABLE_BY_TEXT},      {"cidr", TABLE_BY_TEXT},        {"static", TABLE_BY_NAME},
	    {"randmap", TABLE_BY_NAME},   {"fail", TABLE_EMPTY},          {NULL, 0},
	};
	int code = names_code(kinds, t->type, strlen(t->type));

	if (code < 0)
		return TABLE_NEVER;
	return code == TABLE_BY_TEXT && t->name[0] == '{' ? TABLE_BY_NAME : (enum table_listing)code;
}

/* Takes a logical line: lines that begin with white space go on with the one before. */
static bool take_line(struct lookup_reader *r, const char **line, size_t *len)
{
	const char *p = r->at, *end = p + r->left;

	if (r->left == 0)
		return false;
	*line = p;
	do {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		p = newline ? newline + 1 : end;
	} while (p < end && (*p == ' ' || *p == '\t'));
	*len = (size_t)(p - *line);
	r->left = (size_t)(end - p);
	r->at = p;
	return true;
}

/* Takes "{...}" (its inside) or a bare word. */
static bool take_rule(struct lookup_reader *r, const char **line, size_t *len)
{
	const char *p = r->at, *end = p + r->left;
	int level = 0;

	while (p < end && (lookup_table_is_space(*p) || *p == ','))
		p++;
	*line = p;
	for (; p < end && (level > 0 || !(lookup_table_is_space(*p) || *p == ',')); p++)
		level += (*p == '{') - (*p == '}' && level > 0);
	*len = (size_t)(p - *line);
	r->left = (size_t)(end - p);
	r->at = p;
	if (*len == 0)
		return false;
	if (*len >= 2 && **line == '{') {
		++*line;
		*len -= 2;
	}
	return true;
}

static void trim(const char **s, size_t *len)
{
	while (*len > 0 && lookup_table_is_space(**s)) {
		++*s;
		--*len;
	}
	while (*len > 0 && lookup_table_is_space((*s)[*len - 1]))
		--*len;
}

/* The end of "/pattern/flags", or of the first word. */
static size_t key_end(const char *line, size_t len, bool pattern)
{
	size_t i = 0;

	if (pattern && line[0] == '!')
		i++;
	if (pattern && i < len && !lookup_table_is_space(line[i])) {
		char mark = line[i++];

		for (; i < len && line[i] != mark; i++)
			if (line[i] == '\\')
				i++;
	}
	while (i < len && !lookup_table_is_space(line[i]))
		i++;
	return i < len ? i : len;
}

/* entry = key WSP value */
static bool split_entry(const char *line, size_t len, bool pattern, struct lookup_entry *out)
{
	size_t end;

	trim(&line, &len);
	if (len == 0 || *line == '#')
		return false;
	end = key_end(line, len, pattern);
	*out = (struct lookup_entry){line, line + end, end, len - end};
	trim(&out->value, &out->value_len);
	if (pattern && ((end == 2 && memcmp(line, "if", 2) == 0) || (end >= 5 && memcmp(line, "endif", 5) == 0)))
		return false;
	return out->value_len > 0;
}

/* The braces around all rules go; what is left is rules. */
static bool enter_braces(struct lookup_reader *r)
{
	trim(&r->at, &r->left);
	if (r->left < 2 || *r->at != '{' || r->at[r->left - 1] != '}')
		return false;
	r->at++;
	r->left -= 2;
	return true;
}

void lookup_reader_init(struct lookup_reader *r, const char *type, const char *text, size_t len)
{
	*r = (struct lookup_reader){.at = text, .left = len};
	r->pattern = strcmp(type, "regexp") == 0 || strcmp(type, "pcre") == 0;
	r->whole = strcmp(type, "static") == 0;
	r->values = r->whole || strcmp(type, "randmap") == 0;
	if (r->values || r->pattern || strcmp(type, "cidr") == 0)
		r->rules = enter_braces(r);
}

static bool next_value(struct lookup_reader *r, struct lookup_entry *out)
{
	const char *word = r->at;
	size_t len = r->left;

	if (r->whole)
		r->left = 0;
	else if (!take_rule(r, &word, &len))
		return false;
	trim(&word, &len);
	*out = (struct lookup_entry){"*", word, 1, len};
	return len > 0;
}

bool lookup_reader_next(struct lookup_reader *r, struct lookup_entry *out)
{
	const char *line;
	size_t len;

	if (r->values)
		return next_value(r, out);
	while (r->rules ? take_rule(r, &line, &len) : take_line(r, &line, &len))
		if (split_entry(line, len, r->pattern, out))
			return true;
	return false;
}
