/*
 * sts_record.c - reads the MTA-STS TXT record (RFC 8461 s3.1), to the letter of its grammar.
 *
 * Not here: the policy the record announces (sts_policy.c), and what follows when there is no record (plan, facts).
 */
#include "core/sts_record.h"

#include <string.h>

#include "base/cur.h"

#define TEXT_SIZE 65536 /* whatever a TXT RDATA can hold */
#define EXT_NAME_MAX 32

static const char version[] = "v=STSv1";

static bool sts_record_is_alnum(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool sts_record_is_name(int c)
{
	return sts_record_is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool is_value(int c)
{
	return c > 0x20 && c < 0x7f && c != '=' && c != ';';
}

/* sts-field-delim = *WSP ";" *WSP */
static bool eat_delim(struct cur *c)
{
	struct cur start = *c;

	cur_skip_wsp(c);
	if (!cur_char(c, ';')) {
		*c = start;
		return false;
	}
	cur_skip_wsp(c);
	return true;
}

/* sts-id = "id=" 1*32(ALPHA / DIGIT); the first one only: a later one is read like an extension and ignored */
static bool eat_id(struct cur *c, char id[STS_ID_SIZE])
{
	const char *start;
	size_t len = cur_span(c, sts_record_is_alnum, &start);

	if (len == 0 || len > STS_ID_MAX)
		return cur_fail(c, "id is not 1 to 32 letters and digits");
	memcpy(id, start, len);
	id[len] = '\0';
	return true;
}

/* sts-extension = sts-ext-name "=" sts-ext-value */
static bool eat_extension(struct cur *c)
{
	const char *start;
	size_t len = cur_span(c, sts_record_is_name, &start);

	if (len == 0 || len > EXT_NAME_MAX || !sts_record_is_alnum((unsigned char)start[0]))
		return cur_fail(c, "a field's name is malformed");
	if (!cur_char(c, '='))
		return cur_fail(c, "a field has no value");
	if (cur_span(c, is_value, &start) == 0)
		return cur_fail(c, "a field's value is empty or malformed");
	return true;
}

/* sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim] */
static bool eat_record(struct cur *c, char id[STS_ID_SIZE])
{
	if (!cur_text(c, version))
		return cur_fail(c, "does not begin with v=STSv1");
	while (eat_delim(c) && cur_left(c) > 0) {
		if (id[0] == '\0' && cur_text(c, "id=")) {
			if (!eat_id(c, id))
				return false;
		} else if (!eat_extension(c)) {
			return false;
		}
	}
	if (cur_left(c) > 0)
		return cur_fail(c, "a field is malformed");
	if (id[0] == '\0')
		return cur_fail(c, "no id");
	return true;
}

bool sts_record_parse(char id[STS_ID_SIZE], const char *text, size_t len, const char **reason)
{
	struct cur c;

	id[0] = '\0';
	cur_init(&c, text, len);
	if (!eat_record(&c, id))
		id[0] = '\0';
	*reason = c.error;
	return !c.error;
}

/* "v=STSv1" and a delimiter: the prose of s3.1 wants "v=STSv1;", its grammar lets blanks stand before the semicolon. */
static bool is_sts(const char *text, size_t len)
{
	struct cur c;

	cur_init(&c, text, len);
	return cur_text(&c, version) && eat_delim(&c);
}

bool sts_record_find(char id[STS_ID_SIZE], const struct rr_answer *answer, const char **reason)
{
	char text[TEXT_SIZE];
	char first_id[STS_ID_SIZE] = "";
	const char *why = "no TXT record begins with v=STSv1;";
	size_t found = 0;

	id[0] = '\0';
	for (size_t i = 0; i < answer->count; i++) {
		int len = rr_txt(&answer->rdata[i], text, sizeof(text));
		if (len < 0 || !is_sts(text, (size_t)len))
			continue;
		if (++found > 1)
			break;
		sts_record_parse(first_id, text, (size_t)len, &why);
	}
	*reason = found > 1 ? "more than one TXT record begins with v=STSv1;" : why;
	if (*reason)
		return false;
	memcpy(id, first_id, sizeof(first_id));
	return true;
}
