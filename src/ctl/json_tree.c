/*
 * json_tree.c - a JSON answer of tlsmode-mapd as indented lines for people.
 */
#include "ctl/json_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sockmap.h"
#include "ctl/ctl.h"

#define INDENT_STEP 2
#define NAME_WIDTH 26

static void print_scalar(const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		for (const char *p = json_string_value(value); *p != '\0'; p++)
			putchar((unsigned char)*p < 0x20 ? '?' : *p);
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	fputs(json_is_null(value) || !text ? "-" : text, stdout);
	free(text);
}

static bool is_flat_array(const json_t *value)
{
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, item) if (json_is_object(item) || json_is_array(item)) return false;
	return true;
}

static void print_flat_array(const json_t *value)
{
	size_t i;
	json_t *item;

	if (json_array_size(value) == 0)
		putchar('-');
	json_array_foreach(value, i, item)
	{
		if (i > 0)
			fputs(", ", stdout);
		print_scalar(item);
	}
}

static void print_member(const char *name, const json_t *value, int indent)
{
	size_t i;
	json_t *item;
	int pad = NAME_WIDTH - indent - (int)strlen(name);

	printf("%*s%s%*s", indent, "", name, pad > 1 ? pad : 1, "");
	if (json_is_object(value)) {
		putchar('\n');
		json_tree_print(value, indent + INDENT_STEP);
	} else if (is_flat_array(value)) {
		print_flat_array(value);
		putchar('\n');
	} else if (json_is_array(value)) {
		putchar('\n');
		json_array_foreach(value, i, item)
		{
			if (i > 0)
				putchar('\n');
			json_tree_print(item, indent + INDENT_STEP);
		}
	} else {
		print_scalar(value);
		putchar('\n');
	}
}

void json_tree_print(const json_t *value, int indent)
{
	const char *name;
	json_t *member;

	/* jansson's iteration does not change the object, but its types do not say so */
	json_object_foreach((json_t *)(uintptr_t)value, name, member) print_member(name, member, indent);
}

json_t *json_tree_ask(struct ctl *ctl, const char *map, const char *key, int *code)
{
	char *text;
	int status = ctl_ask(ctl, map, key, &text);
	json_error_t error;
	json_t *root = NULL;

	*code = EX_TEMPFAIL;
	if (status == SOCKMAP_OK) {
		root = json_loads(text, 0, &error);
		if (!root)
			*code = ctl_error(EX_PROTOCOL, "the answer of tlsmode-mapd is not JSON: %s", error.text);
	} else if (status == SOCKMAP_NOTFOUND)
		*code = ctl_error(EX_NOTFOUND, "%s: not found", key);
	else if (status == SOCKMAP_TEMP)
		ctl_error(EX_TEMPFAIL, "%s", text);
	free(text);
	return root;
}

void json_tree_library(struct sbuf *out)
{
	sbuf_add(out, "jansson " JANSSON_VERSION);
}
