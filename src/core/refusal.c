/*
 * refusal.c - knows the one delivery status that may become a bounce: the receiver offers no TLS at all.
 *
 * Not here: whether the sender's mode alone demanded TLS of that host (mapd keeps what it answered). Postfix'
 * smtp_proto.c writes the text; every other text, present or future, stays as temporary as Postfix made it.
 */
#include "core/refusal.h"

#include <string.h>

#include "base/cur.h"

static bool is_host_char(int c)
{
	return c > ' ' && c != '[' && c != ']' && c != 0x7f;
}

static bool is_address_char(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' || c == ':';
}

/* status = "4.7.4 TLS is required, but was not offered by host " host "[" address "]" [anything] */
bool refusal_parse(struct refusal *out, const char *status, size_t len)
{
	const char *name, *address;
	size_t name_len;
	struct cur c;

	memset(out, 0, sizeof(*out));
	cur_init(&c, status, len);
	if (!cur_text(&c, "4.7.4 TLS is required, but was not offered by host "))
		return false;
	name_len = cur_span(&c, is_host_char, &name);
	if (!cur_char(&c, '[') || cur_span(&c, is_address_char, &address) == 0 || !cur_char(&c, ']'))
		return false;
	out->peer = name;
	out->peer_len = (size_t)((const char *)c.p - name);
	return domain_canon(out->host, name, name_len) == DOMAIN_OK;
}

void refusal_format(struct sbuf *out, const struct refusal *r, unsigned modes)
{
	const char *rule = modes == 1u << MODE_ENFORCED   ? "enforced"
			   : modes == 1u << MODE_VERIFIED ? "verified"
							  : "enforced or verified";

	sbuf_addf(out,
		  "5.7.10 Sender domain requires TLS: its mail is sent encrypted or not at all (mode %s), but the "
		  "receiving host ",
		  rule);
	sbuf_addn(out, r->peer, r->peer_len);
	sbuf_add(out, " does not offer encryption (STARTTLS)");
}
