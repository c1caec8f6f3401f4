/*
 * cmd_query.c - tlsmode query: what Postfix would get.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/sockmap.h"
#include "ctl/commands.h"

static const char *const status_words[] = {
    [SOCKMAP_OK] = "ok", [SOCKMAP_NOTFOUND] = "notfound", [SOCKMAP_TEMP] = "temp"};
static const int status_codes[] = {
    [SOCKMAP_OK] = EX_OK, [SOCKMAP_NOTFOUND] = EX_NOTFOUND, [SOCKMAP_TEMP] = EX_TEMPFAIL};

static void print_answer(int status, const char *text)
{
	if (status == SOCKMAP_OK)
		puts(text);
	else if (status == SOCKMAP_NOTFOUND)
		puts("not found: Postfix uses its own smtp_tls_security_level");
	else
		printf("temporary failure: %s\n", text);
}

int cmd_query(struct ctl *ctl, int argc, char **args)
{
	char map[40];
	char *text;
	int status;

	(void)argc;
	snprintf(map, sizeof(map), "%s%s", names_name(mode_names, ctl->as), ctl->tlsrpt ? "-tlsrpt" : "");
	status = ctl_ask(ctl, map, args[0], &text);
	if (status < 0)
		return EX_TEMPFAIL;
	if (ctl->json)
		ctl_print_json(json_pack("{s:s, s:s, s:s, s:s}", "map", map, "key", args[0], "status",
					 status_words[status], status == SOCKMAP_TEMP ? "reason" : "answer", text));
	else
		print_answer(status, text);
	free(text);
	return status_codes[status];
}
