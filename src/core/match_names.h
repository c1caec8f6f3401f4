/*
 * match_names.h - the certificate names of a `secure` answer: an MTA-STS policy's, a match setting's, or what is in
 * both.
 *
 * Names Postfix would read as keywords (hostname, nexthop, dot-nexthop) never come out: a policy that lists such an
 * "mx" must not switch its own check off. RFC 8461 s4.1; postconf(5) smtp_tls_secure_cert_match.
 */
#ifndef TLSMODE_CORE_MATCH_NAMES_H
#define TLSMODE_CORE_MATCH_NAMES_H

#include <stdbool.h>

#include "base/sbuf.h"
#include "core/sts_policy.h"

/* Appends the names, ':' between them; "*.x" of a policy as ".x". POLICY or MATCH (as settings.h has it) may be NULL:
 * it does not bind. With both, a name must be allowed by both. False, and perhaps something appended, when no name is
 * left. */
bool match_names_add(struct sbuf *out, const struct sts_policy *policy, const char *match);

#endif
