/*
 * cur.h - a cursor over bytes that remembers its first error, for parsers of untrusted text.
 *
 * Never reads outside [p, end). After an error every function reports "nothing there", so that a parser may check once.
 */
#ifndef TLSMODE_BASE_CUR_H
#define TLSMODE_BASE_CUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cur {
	const unsigned char *p;
	const unsigned char *end;
	const char *error; /* static reason of the first error, or NULL */
};

void cur_init(struct cur *c, const void *bytes, size_t len);
/* Remembers REASON (static text) unless an error is remembered already, and empties the cursor. Returns false. */
bool cur_fail(struct cur *c, const char *reason);
static inline size_t cur_left(const struct cur *c)
{
	return (size_t)(c->end - c->p);
}
static inline int cur_peek(const struct cur *c) /* next octet or -1 */
{
	return c->p < c->end ? *c->p : -1;
}
int cur_next(struct cur *c);                                          /* takes one octet, or -1 */
bool cur_char(struct cur *c, int ch);                                 /* takes CH if it is next */
bool cur_text(struct cur *c, const char *text);                       /* takes TEXT if it is next, to the letter */
size_t cur_span(struct cur *c, bool (*is)(int), const char **start);  /* takes the longest run of IS */
size_t cur_skip_wsp(struct cur *c);                                   /* takes SP and HTAB; how many */
bool cur_u16(struct cur *c, uint16_t *out);                           /* network order; fails the cursor when short */
bool cur_bytes(struct cur *c, size_t len, const unsigned char **out); /* fails the cursor when short */

#endif
