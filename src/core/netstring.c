/*
 * netstring.c - netstrings out of a stream.
 */
#include "core/netstring.h"

#include <string.h>

#define DIGITS_MAX 6

static enum netstring_status bad(struct netstring *out, const char *reason)
{
	out->reason = reason;
	return NETSTRING_BAD;
}

/* netstring = 1*6DIGIT ":" payload "," */
enum netstring_status netstring_next(struct netstring *out, const char *buf, size_t len, size_t max)
{
	size_t n = 0;
	size_t i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < len && buf[i] >= '0' && buf[i] <= '9'; i++) {
		if (i == DIGITS_MAX)
			return bad(out, "length of too many digits");
		n = n * 10 + (size_t)(buf[i] - '0');
		if (n > max)
			return bad(out, "length over the limit");
	}
	if (i == len)
		return NETSTRING_MORE;
	if (i == 0)
		return bad(out, "no length");
	if (buf[i] != ':')
		return bad(out, "no colon after the length");
	i++;
	if (len - i < n + 1)
		return NETSTRING_MORE;
	if (buf[i + n] != ',')
		return bad(out, "no comma at the end");
	out->payload = buf + i;
	out->len = n;
	out->used = i + n + 1;
	return NETSTRING_OK;
}

void netstring_add(struct sbuf *out, const char *payload, size_t len)
{
	sbuf_addf(out, "%zu:", len);
	sbuf_addn(out, payload, len);
	sbuf_addc(out, ',');
}
