/*
 * run_case - runs every *.case of its folder (or those named), each in several orders of answers, and prints TAP.
 *
 * One command a line, '#' begins a comment; times are seconds, "+N" from now. A question that the script is silent about fails
 * the case, and Postfix's grammar is held against every reply.
 *   title TEXT                     what the case shows; begin with the row of the conformance matrix if there is one
 *   clock +N                       time goes on
 *   dns NAME TYPE STATUS ...       see world.h; NAME "*" is any name; a later line replaces an earlier one
 *   https HOST ...                 see world.h
 *   redis away | back | put KIND NAME LINE | del KIND NAME | have KIND NAME PART | lacks KIND NAME PART
 *                                  KIND is sts or dane, LINE "name=value|name=value" as facts_text.h has it
 *   rcpt NAME field=value ...      and except NAME ...: a setting; "ends=+N" gives it an end, "gone" takes it away
 *   conf dane=no | report=yes | min_tls=1.3
 *   ask MODE[-tlsrpt] NEXTHOP      a question; what follows is about it
 *   refresh NEXTHOP                the refresher's turn: it fetches if it is time
 *   late NEXTHOP                   what was on its way may come now
 *   elsewhere NEXTHOP              the fetch under way turns out to be another node's
 *   node NAME, restart             another process with its own facts; this one forgets its own
 * Expectations:
 *   reply LINE, reply-begins TEXT, row N, reasons NAME ..., until +N
 *   asked QUESTION | QUESTION      exactly these, each once ("MX a.example", "shared", "policy HOST"); "asked nothing"
 *   asked-not BEGINNING, fetches N, gave-up N (deadlines that ended the waiting)
 *   policy MODE ID | none          in force; refresh-at +N | never
 */
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/answer.h"
#include "core/explain.h"
#include "core/settings.h"
#include "lib/drive.h"
#include "lib/postfix_grammar.h"

#define JOBS_MAX 12
#define START 1000000

struct known {
	char key[NEXTHOP_SIZE + 40]; /* node and next hop */
	struct job job;
};

struct scenario {
	const char *file;
	unsigned line_number;
	char error[1200];
	char title[200];
	int64_t now;
	char node[20];
	struct world world;
	struct drive drive;
	struct settings *settings;
	bool dane, report;
	char min_tls[8];
	struct known *known[JOBS_MAX];
	size_t known_count;
	/* the last question */
	struct job *job;
	enum mode mode;
	bool tlsrpt;
	struct verdict verdict;
	char reply[SOCKMAP_REPLY_MAX + 1];
	int64_t until;
};

