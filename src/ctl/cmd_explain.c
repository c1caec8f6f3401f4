/*
 * cmd_explain.c - tlsmode explain: why Postfix gets the answer it gets.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "ctl/commands.h"
#include "ctl/json_tree.h"

int cmd_explain(struct ctl *ctl, int argc, char **args)
{
	int code;
	char *key;
	json_t *root;

	if (argc == 2)
		key = xasprintf("%s %s", args[0], args[1]);
	else if (ctl->as != MODE_OPPORTUNISTIC)
		key = xasprintf("%s %s", names_name(mode_names, (int)ctl->as), args[0]);
	else
		key = xstrdup(args[0]);
	root = json_tree_ask(ctl, "explain", key, &code);
	free(key);
	if (root == NULL)
		return code;
	if (ctl->json) {
		ctl_print_json(root);
		return EX_OK;
	}
	json_tree_print(root, 0);
	json_decref(root);
	return EX_OK;
}
