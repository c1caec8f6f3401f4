/*
 * sts_mx.h - the list of an MTA-STS policy's MX patterns while it is being built. Internal to sts_policy.c and
 * sts_mx.c.
 */
#ifndef TLSMODE_CORE_STS_MX_H
#define TLSMODE_CORE_STS_MX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hmap.h"
#include "core/sts_policy.h"

struct sts_mx_seen {
	struct hmap_node node;
	size_t offset; /* of its pattern in mx */
};

struct sts_mx {
	char *mx; /* as in struct sts_policy */
	size_t len, count;
	struct sts_mx_seen *seen; /* one for every pattern there may be: the hash table links into it */
	struct hmap map;
};

/* Room for MAX patterns, of OCTETS together with their NULs: canonical ASCII is never longer than what was written. */
void sts_mx_init(struct sts_mx *l, size_t max, size_t octets);
void sts_mx_fini(struct sts_mx *l);

/* Adds the canonical form of RAW unless it is there already; false when RAW is no valid pattern. */
bool sts_mx_add(struct sts_mx *l, const char *raw, size_t len);

/* Gives the patterns to P, which has none yet. L still wants sts_mx_fini(). */
void sts_mx_take(struct sts_mx *l, struct sts_policy *p);

#endif
