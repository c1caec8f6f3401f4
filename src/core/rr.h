/*
 * rr.h - typed DNS answers: what any resolver adapter hands to the core.
 *
 * "None", "insecure", "bogus" and "error" never merge (RFC 7672 s2.1.1, RFC 4035 s4.3). An answer borrows its data
 * from the adapter for the time of the call it is passed to.
 */
#ifndef TLSMODE_CORE_RR_H
#define TLSMODE_CORE_RR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "core/domain.h"

enum rr_type { RR_A = 1, RR_CNAME = 5, RR_MX = 15, RR_TXT = 16, RR_AAAA = 28, RR_TLSA = 52 };

enum rr_status {
	RR_OK,       /* at least one record of the type */
	RR_NODATA,   /* the name exists, the type does not */
	RR_NXDOMAIN, /* the name does not exist */
	RR_ERROR,    /* SERVFAIL, REFUSED, timeout: nobody knows */
	RR_BOGUS     /* DNSSEC validation failed */
};

struct rr_rdata {
	const uint8_t *bytes; /* RDATA in wire form, names uncompressed */
	size_t len;
};

struct rr_answer {
	enum rr_status status;
	bool secure;             /* the whole chain, or the proof of absence, validated */
	uint32_t ttl;            /* seconds; for absence the negative TTL (RFC 2308 s5); 0 for ERROR and BOGUS */
	char canon[DOMAIN_SIZE]; /* owner after all CNAMEs, canonical; "" when there was no CNAME */
	size_t count;
	const struct rr_rdata *rdata;
	const char *why; /* static or borrowed: what failed, for people; or NULL */
};

extern const struct name_code rr_status_names[]; /* ok nodata nxdomain error bogus */
extern const struct name_code rr_type_names[];

/* Each reads one RDATA; false when it is malformed. */
bool rr_mx(const struct rr_rdata *rd, uint16_t *pref,
	   char host[DOMAIN_SIZE]);                              /* host "" for the root: null MX, RFC 7505 */
bool rr_name(const struct rr_rdata *rd, char name[DOMAIN_SIZE]); /* CNAME and other single names */
bool rr_address(const struct rr_rdata *rd, enum rr_type type, char *out, size_t size); /* A, AAAA as text */
/* TXT: its character-strings joined without space (RFC 7208 s3.3, RFC 8461 s3.1). Length, or -1 when malformed or
 * longer than SIZE - 1; OUT is terminated but may contain NUL octets of the record. */
int rr_txt(const struct rr_rdata *rd, char *out, size_t size);

#endif
