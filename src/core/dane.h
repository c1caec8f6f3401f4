/*
 * dane.h - what a TLSA answer means for SMTP (RFC 7672 s2.2, s3.1; RFC 7671 s4, s9; RFC 6698 s2.1).
 */
#ifndef TLSMODE_CORE_DANE_H
#define TLSMODE_CORE_DANE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"
#include "core/rr.h"

enum tlsa_state {
	TLSA_UNKNOWN,  /* not asked yet */
	TLSA_USABLE,   /* secure, at least one usable record: authenticate */
	TLSA_UNUSABLE, /* secure and not empty, none usable: TLS mandatory, no authentication */
	TLSA_NONE,     /* proven absent, insecure, or no secure address: DANE does not apply */
	TLSA_ERROR     /* bogus, SERVFAIL, timeout: this host must not be used as if it had none */
};
extern const struct name_code dane_tlsa_state_names[]; /* unknown usable unusable none error */

/* One record is usable: usage DANE-TA(2) or DANE-EE(3), selector 0 or 1, matching type 0 (a complete DER SEQUENCE),
 * 1 (32 octets) or 2 (64 octets). PKIX usages 0 and 1 are unusable for SMTP (RFC 7672 s3.1.3). */
bool dane_usable(const struct rr_rdata *tlsa);

/* The state a TLSA answer gives its host. */
enum tlsa_state dane_state(const struct rr_answer *answer);

#endif
