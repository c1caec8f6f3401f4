/*
 * cmd_status.c - tlsmode status: the state of tlsmode-mapd as it tells it itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/json_tree.h"

#define WATCH_S 2
#define CLEAR_SCREEN "\033[H\033[2J"

static int show(struct ctl *ctl)
{
	int code;
	json_t *root = json_tree_ask(ctl, "status", "all", &code);

	if (root == NULL)
		return code;
	if (ctl->json) {
		ctl_print_json(root);
		return EX_OK;
	}
	if (ctl->watch && isatty(STDOUT_FILENO))
		fputs(CLEAR_SCREEN, stdout);
	json_tree_print(root, 0);
	json_decref(root);
	return EX_OK;
}

int cmd_status(struct ctl *ctl, int argc, char **args)
{
	int code = show(ctl);

	(void)argc;
	(void)args;
	while (ctl->watch && fflush(stdout) == 0) {
		sleep(WATCH_S);
		code = show(ctl);
	}
	return code;
}
