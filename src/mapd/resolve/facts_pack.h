/*
 * facts_pack.h - facts as few octets in this process' memory, and back. Not a form for other processes: it holds
 * pointers.
 *
 * Called by known_facts.c and fact_news.c. Pure.
 */
#ifndef TLSMODE_MAPD_FACTS_PACK_H
#define TLSMODE_MAPD_FACTS_PACK_H

#include <stddef.h>

#include "core/facts.h"

/* A growing buffer that is used again and again. */
struct packed {
	unsigned char *bytes;
	size_t len, room;
};
void facts_packed_add(struct packed *p, const void *bytes, size_t len);
void facts_packed_fini(struct packed *p);

void facts_pack_sts(struct packed *p, const struct sts_fact *s);
void facts_unpack_sts(const unsigned char *bytes, size_t len,
		      struct sts_fact *s); /* S zeroed or with a policy of its own */

/* MX and hosts of the next hop. */
void facts_pack_hop(struct packed *p, const struct facts *f);
void facts_unpack_hop(const unsigned char *bytes, size_t len, struct facts *f);

#endif
