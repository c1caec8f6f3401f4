/*
 * postconf_expand.c - $name and its kin in the values of main.cf and master.cf (postconf(5), "$name" and "${...}").
 *
 *	text    = *( any / "$$" / "$" name / "$(" body ")" / "${" body "}" )
 *	body    = name [ branches ] / left op right branches      op: == != < <= > >= and the same with "level"
 *	branches = "?" ( text / "{" text "}" [ ":" "{" text "}" ] ) / ":" ( text / "{" text "}" )
 *
 * A parameter that does not exist is empty.
 */
#include <stdlib.h>
#include <string.h>

#include "core/doctor/postconf.h"

#define DEPTH_MAX 16
#define STEPS_MAX 4000 /* parameters looked up for one value: what refers to itself twice doubles at every level */

struct expansion {
	const struct postconf *p;
	const struct postconf_service *s;
	int depth, steps;
	bool bad;
};

struct expand_text {
	const char *at, *end;
};

static void expand(struct expansion *job, struct expand_text t, struct sbuf *out);

static struct expand_text text_of(const char *s)
{
	return (struct expand_text){s, s + strlen(s)};
}

static bool postconf_expand_is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool postconf_expand_is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_space(struct expand_text *t)
{
	while (t->at < t->end && postconf_expand_is_space(*t->at))
		t->at++;
}

static struct expand_text postconf_expand_take_name(struct expand_text *t)
{
	struct expand_text name = {t->at, t->at};

	while (t->at < t->end && postconf_expand_is_name(*t->at))
		t->at++;
	name.end = t->at;
	return name;
}

/* Takes what stands between OPEN (where T is) and its CLOSE. False: it never comes. */
static bool take_group(struct expand_text *t, char open, char close, struct expand_text *inner)
{
	int level = 0;

	for (const char *p = t->at; p < t->end; p++) {
		if (*p == open)
			level++;
		else if (*p == close && --level == 0) {
			*inner = (struct expand_text){t->at + 1, p};
			t->at = p + 1;
			return true;
		}
	}
	return false;
}

static const char *value_of(struct expansion *job, struct expand_text name)
{
	char word[128];
	size_t len = (size_t)(name.end - name.at);
	const char *value;

	if (len == 0 || len >= sizeof(word))
		return "";
	memcpy(word, name.at, len);
	word[len] = '\0';
	if (job->s && strcmp(word, "service_name") == 0)
		return job->s->name;
	value = postconf_raw(job->p, job->s, word);
	return value ? value : "";
}

/* Expands one value one level deeper. */
static void expand_deeper(struct expansion *job, struct expand_text t, struct sbuf *out)
{
	if (job->depth >= DEPTH_MAX || ++job->steps > STEPS_MAX) {
		job->bad = true;
		return;
	}
	job->depth++;
	expand(job, t, out);
	job->depth--;
}

