/*
 * postconf_probe.c - what postconf(1) prints, on standard input; every value expanded by core/doctor/postconf, on standard
 * output. Driven by test_postconf.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/postconf.h"

#define INPUT_MAX (1u << 20)

static void print_value(const struct postconf *p, const char *line)
{
	static char value[POSTCONF_VALUE_SIZE];
	char *name = xstrndup(line, strcspn(line, " ="));
	struct sbuf b;

	sbuf_init(&b, value, sizeof(value));
	if (!postconf_value(p, NULL, name, &b))
		sbuf_add(&b, " (not expanded)");
	printf("%s = %s\n", name, value);
	free(name);
}

int main(void)
{
	char *text = xcalloc(1, INPUT_MAX + 1);
	struct postconf *p = postconf_new();
	char *save;

	postconf_take_main(p, text, fread(text, 1, INPUT_MAX, stdin));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		print_value(p, line);
	postconf_free(&p);
	free(text);
	return 0;
}