static void wrong(struct scenario *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void wrong(struct scenario *s, const char *fmt, ...)
{
	va_list ap;
	int len;

	if (s->error[0] != '\0')
		return;
	len = snprintf(s->error, sizeof s->error, "%s:%u: ", s->file, s->line_number);
	va_start(ap, fmt);
	vsnprintf(s->error + len, sizeof s->error - (size_t)len, fmt, ap);
	va_end(ap);
}

static int64_t time_of(struct scenario *s, const char *text)
{
	int64_t n = strtoll(text, NULL, 10);

	return text[0] == '+' ? s->now + n : n;
}

/* The first word of *ARGS, cut off. */
static char *word(char **args)
{
	char *start = *args + strspn(*args, " "), *end = start + strcspn(start, " ");

	*args = end + (*end != '\0');
	*end = '\0';
	return start;
}

/* ---- world ---- */

static void cmd_title(struct scenario *s, char *args)
{
	snprintf(s->title, sizeof s->title, "%s", args);
}

static void cmd_clock(struct scenario *s, char *args)
{
	s->now = time_of(s, args);
}

static void cmd_dns(struct scenario *s, char *args)
{
	if (!world_set_dns(&s->world, args))
		wrong(s, "malformed dns line: %s", args);
}

static void cmd_https(struct scenario *s, char *args)
{
	if (!world_set_https(&s->world, args))
		wrong(s, "malformed https line: %s", args);
}

static void redis_have(struct scenario *s, const char *key, const char *part)
{
	const char *line = world_hash(&s->world, key, s->now);

	if (strcmp(part, "nothing") == 0 ? line != NULL : line == NULL || strstr(line, part) == NULL)
		wrong(s, "Redis has %s for %s, not %s", line != NULL ? line : "nothing", key, part);
}

static void redis_lacks(struct scenario *s, const char *key, const char *part)
{
	const char *line = world_hash(&s->world, key, s->now);

	if (line != NULL && strstr(line, part) != NULL)
		wrong(s, "Redis has %s for %s", line, key);
}

/* away, back, put KIND NAME line, del KIND NAME, have KIND NAME part (or "nothing"), lacks KIND NAME part */
static void cmd_redis(struct scenario *s, char *args)
{
	const char *what = word(&args), *kind, *name;
	char key[400];

	if (strcmp(what, "away") == 0 || strcmp(what, "back") == 0) {
		s->world.redis_away = what[0] == 'a';
		return;
	}
	kind = word(&args);
	name = word(&args);
	snprintf(key, sizeof key, "%s %s", kind, name);
	if (strcmp(what, "put") == 0)
		world_set_hash(&s->world, key, args, INT64_MAX);
	else if (strcmp(what, "del") == 0)
		world_set_hash(&s->world, key, NULL, 0);
	else if (strcmp(what, "have") == 0)
		redis_have(s, key, args);
	else if (strcmp(what, "lacks") == 0)
		redis_lacks(s, key, args);
	else
		wrong(s, "redis what? %s", what);
}

static void set_setting(struct scenario *s, enum setting_kind kind, char *args)
{
	char name[SETTING_NAME_SIZE], complaint[200], *field, *raw = word(&args);
	const char *reason = "";
	struct setting value;

	setting_init(&value);
	if (!setting_name_canon(name, kind, raw, strlen(raw), &reason))
		wrong(s, "%s: %s", raw, reason);
	if (strcmp(args, "gone") == 0) {
		settings_remove(s->settings, kind, name);
		return;
	}
	while ((field = word(&args))[0] != '\0') {
		char *equal = strchr(field, '=');

		if (equal == NULL)
			wrong(s, "not name=value: %s", field);
		else if (strncmp(field, "ends=", 5) == 0)
			value.ends_at_ms = time_of(s, field + 5) * 1000;
		else
			setting_field(&value, kind, field, (size_t)(equal - field), equal + 1, strlen(equal + 1),
				      complaint, sizeof complaint);
	}
	settings_put(s->settings, kind, name, &value);
}

static void cmd_rcpt(struct scenario *s, char *args)
{
	set_setting(s, SETTING_RCPT, args);
}

static void cmd_except(struct scenario *s, char *args)
{
	set_setting(s, SETTING_EXCEPT, args);
}

static void cmd_conf(struct scenario *s, char *args)
{
	if (strncmp(args, "dane=", 5) == 0)
		s->dane = strcmp(args + 5, "yes") == 0;
	else if (strncmp(args, "report=", 7) == 0)
		s->report = strcmp(args + 7, "yes") == 0;
	else if (strncmp(args, "min_tls=", 8) == 0)
		snprintf(s->min_tls, sizeof s->min_tls, "%s", args + 8);
	else
		wrong(s, "conf what? %s", args);
}

/* ---- questions ---- */

static void cmd_node(struct scenario *s, char *args)
{
	snprintf(s->node, sizeof s->node, "%s", args);
}

static void cmd_restart(struct scenario *s, char *args)
{
	size_t i;

	(void)args;
	for (i = 0; i < s->known_count; i++)
		if (strncmp(s->known[i]->key, s->node, strlen(s->node)) == 0)
			s->known[i]->key[0] = '\0';
}

static struct job *job_of(struct scenario *s, const char *raw)
{
	struct nexthop nexthop;
	char key[NEXTHOP_SIZE + 40];
	struct known *k;
	size_t i;

	nexthop_parse(&nexthop, raw, strlen(raw));
	snprintf(key, sizeof key, "%s %s", s->node, nexthop.kind == NEXTHOP_OTHER ? raw : nexthop.key);
	for (i = 0; i < s->known_count; i++)
		if (strcmp(s->known[i]->key, key) == 0)
			return &s->known[i]->job;
	if (s->known_count == JOBS_MAX)
		abort();
	k = xcalloc(1, sizeof *k);
	memcpy(k->key, key, sizeof key);
	facts_init(&k->job.facts, &nexthop);
	s->known[s->known_count++] = k;
	return &k->job;
}

static void check_grammar(struct scenario *s)
{
	size_t len = strlen(s->reply);
	const char *complaint = postfix_grammar(s->reply, len, s->tlsrpt ? POSTFIX_3_10 : POSTFIX_3_7);

	if (complaint == NULL)
		complaint = postfix_grammar_wise(s->reply, len);
	if (complaint != NULL)
		wrong(s, "Postfix would not take it: %s: %s", complaint, s->reply);
}

static void check_explain(struct scenario *s, const struct dest_setting *dest, const struct answer_options *o)
{
	struct explain_input in = {.facts = &s->job->facts,
				   .now = s->now,
				   .dest = dest,
				   .mode = s->mode,
				   .all_modes = true,
				   .dane = s->dane,
				   .options = *o,
				   .settings_known = true};
	char *json = explain_json(&in);

	if (strlen(json) > SOCKMAP_REPLY_MAX - 3 || strchr(json, '\n') != NULL ||
	    strstr(json, "\"verdicts\":[{") == NULL)
		wrong(s, "explain: %.200s", json);
	free(json);
}

static void on_ready(struct job *job, void *arg)
{
	struct scenario *s = arg;
	struct answer_options o = {.min_tls = s->min_tls, .tlsrpt = s->tlsrpt, .report_failures = s->report};
	static char storage[SOCKMAP_REPLY_MAX + 1];
	struct sbuf text, reply;
	struct dest_setting dest;
	enum sockmap_status status;

	s->job = job;
	settings_dest(s->settings, &job->facts.nexthop, s->now * 1000, &dest);
	decide(&job->facts, s->now, s->mode, &dest, s->dane, &s->verdict);
	sbuf_init(&text, storage, sizeof storage);
	status = answer_format(&text, &s->verdict, &job->facts, s->now, &dest, &o);
	sbuf_init(&reply, s->reply, sizeof s->reply);
	sockmap_reply(&reply, status, storage);
	s->until = facts_until(&job->facts, s->now);
	check_grammar(s);
	check_explain(s, &dest, &o);
}

static void begin_question(struct scenario *s)
{
	s->drive.asked_count = 0;
	s->drive.gave_up = 0;
	s->reply[0] = '\0';
}

static void end_question(struct scenario *s)
{
	if (s->drive.error[0] != '\0')
		wrong(s, "%s", s->drive.error);
}

/* MODE[-tlsrpt] KEY */
static void cmd_ask(struct scenario *s, char *args)
{
	char *map = word(&args), *dash = strstr(map, "-tlsrpt");
	int mode;

	s->tlsrpt = dash != NULL;
	if (dash != NULL)
		*dash = '\0';
	mode = names_code(mode_names, map, strlen(map));
	if (mode < 0) {
		wrong(s, "no such mode: %s", map);
		return;
	}
	s->mode = (enum mode)mode;
	begin_question(s);
	drive_round(&s->drive, job_of(s, args), s->now, on_ready, s);
	end_question(s);
}

/* The refresher: fetch if it is time; expectations see what was asked. */
static void cmd_refresh(struct scenario *s, char *args)
{
	struct job *job = job_of(s, args);

	begin_question(s);
	s->job = job;
	if (facts_refresh_at(&job->facts) > s->now)
		return;
	job->facts.sts.refresh = true;
	drive_round(&s->drive, job, s->now, NULL, NULL);
	end_question(s);
}

static void cmd_late(struct scenario *s, char *args)
{
	begin_question(s);
	s->job = job_of(s, args);
	drive_late(&s->drive, s->job, s->now);
	end_question(s);
}

static void cmd_elsewhere(struct scenario *s, char *args)
{
	begin_question(s);
	s->job = job_of(s, args);
	drive_elsewhere(&s->drive, s->job, s->now);
	end_question(s);
}

/* ---- expectations ---- */

static void cmd_reply(struct scenario *s, char *args)
{
	/* the language has no trailing space */
	const char *expected = strcmp(args, "NOTFOUND") == 0 ? "NOTFOUND " : args;

	if (strcmp(s->reply, expected) != 0)
		wrong(s, "reply %s, not %s", s->reply, expected);
}

static void cmd_reply_begins(struct scenario *s, char *args)
{
	if (strncmp(s->reply, args, strlen(args)) != 0)
		wrong(s, "reply %.200s, which does not begin %s", s->reply, args);
}

static void cmd_row(struct scenario *s, char *args)
{
	if (s->verdict.row != atoi(args))
		wrong(s, "row %d, not %s", s->verdict.row, args);
}

static void cmd_reasons(struct scenario *s, char *args)
{
	char told[1000] = "";
	uint32_t expected = 0;
	const char *name;
	int i;

	while ((name = word(&args))[0] != '\0') {
		int reason = names_code(reason_names, name, strlen(name));

		if (reason < 0)
			wrong(s, "no such reason: %s", name);
		expected |= 1u << reason;
	}
	for (i = 0; i < REASON_COUNT; i++)
		if (s->verdict.reasons & 1u << i)
			strcat(strcat(told, " "), names_name(reason_names, i));
	if (s->verdict.reasons != expected)
		wrong(s, "reasons:%s", told);
}

static size_t times_asked(const struct scenario *s, const char *question)
{
	size_t i, n = 0;

	for (i = 0; i < s->drive.asked_count; i++)
		n += strcmp(s->drive.asked[i], question) == 0;
	return n;
}

static void all_asked(const struct scenario *s, char *out, size_t size)
{
	size_t i, len = 0;

	out[0] = '\0';
	for (i = 0; i < s->drive.asked_count && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? " | " : "", s->drive.asked[i]);
}

/* Exactly these questions, each once: "QUESTION | QUESTION", or "nothing". */
static void cmd_asked(struct scenario *s, char *args)
{
	char all[900];
	size_t n = 0;

	all_asked(s, all, sizeof all);
	while (*args != '\0' && strcmp(args, "nothing") != 0) {
		char *bar = strstr(args, " | ");

		if (bar != NULL)
			*bar = '\0';
		if (times_asked(s, args) != 1)
			wrong(s, "%s: asked %zu times; all: %s", args, times_asked(s, args), all);
		n++;
		args = bar != NULL ? bar + 3 : args + strlen(args);
	}
	if (n != s->drive.asked_count)
		wrong(s, "asked: %s", all);
}

/* No question begins so. */
static void cmd_asked_not(struct scenario *s, char *args)
{
	size_t i;

	for (i = 0; i < s->drive.asked_count; i++)
		if (strncmp(s->drive.asked[i], args, strlen(args)) == 0)
			wrong(s, "asked: %s", s->drive.asked[i]);
}

static void cmd_fetches(struct scenario *s, char *args)
{
	size_t i, n = 0;

	for (i = 0; i < s->drive.asked_count; i++)
		n += strncmp(s->drive.asked[i], "policy ", 7) == 0;
	if (n != strtoul(args, NULL, 10))
		wrong(s, "%zu fetches, not %s", n, args);
}

/* How often a deadline had to end the waiting for the last answer. */
static void cmd_gave_up(struct scenario *s, char *args)
{
	if (s->drive.gave_up != strtoul(args, NULL, 10))
		wrong(s, "gave up %u times, not %s", s->drive.gave_up, args);
}

static void cmd_until(struct scenario *s, char *args)
{
	if (s->until != time_of(s, args))
		wrong(s, "until +%lld, not %s", (long long)(s->until - s->now), args);
}

/* MODE ID (an empty id is "-"), or "none" */
static void cmd_policy(struct scenario *s, char *args)
{
	const struct sts_policy *p = facts_policy(&s->job->facts, s->now);
	const char *mode = word(&args), *id = s->job->facts.sts.policy_id;

	if (strcmp(mode, "none") == 0 && *args == '\0') {
		if (p != NULL)
			wrong(s, "a policy is in force: id %s", id);
		return;
	}
	if (p == NULL || strcmp(names_name(sts_mode_names, (int)p->mode), mode) != 0)
		wrong(s, "policy is %s", p == NULL ? "not there" : names_name(sts_mode_names, (int)p->mode));
	else if (strcmp(id[0] != '\0' ? id : "-", args) != 0)
		wrong(s, "the policy's id is %s, not %s", id, args);
}

static void cmd_refresh_at(struct scenario *s, char *args)
{
	int64_t at = facts_refresh_at(&s->job->facts);

	if (at != (strcmp(args, "never") == 0 ? INT64_MAX : time_of(s, args)))
		wrong(s, "refresh at +%lld, not %s", (long long)(at - s->now), args);
}

/* ---- the runner ---- */

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
	size_t i, len;
	char *name;

	line[strcspn(line, "#\n")] = '\0';
	for (len = strlen(line); len > 0 && line[len - 1] == ' '; len--)
		line[len - 1] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0')
		return;
	name = word(&line);
	for (i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			commands[i].run(s, line + strspn(line, " "));
			return;
		}
	}
	wrong(s, "no such command: %s", name);
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
	size_t i;

	for (i = 0; i < s->known_count; i++) {
		facts_fini(&s->known[i]->job.facts);
		free(s->known[i]);
	}
	settings_free(&s->settings);
	world_fini(&s->world);
}

