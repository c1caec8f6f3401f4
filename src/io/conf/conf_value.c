/*
 * conf_value.c - one value of tlsmode.conf: text to the member of struct conf that the table names.
 *
 * Called by conf.c for defaults and for what stands in the file, alike.
 */
#include "io/conf/conf_table.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "base/xalloc.h"

#define TEXT_MAX 4000 /* octets of any value */

static void *field_of(struct conf *conf, const struct conf_option *o)
{
	return (char *)conf + o->offset;
}

/* The members are int, unsigned, mode_t or an enum of that width, or size_t. */
static void store_number(struct conf *conf, const struct conf_option *o, unsigned long value)
{
	if (o->width == sizeof(unsigned))
		*(unsigned *)field_of(conf, o) = (unsigned)value;
	else
		*(size_t *)field_of(conf, o) = value;
}

static bool conf_value_refuse(char *reason, size_t size, const char *text, const char *expected)
{
	char quoted[80];

	snprintf(reason, size, "%s is not %s", log_quote(quoted, sizeof(quoted), text, strlen(text)), expected);
	return false;
}

static bool take_number(struct conf *conf, const struct conf_option *o, const char *text, char *reason, size_t size)
{
	char expected[80], *end;
	unsigned long value;

	snprintf(expected, sizeof(expected), "a number from %ld to %ld", o->min, o->max);
	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < (unsigned long)o->min ||
	    value > (unsigned long)o->max)
		return conf_value_refuse(reason, size, text, expected);
	store_number(conf, o, value);
	return true;
}

static bool take_mode(struct conf *conf, const struct conf_option *o, const char *text, char *reason, size_t size)
{
	size_t len = strlen(text);

	if (len < 3 || len > 4 || strspn(text, "01234567") != len || (len == 4 && text[0] != '0'))
		return conf_value_refuse(reason, size, text, "an octal file mode such as 0660");
	store_number(conf, o, strtoul(text, NULL, 8));
	return true;
}

static bool take_bool(struct conf *conf, const struct conf_option *o, const char *text, char *reason, size_t size)
{
	static const struct name_code names[] = {{"true", 1}, {"yes", 1}, {"on", 1}, {"false", 0},
						 {"no", 0},   {"off", 0}, {NULL, 0}};
	int code = names_code(names, text, strlen(text));

	if (code < 0)
		return conf_value_refuse(reason, size, text, "true or false");
	*(bool *)field_of(conf, o) = code == 1;
	return true;
}

static bool take_choice(const struct conf_option *o, const char *text, int *code, char *reason, size_t size)
{
	char expected[200];
	struct sbuf b;

	*code = names_code(o->choices, text, strlen(text));
	if (*code >= 0)
		return true;
	sbuf_init(&b, expected, sizeof(expected));
	sbuf_add(&b, "one of");
	for (const struct name_code *c = o->choices; c->name; c++)
		sbuf_addf(&b, "%s %s", c == o->choices ? "" : ",", c->name);
	return conf_value_refuse(reason, size, text, expected);
}

static void list_add(struct conf_list *list, const char *text)
{
	list->item = xrealloc(list->item, (list->count + 1) * sizeof(char *));
	list->item[list->count++] = xstrdup(text);
}

static void list_empty(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->item[i]);
	free(list->item);
	*list = (struct conf_list){0, NULL};
}

static void set_string(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

void conf_value_empty(struct conf *conf, const struct conf_option *o)
{
	if (o->type == CONF_LIST)
		list_empty(field_of(conf, o));
	else if (o->type == CONF_SET)
		store_number(conf, o, 0);
}

void conf_value_free(struct conf *conf, const struct conf_option *o)
{
	if (o->type == CONF_STRING) {
		free(*(char **)field_of(conf, o));
		*(char **)field_of(conf, o) = NULL;
	} else {
		conf_value_empty(conf, o);
	}
}

bool conf_value_take(struct conf *conf, const struct conf_option *o, const char *text, bool first, char *reason,
		     size_t size)
{
	int code;

	if (strlen(text) > TEXT_MAX) {
		snprintf(reason, size, "the value is longer than %d octets", TEXT_MAX);
		return false;
	}
	if (o->check && !o->check(text, reason, size))
		return false;
	if (first)
		conf_value_empty(conf, o);
	switch (o->type) {
	case CONF_STRING:
		set_string(field_of(conf, o), text);
		return true;
	case CONF_LIST:
		list_add(field_of(conf, o), text);
		return true;
	case CONF_NUMBER:
		return take_number(conf, o, text, reason, size);
	case CONF_MODE:
		return take_mode(conf, o, text, reason, size);
	case CONF_BOOL:
		return take_bool(conf, o, text, reason, size);
	case CONF_CHOICE:
		if (!take_choice(o, text, &code, reason, size))
			return false;
		store_number(conf, o, (unsigned long)code);
		return true;
	case CONF_SET:
		if (!take_choice(o, text, &code, reason, size))
			return false;
		*(unsigned *)field_of(conf, o) |= (unsigned)code;
		return true;
	}
	return false;
}
