/*
 * postfix_grammar.h - would this reply be understood by Postfix's smtp(8) as a TLS policy?
 *
 * Written from postconf(5) smtp_tls_policy_maps and socketmap_table(5). Postfix defers all mail of a destination on the
 * slightest mistake here, so every reply made in any test goes through this.
 */
#ifndef TLSMODE_TESTS_POSTFIX_GRAMMAR_H
#define TLSMODE_TESTS_POSTFIX_GRAMMAR_H

#include <stddef.h>

enum grammar_version {
	POSTFIX_ANY, /* the reply's outer form only: maps that are no TLS policy maps */
	POSTFIX_3_7 = 37,
	POSTFIX_3_10 = 310
};

/* REPLY is a socketmap payload: "OK text", "NOTFOUND ", "TEMP reason". NULL: good. Else what is wrong, a static
 * sentence. */
const char *postfix_grammar(const char *reply, size_t len, enum grammar_version version);

/* Grammatical, but against doc/decision.md: `none`; protocols on a level that can end in clear text; policy_failure with
 * secure; verify or secure without servername=hostname or without match; names in match= that never match. NULL: good.
 */
const char *postfix_grammar_wise(const char *reply, size_t len);

#endif
