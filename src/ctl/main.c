/*
 * main.c - tlsmode, the control tool: options, the table of commands, exit codes of sysexits(3).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/domain.h"
#include "core/mode.h"
#include "ctl/commands.h"
#include "ctl/ctl.h"
#include "ctl/duration.h"
#include "ctl/json_tree.h"
#include "ctl/probe.h"
#include "io/proc.h"
#include "io/redis/redis_tls.h"

#define ARGS_MANY 1000
#define ONE_TTL "only one of --ttl and --no-ttl can be meant"

enum option_bit {
	OPT_AS = 1 << 0,
	OPT_TLSRPT = 1 << 1,
	OPT_KIND = 1 << 2,
	OPT_TTL = 1 << 3,
	OPT_WATCH = 1 << 4,
	OPT_POSTFIX_DIR = 1 << 5,
};

static const struct command {
	const char *word, *second; /* second NULL: the command is one word */
	int min, max;              /* words behind them */
	unsigned options;
	int (*run)(struct ctl *ctl, int argc, char **args);
	const char *usage, *help;
} commands[] = {
    {"query", NULL, 1, 1, OPT_AS | OPT_TLSRPT, cmd_query, "DOMAIN [--as MODE] [--tlsrpt]",
     "what Postfix would get for this next hop"},
    {"explain", NULL, 1, 2, OPT_AS, cmd_explain, "SENDER RECIPIENT | DOMAIN [--as MODE]",
     "facts, settings, verdict, reasons, and what Postfix will do with it"},
    {"domain", "list", 0, 1, OPT_KIND, cmd_domain_list, "[--rcpt|--except] [PATTERN]",
     "the settings in Redis and how they are read"},
    {"domain", "get", 1, 1, OPT_KIND, cmd_domain_get, "[--rcpt|--except] DOMAIN", "one setting"},
    {"domain", "set", 2, ARGS_MANY, OPT_KIND | OPT_TTL, cmd_domain_set,
     "[--rcpt|--except] DOMAIN MODE|FIELD=VALUE... [--ttl 8h|--no-ttl]", "writes checked values"},
    {"domain", "unset", 1, ARGS_MANY, OPT_KIND, cmd_domain_unset, "[--rcpt|--except] DOMAIN [FIELD...]",
     "removes a setting or some of its fields"},
    {"settings", "accept", 0, 0, 0, cmd_settings_accept, "", "lets a guarded mass change of settings take effect"},
    {"cache", "show", 1, 1, 0, cmd_cache_show, "DOMAIN", "the facts shared in Redis"},
    {"cache", "refresh", 1, 1, 0, cmd_cache_refresh, "DOMAIN",
     "finds the facts anew; a valid policy serves until the new one is there"},
    {"cache", "forget", 1, 1, 0, cmd_cache_forget, "DOMAIN", "drops the facts on every node"},
    {"doctor", NULL, 0, 0, OPT_POSTFIX_DIR, cmd_doctor, "[-c POSTFIX_DIR]",
     "each mistake in the wiring of Postfix, and its mend; exit 1 if the promise does not hold"},
    {"status", NULL, 0, 0, OPT_WATCH, cmd_status, "[--watch]", "tlsmode-mapd, Redis, settings, caches, counters"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option long_options[] = {
    {"as", required_argument, NULL, 'a'},
    {"tlsrpt", no_argument, NULL, 't'},
    {"rcpt", no_argument, NULL, 'r'},
    {"except", no_argument, NULL, 'e'},
    {"ttl", required_argument, NULL, 'l'},
    {"no-ttl", no_argument, NULL, 'n'},
    {"watch", no_argument, NULL, 'w'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static int usage(FILE *to)
{
	fputs("usage: tlsmode [-c FILE] [--json] COMMAND ...\n", to);
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		fprintf(to, "  tlsmode %s%s%s%s%s\n        %s\n", c->word, c->second ? " " : "",
			c->second ? c->second : "", c->usage[0] != '\0' ? " " : "", c->usage, c->help);
	}
	return EX_USAGE;
}

static int usage_of(const struct command *c)
{
	return ctl_error(EX_USAGE, "usage: tlsmode %s%s%s %s", c->word, c->second ? " " : "",
			 c->second ? c->second : "", c->usage);
}

/* Takes one option into CTL; 0, or the exit code. *USED gets its bit. */
static int take_option(struct ctl *ctl, int opt, const char *value, unsigned *used)
{
	int mode;

	switch (opt) {
	case 'c':
		if (ctl->word && strcmp(ctl->word, "doctor") == 0) {
			*used |= OPT_POSTFIX_DIR;
			ctl->postfix_dir = value;
		} else
			ctl->conf_file = value;
		return 0;
	case 'j':
		ctl->json = true;
		return 0;
	case 'a':
		*used |= OPT_AS;
		mode = names_code(mode_names, value, strlen(value));
		if (mode < 0)
			return ctl_error(EX_USAGE, "--as %s: the modes are opportunistic, enforced, verified", value);
		ctl->as = (enum mode)mode;
		ctl->has_as = true;
		return 0;
	case 't':
		*used |= OPT_TLSRPT;
		ctl->tlsrpt = true;
		return 0;
	case 'r':
	case 'e':
		if ((*used & OPT_KIND) != 0)
			return ctl_error(EX_USAGE, "only one of --rcpt and --except can be meant");
		*used |= OPT_KIND;
		ctl->kind = opt == 'r' ? SETTING_RCPT : SETTING_EXCEPT;
		return 0;
	case 'l':
		if (ctl->no_ttl)
			return ctl_error(EX_USAGE, ONE_TTL);
		*used |= OPT_TTL;
		ctl->ttl_ms = duration_parse(value);
		if (ctl->ttl_ms < 0)
			return ctl_error(EX_USAGE, "--ttl %s: a span of time like 90s, 15m, 2h30m or 7d", value);
		return 0;
	case 'n':
		if (ctl->ttl_ms > 0)
			return ctl_error(EX_USAGE, ONE_TTL);
		*used |= OPT_TTL;
		ctl->no_ttl = true;
		return 0;
	case 'w':
		*used |= OPT_WATCH;
		ctl->watch = true;
		return 0;
	default:
		return EX_USAGE; /* getopt has said why */
	}
}

/* No command: one sentence for words that are none, the usage of those that begin with the word, or all of it. */
static int no_command(int argc, char **argv)
{
	bool first = false; /* the first word is one, the second is not */

	if (argc < 1)
		return usage(stderr);
	if (strcmp(argv[0], "help") == 0) {
		usage(stdout);
		return EX_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[0], commands[i].word) != 0)
			continue;
		first = true;
		if (argc == 1)
			usage_of(&commands[i]);
	}
	if (first && argc == 1)
		return EX_USAGE;
	return ctl_error(EX_USAGE, "no such command: %s%s%s (tlsmode --help names them)", argv[0], first ? " " : "",
			 first ? argv[1] : "");
}

static const struct command *find_command(int argc, char **argv)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (argc < 1 || strcmp(argv[0], c->word) != 0)
			continue;
		if (!c->second || (argc > 1 && strcmp(argv[1], c->second) == 0))
			return c;
	}
	return NULL;
}

