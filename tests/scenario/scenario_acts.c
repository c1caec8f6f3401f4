/*
 * scenario_acts.c - commands that make the world, the settings and the questions.
 */
#include "scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/explain.h"
#include "lib/postfix_grammar.h"

/* ---- world ---- */

void cmd_title(struct scenario *s, char *args)
{
	snprintf(s->title, sizeof(s->title), "%s", args);
}

void cmd_clock(struct scenario *s, char *args)
{
	s->now = scenario_time(s, args);
}

void cmd_dns(struct scenario *s, char *args)
{
	if (!world_set_dns(&s->world, args))
		scenario_wrong(s, "malformed dns line: %s", args);
}

void cmd_https(struct scenario *s, char *args)
{
	if (!world_set_https(&s->world, args))
		scenario_wrong(s, "malformed https line: %s", args);
}

static void redis_have(struct scenario *s, const char *key, const char *part)
{
	const char *line = world_hash(&s->world, key, s->now);

	if (strcmp(part, "nothing") == 0 ? !!line : !line || !strstr(line, part))
		scenario_wrong(s, "Redis has %s for %s, not %s", line ? line : "nothing", key, part);
}

static void redis_lacks(struct scenario *s, const char *key, const char *part)
{
	const char *line = world_hash(&s->world, key, s->now);

	if (line && strstr(line, part))
		scenario_wrong(s, "Redis has %s for %s", line, key);
}

/* away, slow (not to be read), back, put KIND NAME line, del KIND NAME, have KIND NAME part (or "nothing"), lacks KIND NAME part */
void cmd_redis(struct scenario *s, char *args)
{
	const char *what = scenario_word(&args), *kind, *name;
	char key[400];

	if (strcmp(what, "away") == 0 || strcmp(what, "slow") == 0 || strcmp(what, "back") == 0) {
		s->world.redis_away = what[0] == 'a';
		s->world.redis_slow = what[0] == 's';
		return;
	}
	kind = scenario_word(&args);
	name = scenario_word(&args);
	snprintf(key, sizeof(key), "%s %s", kind, name);
	if (strcmp(what, "put") == 0)
		world_set_hash(&s->world, key, args, INT64_MAX);
	else if (strcmp(what, "del") == 0)
		world_set_hash(&s->world, key, NULL, 0);
	else if (strcmp(what, "have") == 0)
		redis_have(s, key, args);
	else if (strcmp(what, "lacks") == 0)
		redis_lacks(s, key, args);
	else
		scenario_wrong(s, "redis what? %s", what);
}

static void set_setting(struct scenario *s, enum setting_kind kind, char *args)
{
	char name[SETTING_NAME_SIZE], complaint[200], *field, *raw = scenario_word(&args);
	const char *reason = "";
	struct setting value;

	setting_init(&value);
	if (!setting_name_canon(name, kind, raw, strlen(raw), &reason))
		scenario_wrong(s, "%s: %s", raw, reason);
	if (strcmp(args, "gone") == 0) {
		settings_remove(s->settings, kind, name);
		return;
	}
	while ((field = scenario_word(&args))[0] != '\0') {
		char *equal = strchr(field, '=');

		if (!equal)
			scenario_wrong(s, "not name=value: %s", field);
		else if (strncmp(field, "ends=", 5) == 0)
			value.ends_at_ms = scenario_time(s, field + 5) * 1000;
		else
			setting_field(&value, kind, field, (size_t)(equal - field), equal + 1, strlen(equal + 1),
				      complaint, sizeof(complaint));
	}
	settings_put(s->settings, kind, name, &value);
}

void cmd_rcpt(struct scenario *s, char *args)
{
	set_setting(s, SETTING_RCPT, args);
}

void cmd_except(struct scenario *s, char *args)
{
	set_setting(s, SETTING_EXCEPT, args);
}

