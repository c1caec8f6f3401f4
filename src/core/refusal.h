/*
 * refusal.h - Postfix's delivery status texts that an enforced sender may turn into a bounce (doc/design.md,
 * "A refusal").
 */
#ifndef TLSMODE_CORE_REFUSAL_H
#define TLSMODE_CORE_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"
#include "core/domain.h"
#include "core/mode.h"

struct refusal {
	char host[DOMAIN_SIZE]; /* canonical */
	const char *peer;       /* "NAME[ADDRESS]" as Postfix wrote it, inside the status */
	size_t peer_len;
};

/* STATUS is "4.7.4 TLS is required, but was not offered by host NAME[ADDRESS]..." : true. Everything else (certificate,
 * handshake, DANE, local faults, STARTTLS offered but refused) is false: it stays temporary. */
bool refusal_parse(struct refusal *out, const char *status, size_t len);

/* What the sender reads instead, with its code: one sentence with the rule and the fault. MODES: the modes that may
 * have asked for TLS, bit 1 << MODE_ENFORCED and 1 << MODE_VERIFIED. */
void refusal_format(struct sbuf *out, const struct refusal *r, unsigned modes);

#endif
