/*
 * sts_record.h - the MTA-STS TXT record at _mta-sts.<policy domain> (RFC 8461 s3.1).
 */
#ifndef TLSMODE_CORE_STS_RECORD_H
#define TLSMODE_CORE_STS_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "core/rr.h"

#define STS_ID_MAX 32
#define STS_ID_SIZE (STS_ID_MAX + 1)

/* One record's text: "v=STSv1;" first, then fields in any order, unknown ones ignored, of duplicates the first counts;
 * id is 1*32 ALPHA / DIGIT. False (with a static *REASON) when it is no valid record. */
bool sts_record_parse(char id[STS_ID_SIZE], const char *text, size_t len, const char **reason);

/* The one record among the TXT RRs of ANSWER: those not beginning "v=STSv1;" are discarded; any number but one left,
 * or an invalid one, is "no policy available". */
bool sts_record_find(char id[STS_ID_SIZE], const struct rr_answer *answer, const char **reason);

#endif
