/*
 * nexthop.h - a next hop as Postfix names it: domain, domain:port, [host], [host]:port, [address], /path.
 *
 * The canonical key is what caches, Redis facts and settings use: "example.com", "example.com:587", "[mx.example]",
 * "[mx.example]:587", "[192.0.2.1]", "[2001:db8::1]"; port 25 is never written.
 */
#ifndef TLSMODE_CORE_NEXTHOP_H
#define TLSMODE_CORE_NEXTHOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/domain.h"

#define NEXTHOP_SIZE (DOMAIN_SIZE + 8)

enum nexthop_kind {
	NEXTHOP_DOMAIN,  /* MX of the domain */
	NEXTHOP_HOST,    /* bracketed: no MX, the name is the one host */
	NEXTHOP_LITERAL, /* an IPv4 or IPv6 address (bracketed or bare): never a DNS question */
	NEXTHOP_PARENT,  /* begins with a dot: Postfix's look-up of a parent domain */
	NEXTHOP_OTHER    /* a socket path or a name that cannot exist: never a DNS question */
};

struct nexthop {
	enum nexthop_kind kind;
	uint16_t port;            /* 25 when not given */
	char domain[DOMAIN_SIZE]; /* DOMAIN and HOST: the name; PARENT: with its leading dot; else "" */
	char key[NEXTHOP_SIZE];   /* canonical text; OTHER: "" */
};

/* Reads RAW; whatever cannot be a next hop is NEXTHOP_OTHER. The service names of mail in services(5) are ports too
 * (smtp, mail, submission, submissions, smtps, ssmtp, urd); an empty port is 25. Never fails: every key has an answer.
 * */
void nexthop_parse(struct nexthop *out, const char *raw, size_t len);

/* What is known of it is found by questions to the DNS; of the other kinds there is nothing to ask. */
static inline bool nexthop_in_dns(const struct nexthop *n)
{
	return n->kind == NEXTHOP_DOMAIN || n->kind == NEXTHOP_HOST;
}

#endif
