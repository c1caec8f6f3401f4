/*
 * cmd_status.c - tlsmode status: the state of tlsmode-mapd as it tells it itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/json_tree.h"

#define WATCH_S 2
#define CLEAR_SCREEN "\033[H\033[2J"

static bool all_zero(const json_t *counts)
{
	const char *name;
	json_t *count;

	json_object_foreach((json_t *)(uintptr_t)counts, name, count) if (json_integer_value(count) != 0) return false;
	return true;
}

/* Maps that nobody has asked are no news for people. */
static void drop_unasked(json_t *requests)
{
	const char *map;
	json_t *counts;
	void *next;

	json_object_foreach_safe(requests, next, map, counts) if (all_zero(counts)) json_object_del(requests, map);
}

static int show(struct ctl *ctl)
{
	int code;
	json_t *root = json_tree_ask(ctl, "status", "all", &code);

	if (!root)
		return code;
	if (ctl->json) {
		ctl_print_json(root);
		return EX_OK;
	}
	if (ctl->watch && isatty(STDOUT_FILENO))
		fputs(CLEAR_SCREEN, stdout);
	drop_unasked(json_object_get(root, "requests"));
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