static void run_case(const char *path, unsigned order, unsigned number)
{
	struct scenario *s = xcalloc(1, sizeof *s);
	const char *base = strrchr(path, '/');
	FILE *f = fopen(path, "r");

	s->file = base != NULL ? base + 1 : path;
	s->now = START;
	s->dane = true;
	s->settings = settings_new();
	s->drive.world = &s->world;
	s->drive.order = order;
	s->drive.seed = order * 7919;
	memcpy(s->min_tls, "1.2", 4);
	memcpy(s->node, "A", 2);
	if (f == NULL) {
		wrong(s, "cannot be read");
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
	char *pattern = xasprintf("%s/tests/scenario/*.case", srcdir != NULL ? srcdir : ".");
	unsigned number = 0, order;
	glob_t found;
	size_t i;

	if (argc > 1 || glob(pattern, 0, NULL, &found) != 0) {
		found.gl_pathc = (size_t)(argc - 1);
		found.gl_pathv = argv + 1;
	}
	printf("1..%zu\n", found.gl_pathc * DRIVE_ORDERS);
	if (found.gl_pathc == 0)
		printf("Bail out! no case at %s\n", pattern);
	for (i = 0; i < found.gl_pathc; i++)
		for (order = 0; order < DRIVE_ORDERS; order++)
			run_case(found.gl_pathv[i], order, ++number);
	if (argc == 1 && found.gl_pathc > 0)
		globfree(&found);
	free(pattern);
	return found.gl_pathc == 0;
}
