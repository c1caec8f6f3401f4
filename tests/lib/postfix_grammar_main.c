/*
 * postfix-grammar - reads lines "VERSION<TAB>reply" (VERSION 37, 310, or any) and stops at the first that Postfix would
 * not take: its line and why on stderr, exit status 1. Says how many were good.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/postfix_grammar.h"

static const char *check_line(const char *line, size_t len)
{
	const char *tab = memchr(line, '\t', len), *wrong;
	enum grammar_version version = POSTFIX_ANY;
	size_t reply_len;

	if (!tab)
		return "no tab in the line";
	reply_len = len - (size_t)(tab + 1 - line);
	if (strncmp(line, "37\t", 3) == 0)
		version = POSTFIX_3_7;
	else if (strncmp(line, "310\t", 4) == 0)
		version = POSTFIX_3_10;
	else if (strncmp(line, "any\t", 4) != 0)
		return "the version is not 37, 310 or any";
	wrong = postfix_grammar(tab + 1, reply_len, version);
	if (!wrong && version != POSTFIX_ANY)
		wrong = postfix_grammar_wise(tab + 1, reply_len);
	return wrong;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0, good = 0;
	ssize_t len;

	while ((len = getline(&line, &size, stdin)) > 0) {
		const char *wrong;

		if (line[len - 1] == '\n')
			len--;
		wrong = check_line(line, (size_t)len);
		if (wrong) {
			fprintf(stderr, "line %zu: %s: %.*s\n", good + 1, wrong, (int)len, line);
			return 1;
		}
		good++;
	}
	free(line);
	printf("%zu replies, all good\n", good);
	return 0;
}
