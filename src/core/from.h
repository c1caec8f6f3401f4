/*
 * from.h - the author domain of a message: the one mailbox of the one From: field, else none (RFC 5322 s3.6.2, s3.4,
 * s4.4). Strict where readers differ: what two parsers could read as two domains is none.
 */
#ifndef TLSMODE_CORE_FROM_H
#define TLSMODE_CORE_FROM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/domain.h"

/* FIELD is the value of one From: field, folded or not, as it came. True and the canonical domain in OUT when it has
 * exactly one mailbox (in a group or not) with a domain name; else false, OUT "" and a static *REASON. */
bool from_domain(char out[DOMAIN_SIZE], const char *field, size_t len, const char **reason);

#endif
