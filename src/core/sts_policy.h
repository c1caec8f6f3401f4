/*
 * sts_policy.h - the MTA-STS policy body (RFC 8461 s3.2) and its matching of MX names (s4.1).
 *
 * What a policy says reaches Postfix only through what is parsed here: every pattern is a checked A-label name.
 */
#ifndef TLSMODE_CORE_STS_POLICY_H
#define TLSMODE_CORE_STS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#define STS_BODY_MAX 65536         /* octets of a policy body, RFC 8461 s3.3 */
#define STS_MAX_AGE_LIMIT 31557600 /* seconds; a larger max_age is read as this */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
extern const struct name_code sts_mode_names[]; /* none testing enforce */

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age; /* seconds */
	size_t mx_count;
	char *
	    mx; /* mx_count patterns one after the other, each NUL-terminated: "mx.a.example" or "*.b.example", canonical,
	                  no duplicates, in the order published. Heap; NULL when there are none */
	size_t mx_len; /* octets of mx, with the NULs */
};

/* Reads a body. False with a static *REASON when it is not a valid policy; OUT is then empty. The caller ends it with
 * sts_policy_fini(). Of duplicate fields (mx aside) the first counts; unknown fields and blank lines are ignored. */
bool sts_policy_parse(struct sts_policy *out, const char *body, size_t len, const char **reason);

/* The same from the parts a fact was stored as: patterns separated by single spaces, checked like those of a body. */
bool sts_policy_set_mx(struct sts_policy *p, const char *patterns, size_t len);

void sts_policy_fini(struct sts_policy *p);
void sts_policy_copy(struct sts_policy *to, const struct sts_policy *from);

/* Every pattern of P is one of WIDER, to the letter. */
bool sts_policy_mx_within(const struct sts_policy *p, const struct sts_policy *wider);

/* Next pattern after LAST (NULL: the first), or NULL at the end. */
const char *sts_policy_mx(const struct sts_policy *p, const char *last);

/* RAW is a valid pattern (a name, or "*." and a name; not an address). Writes its canonical form. SIZE >= DOMAIN_SIZE
 * + 2. */
bool sts_pattern_canon(char *out, size_t size, const char *raw, size_t len);
/* "*" stands for exactly one left-most label. Both canonical. */
bool sts_pattern_matches(const char *pattern, const char *host);
bool sts_policy_matches(const struct sts_policy *p, const char *host);

#endif
