/*
 * cur.c - a cursor over bytes that remembers its first error.
 */
#include "base/cur.h"

#include <string.h>

void cur_init(struct cur *c, const void *bytes, size_t len)
{
	c->p = bytes;
	c->end = len > 0 ? c->p + len : c->p;
	c->error = NULL;
}

bool cur_fail(struct cur *c, const char *reason)
{
	if (!c->error)
		c->error = reason;
	c->p = c->end;
	return false;
}

int cur_next(struct cur *c)
{
	return c->p < c->end ? *c->p++ : -1;
}

bool cur_char(struct cur *c, int ch)
{
	if (cur_peek(c) != ch || ch == -1)
		return false;
	c->p++;
	return true;
}

bool cur_text(struct cur *c, const char *text)
{
	size_t len = strlen(text);

	if (cur_left(c) < len || memcmp(c->p, text, len) != 0)
		return false;
	c->p += len;
	return true;
}

size_t cur_span(struct cur *c, bool (*is)(int), const char **start)
{
	const unsigned char *from = c->p;

	while (c->p < c->end && is(*c->p))
		c->p++;
	*start = (const char *)from;
	return (size_t)(c->p - from);
}

static bool is_wsp(int ch)
{
	return ch == ' ' || ch == '\t';
}

size_t cur_skip_wsp(struct cur *c)
{
	const char *start;

	return cur_span(c, is_wsp, &start);
}

bool cur_u16(struct cur *c, uint16_t *out)
{
	const unsigned char *b;

	if (!cur_bytes(c, 2, &b))
		return false;
	*out = (uint16_t)(b[0] << 8 | b[1]);
	return true;
}

bool cur_bytes(struct cur *c, size_t len, const unsigned char **out)
{
	if (cur_left(c) < len)
		return cur_fail(c, "too short");
	*out = c->p;
	c->p += len;
	return true;
}
