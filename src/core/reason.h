/*
 * reason.h - why a verdict is what it is: part of every verdict, told by explain, the log and the tests.
 */
#ifndef TLSMODE_CORE_REASON_H
#define TLSMODE_CORE_REASON_H

#include "base/names.h"

/* Why: a bit each, in the order they are told. */
enum reason {
	REASON_MX_BOGUS,
	REASON_MX_ERROR,
	REASON_MX_INSECURE,
	REASON_MX_ABSENT,
	REASON_LITERAL,
	REASON_DANE_ALL_USABLE,
	REASON_DANE_SOME_USABLE,
	REASON_DANE_UNUSABLE,
	REASON_DANE_ERROR,
	REASON_STS_ENFORCE,
	REASON_STS_UNREAD, /* Redis, which may have a policy, could not be read */
	REASON_NOTHING_PUBLISHED,
	REASON_SENDER_MODE, /* the map's mode raised the answer */
	REASON_RCPT_MODE,   /* the destination setting's mode raised it */
	REASON_RCPT_MATCH,
	REASON_EXCEPT_DANE, /* an exception was used, not merely there */
	REASON_EXCEPT_STS,
	REASON_EXCEPT_PLAINTEXT,
	REASON_NO_DANE_RESOLVER,     /* mapd.dane = false changed the answer */
	REASON_NO_MATCH_FOR_LITERAL, /* verified towards a literal without a match */
	REASON_MATCH_EMPTY, /* nothing is both in the policy and in match (or match is unreadable): set in answer.c */
	REASON_COUNT
};
extern const struct name_code reason_names[]; /* "mx-bogus", "dane-all-usable", ... for cases and JSON */
const char *reason_text(enum reason reason);  /* a sentence for people */

#endif
