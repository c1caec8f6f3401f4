/*
 * hdr.h - RFC 5322 tokens: comments, folding white space, quoted strings, atoms, domain literals.
 *
 * One function per production; each takes what it eats from the cursor or leaves the cursor where it was and returns
 * false. Encoded words (RFC 2047) are plain atoms here: nothing is decoded before an address is found.
 */
#ifndef TLSMODE_CORE_HDR_H
#define TLSMODE_CORE_HDR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cur.h"
#include "base/sbuf.h"

bool hdr_skip_cfws(struct cur *c);                       /* [CFWS], nested comments; false: an unterminated comment */
bool hdr_quoted_string(struct cur *c, struct sbuf *out); /* its content, unescaped; OUT may be NULL */
bool hdr_dot_atom(struct cur *c,
		  struct sbuf *out); /* atom *("." atom) with obs CFWS around the dots; UTF-8 allowed (RFC 6532) */
bool hdr_domain_literal(struct cur *c, struct sbuf *out);

#endif
