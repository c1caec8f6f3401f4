/*
 * netstring.h - netstrings out of a stream, without I/O (D. J. Bernstein, 1997): "5:hello,".
 */
#ifndef TLSMODE_CORE_NETSTRING_H
#define TLSMODE_CORE_NETSTRING_H

#include <stddef.h>

#include "base/sbuf.h"

enum netstring_status {
	NETSTRING_OK,   /* *PAYLOAD, *LEN borrowed from BUF; *USED octets of BUF are done with */
	NETSTRING_MORE, /* not complete yet */
	NETSTRING_BAD   /* never will be: *REASON is a static text; the connection cannot go on */
};

struct netstring {
	const char *payload;
	size_t len;
	size_t used;
	const char *reason;
};

/* Looks at the first LEN octets of BUF. A length above MAX, a length without digits or of more than 6 digits, a
 * missing colon or comma is BAD as soon as it can be seen. Leading zeros are accepted, as Postfix does. */
enum netstring_status netstring_next(struct netstring *out, const char *buf, size_t len, size_t max);

/* Appends PAYLOAD as a netstring. */
void netstring_add(struct sbuf *out, const char *payload, size_t len);

#endif
