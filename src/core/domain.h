/*
 * domain.h - domain names in the one form that daemon, milter and Redis share: A-labels, lower case, no trailing dot.
 *
 * Everything behind this door is canonical; unchecked input is called raw_*. IDNA2008 non-transitional through
 * libidn2 (RFC 5890, 5891); lengths of RFC 1035 s2.3.4: 63 octets a label, 253 a name.
 */
#ifndef TLSMODE_CORE_DOMAIN_H
#define TLSMODE_CORE_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

struct sbuf;

#define DOMAIN_MAX 253
#define DOMAIN_SIZE (DOMAIN_MAX + 1)

enum domain_status { DOMAIN_OK, DOMAIN_EMPTY, DOMAIN_TOO_LONG, DOMAIN_BAD_CHAR, DOMAIN_BAD_LABEL, DOMAIN_BAD_IDNA };

/* Writes the canonical form of RAW to OUT. One trailing dot is dropped; letters, digits, '-' and '_' only after
 * conversion; no empty label (so no leading dot); U-labels (UTF-8) become A-labels, and an "xn--" label must be one
 * that decodes. A single label is a name. On any other result OUT is "". Plain lower-case ASCII takes a fast path
 * without libidn2. */
enum domain_status domain_canon(char out[DOMAIN_SIZE], const char *raw, size_t len);
const char *domain_status_text(enum domain_status status); /* static, for errors shown to people */

/* The next longer-reaching suffix of canonical NAME with its leading dot: "a.b.c" -> ".b.c", ".b.c" -> ".c",
 * "c" -> NULL. A pointer into NAME. */
const char *domain_parent(const char *name);

/* The closest parent of RAW, which is no domain name, that is one: canonical, with its leading dot. "": there is none.
 * */
void domain_closest_parent(char out[DOMAIN_SIZE], const char *raw, size_t len);

/* The last label is all digits, or 0x and hex digits: an address in disguise, never a DNS name with a mail host. */
bool domain_is_numeric(const char *name);

/* The domain of a sender address as an MTA hands it over. */
enum address_status {
	ADDRESS_DOMAIN, /* DOMAIN is canonical */
	ADDRESS_NULL,   /* the null sender: "<>", "\"<>\"" or nothing at all */
	ADDRESS_NONE    /* no domain, an address literal, or one that is no domain name */
};

/* RAW_ADDRESS may stand in angle brackets, has a local part that may be quoted (with '@' in it) or UTF-8, may have
 * a source route (ignored, RFC 5321 appendix C), and the last '@' outside quotes ends the local part.
 * OUT is "" unless ADDRESS_DOMAIN, but for what is no domain name only because of its first labels ("xn--.example.com",
 * "a..example.com"): then it is the closest parent with its leading dot, whose settings cover it. */
enum address_status domain_of_address(char out[DOMAIN_SIZE], const char *raw_address, size_t len);

/* What -V says of libidn2 (io/proc.h). */
void domain_library(struct sbuf *out);

#endif
