/*
 * answer.h - a verdict as the line Postfix reads in smtp_tls_policy_maps (postconf(5)), for plain and -tlsrpt maps.
 *
 * Only names that domain.c or sts_policy.c has checked come into a line. "*.x" of a policy becomes ".x" in match=.
 */
#ifndef TLSMODE_CORE_ANSWER_H
#define TLSMODE_CORE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sbuf.h"
#include "core/decide.h"
#include "core/sockmap.h"

struct answer_options {
	const char *min_tls;  /* "1.2": protocols=>=TLSv1.2 on encrypt, verify, secure, dane-only; "" none */
	bool tlsrpt;          /* a -tlsrpt map: Postfix >= 3.10 attributes */
	bool report_failures; /* conf mapd.report_failures */
};

/* The text after "OK " (or the reason after "TEMP ", nothing for NOTFOUND) appended to OUT. V may change: MATCH_EMPTY
 * and LEVEL_TEMP when nothing can match. A -tlsrpt line that would be over the protocol's size is given without those
 * attributes. */
enum sockmap_status answer_format(struct sbuf *out, struct verdict *v, const struct facts *f, int64_t now,
				  const struct dest_setting *dest, const struct answer_options *options);

/* FEATURE(`sts') of Sendmail: MTA-STS only. "secure match=a:.b servername=hostname" or NOTFOUND. */
enum sockmap_status answer_sts(struct sbuf *out, const struct facts *f, int64_t now, const struct dest_setting *dest);

#endif