static bool is_number(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

static int compare_numbers(long l, long r)
{
	return (l > r) - (l < r);
}

/* Levels part by part ("3.10" is behind "3.9"); a part that is not there is less than any. */
static int compare_levels(const char *left, const char *right)
{
	while (*left != '\0' && *right != '\0') {
		char *l, *r;
		int order = compare_numbers(strtol(left, &l, 10), strtol(right, &r, 10));

		if (order != 0)
			return order;
		left = *l == '.' ? l + 1 : "";
		right = *r == '.' ? r + 1 : "";
	}
	return (*left != '\0') - (*right != '\0');
}

static int compare(const char *left, const char *right, bool level)
{
	if (level)
		return compare_levels(left, right);
	if (is_number(left) && is_number(right))
		return compare_numbers(strtol(left, NULL, 10), strtol(right, NULL, 10));
	return strcmp(left, right);
}

static bool take_operator(struct expand_text *t, char op[3], bool *level)
{
	size_t n = 0;
	struct expand_text word;

	while (t->at < t->end && n < 2 && strchr("=!<>", *t->at))
		op[n++] = *t->at++;
	op[n] = '\0';
	word = postconf_expand_take_name(t);
	*level = word.end - word.at == 5 && memcmp(word.at, "level", 5) == 0;
	skip_space(t);
	return n > 0 && (*level || word.at == word.end);
}

static bool holds(const char *op, int order)
{
	if (strcmp(op, "==") == 0)
		return order == 0;
	if (strcmp(op, "!=") == 0)
		return order != 0;
	if (op[0] == '<')
		return order < 0 || (op[1] == '=' && order == 0);
	return order > 0 || (op[1] == '=' && order == 0);
}

/* The condition of a body: true or false in *YES; false: no grammar of ours. */
static bool take_condition(struct expansion *job, struct expand_text *t, bool *yes, struct expand_text *name)
{
	static const size_t size = 512;
	char left[512], right[512], op[3];
	struct sbuf l, r;
	struct expand_text a, b;
	bool level;

	*name = (struct expand_text){NULL, NULL};
	sbuf_init(&l, left, size);
	sbuf_init(&r, right, size);
	skip_space(t);
	if (t->at == t->end || *t->at != '{') {
		*name = postconf_expand_take_name(t);
		expand_deeper(job, text_of(value_of(job, *name)), &l);
		*yes = l.len > 0;
		skip_space(t);
		return name->at < name->end;
	}
	if (!take_group(t, '{', '}', &a))
		return false;
	skip_space(t);
	if (!take_operator(t, op, &level) || t->at == t->end || *t->at != '{' || !take_group(t, '{', '}', &b))
		return false;
	skip_space(t);
	expand_deeper(job, a, &l);
	expand_deeper(job, b, &r);
	*yes = holds(op, compare(left, right, level));
	return true;
}

/* One branch: "{" text "}", or all that is left. */
static void take_branch(struct expand_text *t, struct expand_text *branch)
{
	struct expand_text before = *t;

	skip_space(t);
	if (t->at < t->end && *t->at == '{' && take_group(t, '{', '}', branch)) {
		skip_space(t);
		return;
	}
	*branch = before;
	t->at = t->end;
}

/* body: see above */
static void expand_body(struct expansion *job, struct expand_text t, struct sbuf *out)
{
	struct expand_text name, first = {NULL, NULL}, second = {NULL, NULL};
	bool yes, when;

	if (!take_condition(job, &t, &yes, &name)) {
		job->bad = true;
		return;
	}
	if (t.at == t.end) {
		if (name.at)
			expand_deeper(job, text_of(value_of(job, name)), out);
		else
			job->bad = true;
		return;
	}
	when = *t.at == '?';
	if (!when && *t.at != ':') {
		job->bad = true;
		return;
	}
	t.at++;
	take_branch(&t, &first);
	if (when && t.at < t.end && *t.at == ':') {
		t.at++;
		take_branch(&t, &second);
	}
	if (yes == when)
		expand_deeper(job, first, out);
	else if (second.at)
		expand_deeper(job, second, out);
}

static void expand(struct expansion *job, struct expand_text t, struct sbuf *out)
{
	struct expand_text inner;

	while (t.at < t.end && !job->bad) {
		if (*t.at != '$') {
			sbuf_addc(out, *t.at++);
			continue;
		}
		t.at++;
		if (t.at < t.end && *t.at == '$')
			sbuf_addc(out, *t.at++);
		else if (t.at < t.end && (*t.at == '{' || *t.at == '(')) {
			if (take_group(&t, *t.at, *t.at == '{' ? '}' : ')', &inner))
				expand_body(job, inner, out);
			else
				job->bad = true;
		} else
			expand_deeper(job, text_of(value_of(job, postconf_expand_take_name(&t))), out);
	}
}

bool postconf_expand(const struct postconf *p, const struct postconf_service *s, const char *text, struct sbuf *out)
{
	struct expansion job = {.p = p, .s = s};

	expand(&job, text_of(text), out);
	return !job.bad && sbuf_ok(out);
}

bool postconf_value(const struct postconf *p, const struct postconf_service *s, const char *name, struct sbuf *out)
{
	const char *raw = postconf_raw(p, s, name);

	return !raw || postconf_expand(p, s, raw, out);
}
