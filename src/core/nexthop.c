/*
 * nexthop.c - a next hop as Postfix names it, made canonical.
 */
#include "core/nexthop.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/names.h"
#include "base/sbuf.h"

#define PORT_SMTP 25
#define LITERAL_MAX 64 /* octets of the longest address text, with a generous tail */

/* As in services(5), with their aliases: an unknown one would leave the next hop's policy unasked for. */
static const struct name_code services[] = {
    {"smtp", PORT_SMTP}, {"mail", PORT_SMTP}, {"submission", 587}, {"submissions", 465},
    {"ssmtp", 465},      {"smtps", 465},      {"urd", 465},        {NULL, 0},
};

/* port = *5DIGIT / service name; 0 when it is neither. An empty one is Postfix's default ("[host]:" is valid there). */
static uint16_t read_port(const char *s, size_t len)
{
	unsigned long port = 0;
	int named = names_code(services, s, len);

	if (named > 0)
		return (uint16_t)named;
	if (len == 0)
		return PORT_SMTP;
	if (len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return 0;
		port = port * 10 + (unsigned long)(s[i] - '0');
	}
	return port <= 65535 ? (uint16_t)port : 0;
}

static void set_key(struct nexthop *out, const char *name, bool brackets)
{
	struct sbuf key;

	sbuf_init(&key, out->key, sizeof(out->key));
	sbuf_addf(&key, brackets ? "[%s]" : "%s", name);
	if (out->port != PORT_SMTP)
		sbuf_addf(&key, ":%u", (unsigned)out->port);
}

/* address = IPv4 / IPv6 / "IPv6:" IPv6 */
static bool take_literal(struct nexthop *out, const char *raw, size_t len)
{
	char text[LITERAL_MAX];
	char canon[INET6_ADDRSTRLEN];
	unsigned char addr[16];
	const char *address = text;
	int family = AF_INET;

	if (len >= sizeof(text))
		return false;
	memcpy(text, raw, len);
	text[len] = '\0';
	if (memchr(text, ':', len))
		family = AF_INET6;
	if (strncasecmp(text, "ipv6:", 5) == 0)
		address = text + 5;
	if (strlen(text) != len || inet_pton(family, address, addr) != 1)
		return false;
	inet_ntop(family, addr, canon, sizeof(canon));
	out->kind = NEXTHOP_LITERAL;
	set_key(out, canon, true);
	return true;
}

static bool nexthop_take_name(struct nexthop *out, const char *raw, size_t len, bool brackets)
{
	if (domain_canon(out->domain, raw, len) != DOMAIN_OK || domain_is_numeric(out->domain)) {
		out->domain[0] = '\0';
		return false;
	}
	out->kind = brackets ? NEXTHOP_HOST : NEXTHOP_DOMAIN;
	set_key(out, out->domain, brackets);
	return true;
}

/* "." and a name, as Postfix asks for the parents of a domain. */
static bool take_parent(struct nexthop *out, const char *raw, size_t len)
{
	char name[DOMAIN_SIZE];

	if (domain_canon(name, raw + 1, len - 1) != DOMAIN_OK || strlen(name) + 1 >= sizeof(out->domain))
		return false;
	out->kind = NEXTHOP_PARENT;
	out->domain[0] = '.';
	memcpy(out->domain + 1, name, strlen(name) + 1);
	set_key(out, out->domain, false);
	return true;
}

/* "[" name-or-address "]" [":" port] */
static bool take_brackets(struct nexthop *out, const char *raw, size_t len)
{
	const char *close = memchr(raw, ']', len);
	const char *rest;
	size_t inner, rest_len;

	if (!close)
		return false;
	inner = (size_t)(close - raw) - 1;
	rest = close + 1;
	rest_len = len - inner - 2;
	if (rest_len > 0) {
		out->port = rest[0] == ':' ? read_port(rest + 1, rest_len - 1) : 0;
		if (out->port == 0)
			return false;
	}
	return take_literal(out, raw + 1, inner) || nexthop_take_name(out, raw + 1, inner, true);
}

/* name [":" port], or an address without brackets */
static bool take_plain(struct nexthop *out, const char *raw, size_t len)
{
	const char *colon;

	if (take_literal(out, raw, len))
		return true;
	colon = memrchr(raw, ':', len);
	if (colon) {
		out->port = read_port(colon + 1, len - (size_t)(colon + 1 - raw));
		if (out->port == 0)
			return false;
		len = (size_t)(colon - raw);
	}
	return take_literal(out, raw, len) || nexthop_take_name(out, raw, len, false);
}

void nexthop_parse(struct nexthop *out, const char *raw, size_t len)
{
	bool ok;

	memset(out, 0, sizeof(*out));
	out->port = PORT_SMTP;
	if (len > 0 && raw[0] == '[')
		ok = take_brackets(out, raw, len);
	else if (len > 0 && raw[0] == '.')
		ok = take_parent(out, raw, len);
	else
		ok = len > 0 && take_plain(out, raw, len);
	if (!ok) {
		memset(out, 0, sizeof(*out));
		out->kind = NEXTHOP_OTHER;
		out->port = PORT_SMTP;
	}
}
