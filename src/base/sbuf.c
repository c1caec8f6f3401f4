/*
 * sbuf.c - bounded string builder.
 */
#include "base/sbuf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sbuf_init(struct sbuf *b, char *buf, size_t size)
{
	assert(size >= 1);
	b->buf = buf;
	b->size = size;
	sbuf_reset(b);
}

void sbuf_reset(struct sbuf *b)
{
	b->len = 0;
	b->overflow = false;
	b->buf[0] = '\0';
}

void sbuf_addn(struct sbuf *b, const void *bytes, size_t len)
{
	size_t room = b->size - 1 - b->len;

	if (len > room) {
		b->overflow = true;
		len = room;
	}
	if (len == 0)
		return;
	memcpy(b->buf + b->len, bytes, len);
	b->len += len;
	b->buf[b->len] = '\0';
}

void sbuf_add(struct sbuf *b, const char *s)
{
	sbuf_addn(b, s, strlen(s));
}

void sbuf_addc(struct sbuf *b, char c)
{
	sbuf_addn(b, &c, 1);
}

void sbuf_addf(struct sbuf *b, const char *fmt, ...)
{
	size_t room = b->size - b->len;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(b->buf + b->len, room, fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= room) {
		b->overflow = true;
		b->len = len < 0 ? b->len : b->size - 1;
		b->buf[b->len] = '\0';
		return;
	}
	b->len += (size_t)len;
}
