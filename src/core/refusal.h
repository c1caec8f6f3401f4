/*
 * refusal.h - Postfix's delivery status texts that an enforced sender may turn into a bounce (PRODUCT.md "refusal").
 */
#ifndef TLSMODE_CORE_REFUSAL_H
#define TLSMODE_CORE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/domain.h"

/* STATUS is "4.7.4 TLS is required, but was not offered by host NAME[ADDRESS]..." : true, with the canonical NAME in
 * HOST and where the text after the code begins in *TEXT. Everything else (certificate, handshake, DANE, local
 * faults, STARTTLS offered but refused) is false: it stays temporary. */
bool refusal_parse(char host[DOMAIN_SIZE], const char **text, const char *status, size_t len);

#endif
