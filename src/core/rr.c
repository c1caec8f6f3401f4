/*
 * rr.c - RDATA of DNS answers, read from wire form (RFC 1035 s3.3).
 */
#include "core/rr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cur.h"
#include "base/sbuf.h"

const struct name_code rr_status_names[] = {
    {"ok", RR_OK},       {"nodata", RR_NODATA}, {"nxdomain", RR_NXDOMAIN},
    {"error", RR_ERROR}, {"bogus", RR_BOGUS},   {NULL, 0},
};

const struct name_code rr_type_names[] = {
    {"A", RR_A}, {"CNAME", RR_CNAME}, {"MX", RR_MX}, {"TXT", RR_TXT}, {"AAAA", RR_AAAA}, {"TLSA", RR_TLSA}, {NULL, 0},
};

/* name = *( length label ) 0; no compression. "" for the root. */
static bool rr_take_name(struct cur *c, char name[DOMAIN_SIZE])
{
	char raw[256];
	struct sbuf text;
	const unsigned char *label;
	int len;

	sbuf_init(&text, raw, sizeof(raw));
	while ((len = cur_next(c)) > 0) {
		if (len > 63 || !cur_bytes(c, (size_t)len, &label) || memchr(label, '.', (size_t)len))
			return false;
		if (text.len > 0)
			sbuf_addc(&text, '.');
		sbuf_addn(&text, label, (size_t)len);
	}
	name[0] = '\0';
	if (len != 0 || !sbuf_ok(&text))
		return false;
	return text.len == 0 || domain_canon(name, raw, text.len) == DOMAIN_OK;
}

bool rr_mx(const struct rr_rdata *rd, uint16_t *pref, char host[DOMAIN_SIZE])
{
	struct cur c;

	cur_init(&c, rd->bytes, rd->len);
	return cur_u16(&c, pref) && rr_take_name(&c, host) && cur_left(&c) == 0;
}

bool rr_name(const struct rr_rdata *rd, char name[DOMAIN_SIZE])
{
	struct cur c;

	cur_init(&c, rd->bytes, rd->len);
	return rr_take_name(&c, name) && cur_left(&c) == 0;
}

bool rr_address(const struct rr_rdata *rd, enum rr_type type, char *out, size_t size)
{
	if (rd->len != (type == RR_A ? 4u : 16u))
		return false;
	return inet_ntop(type == RR_A ? AF_INET : AF_INET6, rd->bytes, out, (socklen_t)size);
}

int rr_txt(const struct rr_rdata *rd, char *out, size_t size)
{
	struct cur c;
	struct sbuf text;
	const unsigned char *string;
	int len;

	cur_init(&c, rd->bytes, rd->len);
	sbuf_init(&text, out, size);
	if (cur_left(&c) == 0)
		return -1;
	while ((len = cur_next(&c)) >= 0) {
		if (!cur_bytes(&c, (size_t)len, &string))
			return -1;
		sbuf_addn(&text, string, (size_t)len);
	}
	return sbuf_ok(&text) ? (int)text.len : -1;
}
