/*
 * run_case - runs every *.case of its folder (or those named), each in several orders of answers, and prints TAP.
 *
 * One command a line, '#' begins a comment; times are seconds, "+N" from now. A question that the script is silent
 * about fails the case, and Postfix's grammar is held against every reply. title TEXT                     what the case
 * shows; begin with the row of the conformance matrix if there is one clock +N                       time goes on dns
 * NAME TYPE STATUS ...       see world.h; NAME "*" is any name; a later line replaces an earlier one https HOST ... see
 * world.h redis away | slow | back | put KIND NAME LINE | del KIND NAME | have KIND NAME PART | lacks KIND NAME PART KIND is
 * sts or dane, LINE "name=value|name=value" as facts_text.h has it rcpt NAME field=value ...      and except NAME ...:
 * a setting; "ends=+N" gives it an end, "gone" takes it away conf dane=no | report=yes | min_tls=1.3 ask MODE[-tlsrpt]
 * NEXTHOP      a question; what follows is about it refresh NEXTHOP                the refresher's turn: it fetches if
 * it is time late NEXTHOP                   what was on its way may come now elsewhere NEXTHOP              the fetch
 * under way turns out to be another node's node NAME, restart             another process with its own facts; this one
 * forgets its own Expectations: reply LINE, reply-begins TEXT, row N, reasons NAME ..., until +N asked QUESTION |
 * QUESTION      exactly these, each once ("MX a.example", "shared", "policy HOST"); "asked nothing" asked-not
 * BEGINNING, fetches N, gave-up N (deadlines that ended the waiting) policy MODE ID | none          in force;
 * refresh-at +N | never
 */
#include "scenario/scenario.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define START 1000000

void scenario_wrong(struct scenario *s, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (s->error[0] != '\0')
		return;
	len = snprintf(s->error, sizeof(s->error), "%s:%u: ", s->file, s->line_number);
	va_start(ap, fmt);
	vsnprintf(s->error + len, sizeof(s->error) - (size_t)len, fmt, ap);
	va_end(ap);
}

int64_t scenario_time(const struct scenario *s, const char *text)
{
	int64_t n = strtoll(text, NULL, 10);

	return text[0] == '+' ? s->now + n : n;
}

char *scenario_word(char **args)
{
	char *start = *args + strspn(*args, " "), *end = start + strcspn(start, " ");

	*args = end + (*end != '\0');
	*end = '\0';
	return start;
}

static const struct {
	const char *name;
	void (*run)(struct scenario *s, char *args);
} commands[] = {
    {"title", cmd_title},
    {"clock", cmd_clock},
    {"dns", cmd_dns},
    {"https", cmd_https},
    {"redis", cmd_redis},
    {"rcpt", cmd_rcpt},
    {"except", cmd_except},
    {"conf", cmd_conf},
    {"node", cmd_node},
    {"restart", cmd_restart},
    {"ask", cmd_ask},
    {"refresh", cmd_refresh},
    {"late", cmd_late},
    {"elsewhere", cmd_elsewhere},
    {"reply", cmd_reply},
    {"reply-begins", cmd_reply_begins},
    {"row", cmd_row},
    {"reasons", cmd_reasons},
    {"asked", cmd_asked},
    {"asked-not", cmd_asked_not},
    {"fetches", cmd_fetches},
    {"gave-up", cmd_gave_up},
    {"until", cmd_until},
    {"policy", cmd_policy},
    {"refresh-at", cmd_refresh_at},
};

static void run_line(struct scenario *s, char *line)
{
	char *name;

	line[strcspn(line, "#\n")] = '\0';
	for (size_t len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
		line[len - 1] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0')
		return;
	name = scenario_word(&line);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(s, line + strspn(line, " "));
			return;
		}
	}
	scenario_wrong(s, "no such command: %s", name);
}

static void run_file(struct scenario *s, FILE *f)
{
	char *line = NULL;
	size_t size = 0;

	while (s->error[0] == '\0' && getline(&line, &size, f) > 0) {
		s->line_number++;
		run_line(s, line);
	}
	free(line);
}

static void scenario_fini(struct scenario *s)
{
	for (size_t i = 0; i < s->known_count; i++) {
		facts_fini(&s->known[i]->job.facts);
		free(s->known[i]);
	}
	settings_free(&s->settings);
	world_fini(&s->world);
}

static void run_case(const char *path, unsigned order, unsigned number)
{
	struct scenario *s = xcalloc(1, sizeof(*s));
	const char *base = strrchr(path, '/');
	FILE *f = fopen(path, "r");

	s->file = base ? base + 1 : path;
	s->now = START;
	s->dane = true;
	s->settings = settings_new();
	s->drive.world = &s->world;
	s->drive.order = order;
	s->drive.seed = order * 7919;
	memcpy(s->min_tls, "1.2", 4);
	memcpy(s->node, "A", 2);
	if (!f) {
		scenario_wrong(s, "cannot be read");
	} else {
		run_file(s, f);
		fclose(f);
	}
	printf("%s %u - %s, order %u: %s\n", s->error[0] ? "not ok" : "ok", number, s->file, order,
	       s->error[0] ? s->error : s->title);
	scenario_fini(s);
	free(s);
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char *pattern = xasprintf("%s/tests/scenario/*.case", srcdir ? srcdir : ".");
	unsigned number = 0;
	glob_t found;

	if (argc > 1 || glob(pattern, 0, NULL, &found) != 0) {
		found.gl_pathc = (size_t)(argc - 1);
		found.gl_pathv = argv + 1;
	}
	printf("1..%zu\n", found.gl_pathc * DRIVE_ORDERS);
	if (found.gl_pathc == 0)
		printf("Bail out! no case at %s\n", pattern);
	for (size_t i = 0; i < found.gl_pathc; i++)
		for (unsigned order = 0; order < DRIVE_ORDERS; order++)
			run_case(found.gl_pathv[i], order, ++number);
	if (argc == 1 && found.gl_pathc > 0)
		globfree(&found);
	free(pattern);
	return found.gl_pathc == 0;
}
