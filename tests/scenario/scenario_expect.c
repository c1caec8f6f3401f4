/*
 * scenario_expect.c - commands that hold the last answer against what the case expects.
 */
#include "scenario/scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cmd_reply(struct scenario *s, char *args)
{
	/* the language has no trailing space */
	const char *expected = strcmp(args, "NOTFOUND") == 0 ? "NOTFOUND " : args;

	if (strcmp(s->reply, expected) != 0)
		scenario_wrong(s, "reply %s, not %s", s->reply, expected);
}

void cmd_reply_begins(struct scenario *s, char *args)
{
	if (strncmp(s->reply, args, strlen(args)) != 0)
		scenario_wrong(s, "reply %.200s, which does not begin %s", s->reply, args);
}

void cmd_row(struct scenario *s, char *args)
{
	if (s->verdict.row != atoi(args))
		scenario_wrong(s, "row %d, not %s", s->verdict.row, args);
}

void cmd_reasons(struct scenario *s, char *args)
{
	char told[1000] = "";
	uint32_t expected = 0;
	const char *name;

	while ((name = scenario_word(&args))[0] != '\0') {
		int reason = names_code(reason_names, name, strlen(name));

		if (reason < 0)
			scenario_wrong(s, "no such reason: %s", name);
		expected |= 1u << reason;
	}
	for (int i = 0; i < REASON_COUNT; i++)
		if (s->verdict.reasons & 1u << i)
			strcat(strcat(told, " "), names_name(reason_names, i));
	if (s->verdict.reasons != expected)
		scenario_wrong(s, "reasons:%s", told);
}

static size_t times_asked(const struct scenario *s, const char *question)
{
	size_t n = 0;

	for (size_t i = 0; i < s->drive.asked_count; i++)
		n += strcmp(s->drive.asked[i], question) == 0;
	return n;
}

static void all_asked(const struct scenario *s, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->drive.asked_count && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? " | " : "", s->drive.asked[i]);
}

/* Exactly these questions, each once: "QUESTION | QUESTION", or "nothing". */
void cmd_asked(struct scenario *s, char *args)
{
	char all[900];
	size_t n = 0;

	all_asked(s, all, sizeof(all));
	while (*args != '\0' && strcmp(args, "nothing") != 0) {
		char *bar = strstr(args, " | ");

		if (bar)
			*bar = '\0';
		if (times_asked(s, args) != 1)
			scenario_wrong(s, "%s: asked %zu times; all: %s", args, times_asked(s, args), all);
		n++;
		args = bar ? bar + 3 : args + strlen(args);
	}
	if (n != s->drive.asked_count)
		scenario_wrong(s, "asked: %s", all);
}

/* No question begins so. */
void cmd_asked_not(struct scenario *s, char *args)
{
	for (size_t i = 0; i < s->drive.asked_count; i++)
		if (strncmp(s->drive.asked[i], args, strlen(args)) == 0)
			scenario_wrong(s, "asked: %s", s->drive.asked[i]);
}

void cmd_fetches(struct scenario *s, char *args)
{
	size_t n = 0;

	for (size_t i = 0; i < s->drive.asked_count; i++)
		n += strncmp(s->drive.asked[i], "policy ", 7) == 0;
	if (n != strtoul(args, NULL, 10))
		scenario_wrong(s, "%zu fetches, not %s", n, args);
}

/* How often a deadline had to end the waiting for the last answer. */
void cmd_gave_up(struct scenario *s, char *args)
{
	if (s->drive.gave_up != strtoul(args, NULL, 10))
		scenario_wrong(s, "gave up %u times, not %s", s->drive.gave_up, args);
}

void cmd_until(struct scenario *s, char *args)
{
	if (s->until != scenario_time(s, args))
		scenario_wrong(s, "until +%lld, not %s", (long long)(s->until - s->now), args);
}

/* MODE ID (an empty id is "-"), or "none" */
void cmd_policy(struct scenario *s, char *args)
{
	const struct sts_policy *p = facts_policy(&s->job->facts, s->now);
	const char *mode = scenario_word(&args), *id = s->job->facts.sts.policy_id;

	if (strcmp(mode, "none") == 0 && *args == '\0') {
		if (p)
			scenario_wrong(s, "a policy is in force: id %s", id);
		return;
	}
	if (!p || strcmp(names_name(sts_mode_names, (int)p->mode), mode) != 0)
		scenario_wrong(s, "policy is %s", !p ? "not there" : names_name(sts_mode_names, (int)p->mode));
	else if (strcmp(id[0] != '\0' ? id : "-", args) != 0)
		scenario_wrong(s, "the policy's id is %s, not %s", id, args);
}

void cmd_refresh_at(struct scenario *s, char *args)
{
	int64_t at = facts_refresh_at(&s->job->facts);

	if (at != (strcmp(args, "never") == 0 ? INT64_MAX : scenario_time(s, args)))
		scenario_wrong(s, "refresh at +%lld, not %s", (long long)(at - s->now), args);
}