void cmd_conf(struct scenario *s, char *args)
{
	if (strncmp(args, "dane=", 5) == 0)
		s->dane = strcmp(args + 5, "yes") == 0;
	else if (strncmp(args, "report=", 7) == 0)
		s->report = strcmp(args + 7, "yes") == 0;
	else if (strncmp(args, "min_tls=", 8) == 0)
		snprintf(s->min_tls, sizeof(s->min_tls), "%s", args + 8);
	else
		scenario_wrong(s, "conf what? %s", args);
}

/* ---- questions ---- */

void cmd_node(struct scenario *s, char *args)
{
	snprintf(s->node, sizeof(s->node), "%s", args);
}

void cmd_restart(struct scenario *s, char *args)
{
	(void)args;
	for (size_t i = 0; i < s->known_count; i++)
		if (strncmp(s->known[i]->key, s->node, strlen(s->node)) == 0)
			s->known[i]->key[0] = '\0';
}

static struct drive_job *job_of(struct scenario *s, const char *raw)
{
	struct nexthop nexthop;
	char key[NEXTHOP_SIZE + 40];
	struct known *k;

	nexthop_parse(&nexthop, raw, strlen(raw));
	snprintf(key, sizeof(key), "%s %s", s->node, nexthop.kind == NEXTHOP_OTHER ? raw : nexthop.key);
	for (size_t i = 0; i < s->known_count; i++)
		if (strcmp(s->known[i]->key, key) == 0)
			return &s->known[i]->job;
	if (s->known_count == JOBS_MAX)
		abort();
	k = xcalloc(1, sizeof(*k));
	memcpy(k->key, key, sizeof(key));
	facts_init(&k->job.facts, &nexthop);
	s->known[s->known_count++] = k;
	return &k->job;
}

static void check_grammar(struct scenario *s)
{
	size_t len = strlen(s->reply);
	const char *complaint = postfix_grammar(s->reply, len, s->tlsrpt ? POSTFIX_3_10 : POSTFIX_3_7);

	if (!complaint)
		complaint = postfix_grammar_wise(s->reply, len);
	if (complaint)
		scenario_wrong(s, "Postfix would not take it: %s: %s", complaint, s->reply);
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

	if (strlen(json) > SOCKMAP_REPLY_MAX - 3 || strchr(json, '\n') || !strstr(json, "\"verdicts\":[{"))
		scenario_wrong(s, "explain: %.200s", json);
	free(json);
}

static void on_ready(struct drive_job *job, void *arg)
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
	sbuf_init(&text, storage, sizeof(storage));
	status = answer_format(&text, &s->verdict, &job->facts, s->now, &dest, &o);
	sbuf_init(&reply, s->reply, sizeof(s->reply));
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
		scenario_wrong(s, "%s", s->drive.error);
}

/* MODE[-tlsrpt] KEY */
void cmd_ask(struct scenario *s, char *args)
{
	char *map = scenario_word(&args), *dash = strstr(map, "-tlsrpt");
	int mode;

	s->tlsrpt = dash;
	if (dash)
		*dash = '\0';
	mode = names_code(mode_names, map, strlen(map));
	if (mode < 0) {
		scenario_wrong(s, "no such mode: %s", map);
		return;
	}
	s->mode = (enum mode)mode;
	begin_question(s);
	drive_round(&s->drive, job_of(s, args), s->now, on_ready, s);
	end_question(s);
}

/* The refresher: fetch if it is time; expectations see what was asked. */
void cmd_refresh(struct scenario *s, char *args)
{
	struct drive_job *job = job_of(s, args);

	begin_question(s);
	s->job = job;
	if (facts_refresh_at(&job->facts) > s->now)
		return;
	job->facts.sts.refresh = true;
	drive_round(&s->drive, job, s->now, NULL, NULL);
	end_question(s);
}

void cmd_late(struct scenario *s, char *args)
{
	begin_question(s);
	s->job = job_of(s, args);
	drive_late(&s->drive, s->job, s->now);
	end_question(s);
}

void cmd_elsewhere(struct scenario *s, char *args)
{
	begin_question(s);
	s->job = job_of(s, args);
	drive_elsewhere(&s->drive, s->job, s->now);
	end_question(s);
}
