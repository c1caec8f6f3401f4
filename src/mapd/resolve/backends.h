/*
 * backends.h - the DNS and HTTPS contexts in use: the present pair, and older ones that jobs from before a reload still
 * need.
 *
 * A pair is counted by what uses it. A context that stands in two pairs (a reload changed the other one only) is freed
 * with the last of them. One of the two counted kinds of owner of this program.
 */
#ifndef TLSMODE_MAPD_BACKENDS_H
#define TLSMODE_MAPD_BACKENDS_H

#include "io/dns/dns_ub.h"
#include "io/https/https_curl.h"

struct backends; /* all pairs */

struct backend {
	struct dns *dns;
	struct https *https;
	struct backends *all;
	struct backend *next;
	unsigned users;
};

/* Owns both from here on. */
struct backends *backends_new(struct dns *dns, struct https *https);
/* Nobody may use one any more. */
void backends_free(struct backends **b);
/* DNS and HTTPS (the same as before, or new ones) serve who comes from now on. */
void backends_replace(struct backends *b, struct dns *dns, struct https *https);

struct backend *backend_use(struct backends *b);  /* the present pair */
struct backend *backend_share(struct backend *b); /* one more user of the same pair */
void backend_leave(struct backend **b);

#endif