static int run(struct ctl *ctl, const struct command *c, int argc, char **args)
{
	char error[500];
	int code;

	ctl->conf = conf_load(ctl->conf_file, CONF_USE_REDIS, error, sizeof(error));
	if (!ctl->conf)
		return ctl_error(EX_CONFIG, "%s", error);
	code = c->run(ctl, argc, args);
	if (ctl->redis)
		redisFree(ctl->redis);
	conf_free(&ctl->conf);
	return code;
}

static proc_library_fn *const libraries[] = {redis_tls_library, probe_files_library, domain_library,
					     json_tree_library, conf_library,        NULL};

/* Takes the options out of ARGV and gathers the words behind its first; their number, or -1 with the exit code in
 * *CODE. Words and options are read in order: "-c" behind "doctor" is Postfix's directory, not our file. */
static int take_words(struct ctl *ctl, int argc, char **argv, unsigned *used, int *code)
{
	int opt, words = 0;

	while ((opt = getopt_long(argc, argv, "-c:hV", long_options, NULL)) != -1) {
		if (opt == 'h' || opt == 'V') {
			if (opt == 'h')
				usage(stdout);
			else
				proc_print_version("tlsmode", libraries);
			*code = EX_OK;
			return -1;
		}
		if (opt == 1) {
			argv[++words] = optarg;
			ctl->word = argv[1];
			continue;
		}
		*code = take_option(ctl, opt, optarg, used);
		if (*code != 0)
			return -1;
	}
	while (optind < argc)
		argv[++words] = argv[optind++];
	return words;
}

int main(int argc, char **argv)
{
	struct ctl ctl = {.conf_file = CONF_DEFAULT_FILE};
	const struct command *c;
	unsigned used = 0;
	int code, front;

	log_open("tlsmode", LOG_TO_STDERR, LOG_LVL_WARN);
	argc = take_words(&ctl, argc, argv, &used, &code);
	if (argc < 0)
		return code;
	argv++;
	c = find_command(argc, argv);
	if (!c)
		return no_command(argc, argv);
	front = c->second ? 2 : 1;
	if (argc - front < c->min || argc - front > c->max || (used & ~c->options) != 0)
		return usage_of(c);
	return run(&ctl, c, argc - front, argv + front);
}
