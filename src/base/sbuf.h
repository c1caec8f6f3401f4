/*
 * sbuf.h - bounded string builder over the caller's storage, which remembers an overflow.
 *
 * Always NUL-terminated. After an overflow the text is what fitted and sbuf_ok() is false: callers check once, at the
 * end.
 */
#ifndef TLSMODE_BASE_SBUF_H
#define TLSMODE_BASE_SBUF_H

#include <stdbool.h>
#include <stddef.h>

struct sbuf {
	char *buf;
	size_t size; /* of buf, with the NUL */
	size_t len;  /* octets in it, without the NUL */
	bool overflow;
};

void sbuf_init(struct sbuf *b, char *buf, size_t size); /* SIZE >= 1 */
void sbuf_reset(struct sbuf *b);
void sbuf_add(struct sbuf *b, const char *s);
void sbuf_addn(struct sbuf *b, const void *bytes, size_t len);
void sbuf_addc(struct sbuf *b, char c);
void sbuf_addf(struct sbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool sbuf_ok(const struct sbuf *b)
{
	return !b->overflow;
}

#endif
