/*
 * sts_policy.c - reads an MTA-STS policy body (RFC 8461 s3.2).
 *
 * Not here: its MX patterns (sts_mx.c), where a body comes from (plan, https_curl), how long it holds (facts). Strict
 * in what may reach a reply, lenient in what is ignored anyway: a publisher whose extension line is odd still gets
 * protection, since to refuse the policy would be to send in the clear.
 */
#include "core/sts_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/sts_mx.h"

#define MX_LINE_MIN 5     /* octets of the shortest mx line: "mx:a" and its end */
#define MAX_AGE_DIGITS 10 /* RFC 8461 s3.2: 1*10DIGIT */

const struct name_code sts_mode_names[] = {
    {"none", STS_NONE},
    {"testing", STS_TESTING},
    {"enforce", STS_ENFORCE},
    {NULL, 0},
};

static bool sts_policy_is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- fields ---- */

enum policy_field { FIELD_VERSION, FIELD_MODE, FIELD_MAX_AGE, FIELD_MX, FIELD_COUNT };

struct policy_reader {
	struct sts_policy *out;
	struct sts_mx list;
	bool have[FIELD_COUNT];
};

static const char *read_version(struct policy_reader *r, const char *value, size_t len)
{
	(void)r;
	return len == 5 && memcmp(value, "STSv1", 5) == 0 ? NULL : "version is not STSv1";
}

static const char *sts_policy_read_mode(struct policy_reader *r, const char *value, size_t len)
{
	for (const struct name_code *m = sts_mode_names; m->name; m++) {
		if (strlen(m->name) == len && memcmp(m->name, value, len) == 0) {
			r->out->mode = (enum sts_mode)m->code;
			return NULL;
		}
	}
	return "mode is not enforce, testing or none";
}

static const char *read_max_age(struct policy_reader *r, const char *value, size_t len)
{
	uint64_t n = 0;

	if (len == 0 || len > MAX_AGE_DIGITS)
		return "max_age is not a number of 1 to 10 digits";
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return "max_age is not a number of 1 to 10 digits";
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	r->out->max_age = n > STS_MAX_AGE_LIMIT ? STS_MAX_AGE_LIMIT : (uint32_t)n;
	return NULL;
}

static const char *read_mx(struct policy_reader *r, const char *value, size_t len)
{
	return sts_mx_add(&r->list, value, len) ? NULL : "mx is not a host name or wildcard of A-labels";
}

static const struct {
	const char *name;
	bool repeats;
	const char *(*read)(struct policy_reader *r, const char *value,
			    size_t len); /* static reason, or NULL when fine */
	const char *missing;
} fields[FIELD_COUNT] = {
    [FIELD_VERSION] = {"version", false, read_version, "no version"},
    [FIELD_MODE] = {"mode", false, sts_policy_read_mode, "no mode"},
    [FIELD_MAX_AGE] = {"max_age", false, read_max_age, "no max_age"},
    [FIELD_MX] = {"mx", true, read_mx, NULL},
};

/* field = name ":" *WSP value *WSP. Anything else is an extension of a later version, and ignored. */
static const char *read_line(struct policy_reader *r, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value;
	size_t name_len;

	if (!colon)
		return NULL;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	len -= name_len + 1;
	for (; len > 0 && sts_policy_is_wsp(*value); value++)
		len--;
	while (len > 0 && sts_policy_is_wsp(value[len - 1]))
		len--;
	for (int f = 0; f < FIELD_COUNT; f++) {
		if (strlen(fields[f].name) != name_len || memcmp(fields[f].name, line, name_len) != 0)
			continue;
		if (r->have[f] && !fields[f].repeats)
			return NULL;
		r->have[f] = true;
		return fields[f].read(r, value, len);
	}
	return NULL;
}

/* Lines end in LF or CRLF, the last one may end with the body. */
static const char *read_lines(struct policy_reader *r, const char *body, size_t len)
{
	while (len > 0) {
		const char *lf = memchr(body, '\n', len);
		size_t whole = lf ? (size_t)(lf - body) + 1 : len;
		size_t line = lf ? whole - 1 : whole;
		const char *reason;

		if (line > 0 && body[line - 1] == '\r')
			line--;
		reason = read_line(r, body, line);
		if (reason)
			return reason;
		body += whole;
		len -= whole;
	}
	return NULL;
}

static const char *check_complete(const struct policy_reader *r)
{
	for (int f = 0; f < FIELD_COUNT; f++)
		if (!r->have[f] && fields[f].missing)
			return fields[f].missing;
	if (r->list.count == 0 && r->out->mode != STS_NONE)
		return "no mx, and mode is not none";
	return NULL;
}

bool sts_policy_parse(struct sts_policy *out, const char *body, size_t len, const char **reason)
{
	struct policy_reader r = {.out = out};

	memset(out, 0, sizeof(*out));
	*reason = NULL;
	if (len > STS_BODY_MAX)
		*reason = "longer than 65536 octets";
	else if (len > 0 && memchr(body, '\0', len))
		*reason = "a NUL octet";
	if (*reason)
		return false;
	sts_mx_init(&r.list, len / MX_LINE_MIN + 1, len + 1);
	*reason = read_lines(&r, body, len);
	if (!*reason)
		*reason = check_complete(&r);
	if (*reason)
		memset(out, 0, sizeof(*out));
	else
		sts_mx_take(&r.list, out);
	sts_mx_fini(&r.list);
	return !*reason;
}

void sts_policy_fini(struct sts_policy *p)
{
	free(p->mx);
	memset(p, 0, sizeof(*p));
}

void sts_policy_copy(struct sts_policy *to, const struct sts_policy *from)
{
	*to = *from;
	to->mx = from->mx_count > 0 ? xmemdup(from->mx, from->mx_len) : NULL;
}
