/*
 * dane.c - what a TLSA answer means for SMTP (RFC 7672 s2.2, s3.1).
 *
 * Not here: which names are asked (plan) and whether a certificate matches (Postfix does that at delivery). Digest
 * agility (RFC 7671 s9) is Postfix's too: it chooses among usable records and never makes one unusable.
 */
#include "core/dane.h"

#define TLSA_HEAD 3 /* usage, selector, matching type */

const struct name_code dane_tlsa_state_names[] = {
    {"unknown", TLSA_UNKNOWN}, {"usable", TLSA_USABLE}, {"unusable", TLSA_UNUSABLE},
    {"none", TLSA_NONE},       {"error", TLSA_ERROR},   {NULL, 0},
};

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 };
enum { SELECTOR_CERT = 0, SELECTOR_SPKI = 1 };
enum { MATCH_FULL = 0, MATCH_SHA256 = 1, MATCH_SHA512 = 2 };

/* The octets of a DER length at P, and its value in *VALUE; 0 when it is indefinite, not minimal or not there. */
static size_t der_length(const uint8_t *p, size_t len, size_t *value)
{
	size_t octets;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		*value = p[0];
		return 1;
	}
	octets = p[0] & 0x7f;
	if (octets == 0 || octets > 2 || len < 1 + octets) /* an RDATA is at most 65535 octets */
		return 0;
	*value = octets == 1 ? p[1] : (size_t)p[1] << 8 | p[2];
	return *value >= (octets == 1 ? 0x80u : 0x100u) ? 1 + octets : 0;
}

/* A certificate and a SubjectPublicKeyInfo are both one SEQUENCE that begins with a SEQUENCE, and nothing after it. */
static bool is_der_sequence(const uint8_t *p, size_t len)
{
	size_t value, head;

	if (len < 2 || p[0] != 0x30)
		return false;
	head = der_length(p + 1, len - 1, &value);
	return head > 0 && value > 0 && 1 + head + value == len && p[1 + head] == 0x30;
}

bool dane_usable(const struct rr_rdata *tlsa)
{
	const uint8_t *data;
	size_t len;

	if (tlsa->len <= TLSA_HEAD)
		return false;
	data = tlsa->bytes + TLSA_HEAD;
	len = tlsa->len - TLSA_HEAD;
	if (tlsa->bytes[0] != USAGE_DANE_TA && tlsa->bytes[0] != USAGE_DANE_EE)
		return false;
	if (tlsa->bytes[1] != SELECTOR_CERT && tlsa->bytes[1] != SELECTOR_SPKI)
		return false;
	switch (tlsa->bytes[2]) {
	case MATCH_FULL:
		return is_der_sequence(data, len);
	case MATCH_SHA256:
		return len == 32;
	case MATCH_SHA512:
		return len == 64;
	default:
		return false;
	}
}

enum tlsa_state dane_state(const struct rr_answer *answer)
{
	if (answer->status == RR_ERROR || answer->status == RR_BOGUS)
		return TLSA_ERROR;
	if (answer->status != RR_OK || !answer->secure || answer->count == 0)
		return TLSA_NONE;
	for (size_t i = 0; i < answer->count; i++)
		if (dane_usable(&answer->rdata[i]))
			return TLSA_USABLE;
	return TLSA_UNUSABLE;
}
