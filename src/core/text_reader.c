/*
 * text_reader.c - fields of a Redis hash. No meaning here: that is facts_text_take.c.
 */
#include "core/text_reader.h"

#include <string.h>

#define NUMBER_MAX 15 /* digits: every time and count of ours has fewer */

bool text_reader_bad(struct text_reader *r, const char *reason)
{
	if (!r->reason)
		r->reason = reason;
	return false;
}

/* The field NAME; false when it is not there. Twice there is a complaint: nobody knows which counts. */
bool text_reader_get(struct text_reader *r, const char *name, struct text_span *out)
{
	size_t i, len = strlen(name);
	bool found = false;

	for (i = 0; i < r->count; i++) {
		if (r->field[i].name_len != len || memcmp(r->field[i].name, name, len) != 0)
			continue;
		if (found)
			return text_reader_bad(r, "a field is there twice");
		*out = (struct text_span){r->field[i].value, r->field[i].value_len};
		found = true;
	}
	return found;
}

bool text_reader_has(struct text_reader *r, const char *name)
{
	struct text_span ignored;

	return text_reader_get(r, name, &ignored);
}

bool text_reader_must(struct text_reader *r, const char *name, struct text_span *out)
{
	return text_reader_get(r, name, out) || text_reader_bad(r, "a field is missing");
}

/* number = 1*15DIGIT */
bool text_span_number(struct text_span s, int64_t *out)
{
	*out = 0;
	if (s.len == 0 || s.len > NUMBER_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*out = *out * 10 + (s.p[i] - '0');
	}
	return true;
}

bool text_reader_number(struct text_reader *r, const char *name, int64_t max, int64_t *out)
{
	struct text_span s;

	if (!text_reader_must(r, name, &s))
		return false;
	return (text_span_number(s, out) && *out <= max) || text_reader_bad(r, "a number is malformed");
}

/* A word of TABLE to the letter. */
bool text_span_word(const struct name_code *table, struct text_span s, int *out)
{
	const char *name;

	*out = names_code(table, s.p, s.len);
	name = *out >= 0 ? names_name(table, *out) : NULL;
	return name && s.len > 0 && memcmp(name, s.p, s.len) == 0;
}

bool text_reader_word(struct text_reader *r, const char *name, const struct name_code *table, int *out)
{
	struct text_span s;

	return text_reader_must(r, name, &s) &&
	       (text_span_word(table, s, out) || text_reader_bad(r, "a word is not known"));
}

static bool text_reader_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* id = 0*32(ALPHA / DIGIT); EMPTY_OK: a fetch without a live TXT record has none */
bool text_reader_id(struct text_reader *r, const char *name, bool empty_ok, char out[STS_ID_SIZE])
{
	struct text_span s;

	if (!text_reader_must(r, name, &s))
		return false;
	if (s.len > STS_ID_MAX || (s.len == 0 && !empty_ok))
		return text_reader_bad(r, "an id is malformed");
	for (size_t i = 0; i < s.len; i++)
		if (!text_reader_is_alnum(s.p[i]))
			return text_reader_bad(r, "an id is malformed");
	memcpy(out, s.p, s.len);
	out[s.len] = '\0';
	return true;
}

bool text_span_split(struct text_span *rest, char sep, struct text_span *out)
{
	const char *end;

	if (!rest->p)
		return false;
	end = memchr(rest->p, sep, rest->len);
	*out = *rest;
	if (!end) {
		rest->p = NULL;
		rest->len = 0;
		return true;
	}
	out->len = (size_t)(end - rest->p);
	rest->p = end + 1;
	rest->len -= out->len + 1;
	return true;
}
