/*
 * reason.c - names and sentences of the reasons.
 */
#include "core/reason.h"

const struct name_code reason_names[] = {
    {"mx-bogus", REASON_MX_BOGUS},
    {"mx-error", REASON_MX_ERROR},
    {"mx-insecure", REASON_MX_INSECURE},
    {"mx-absent", REASON_MX_ABSENT},
    {"literal", REASON_LITERAL},
    {"dane-all-usable", REASON_DANE_ALL_USABLE},
    {"dane-some-usable", REASON_DANE_SOME_USABLE},
    {"dane-unusable", REASON_DANE_UNUSABLE},
    {"dane-error", REASON_DANE_ERROR},
    {"sts-enforce", REASON_STS_ENFORCE},
    {"sts-unread", REASON_STS_UNREAD},
    {"nothing-published", REASON_NOTHING_PUBLISHED},
    {"sender-mode", REASON_SENDER_MODE},
    {"rcpt-mode", REASON_RCPT_MODE},
    {"rcpt-match", REASON_RCPT_MATCH},
    {"except-dane", REASON_EXCEPT_DANE},
    {"except-sts", REASON_EXCEPT_STS},
    {"except-plaintext", REASON_EXCEPT_PLAINTEXT},
    {"no-dane-resolver", REASON_NO_DANE_RESOLVER},
    {"no-match-for-literal", REASON_NO_MATCH_FOR_LITERAL},
    {"match-empty", REASON_MATCH_EMPTY},
    {NULL, 0},
};

static const char *const reason_texts[REASON_COUNT] = {
    [REASON_MX_BOGUS] = "DNSSEC validation of the MX records failed",
    [REASON_MX_ERROR] = "the MX records could not be looked up",
    [REASON_MX_INSECURE] = "the MX records are not signed",
    [REASON_MX_ABSENT] = "the domain does not exist or takes no mail",
    [REASON_LITERAL] = "the next hop is no domain name: nothing can be published for it",
    [REASON_DANE_ALL_USABLE] = "every MX host has usable TLSA records",
    [REASON_DANE_SOME_USABLE] = "some MX host has usable TLSA records",
    [REASON_DANE_UNUSABLE] = "some MX host has TLSA records none of which is usable",
    [REASON_DANE_ERROR] = "the TLSA records of some MX host could not be looked up",
    [REASON_STS_ENFORCE] = "an MTA-STS policy in mode enforce is in force",
    [REASON_STS_UNREAD] = "the shared facts could not be read from Redis: they may hold an MTA-STS policy",
    [REASON_NOTHING_PUBLISHED] = "neither DANE nor an enforced MTA-STS policy is published",
    [REASON_SENDER_MODE] = "the sender's mode demands more than the destination publishes",
    [REASON_RCPT_MODE] = "the destination's setting demands a stricter mode",
    [REASON_RCPT_MATCH] = "the destination's setting names the certificates to expect",
    [REASON_EXCEPT_DANE] = "an exception ignores DANE",
    [REASON_EXCEPT_STS] = "an exception ignores MTA-STS",
    [REASON_EXCEPT_PLAINTEXT] = "an exception allows plain text",
    [REASON_NO_DANE_RESOLVER] = "Postfix is said to have no DNSSEC resolver (mapd.dane = false)",
    [REASON_NO_MATCH_FOR_LITERAL] = "verified needs a match setting where the next hop is no domain name",
    [REASON_MATCH_EMPTY] = "no certificate name satisfies both the MTA-STS policy and the match setting",
};

const char *reason_text(enum reason reason)
{
	return reason_texts[reason];
}
