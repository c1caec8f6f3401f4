/*
 * domain.c - domain names in the one canonical form, and the domain of a sender address.
 *
 * Most names are lower-case ASCII already: they never see libidn2.
 */
#include "core/domain.h"

#include <string.h>
#include <idn2.h>

#include "base/sbuf.h"

#define LABEL_MAX 63
#define RAW_MAX                                                                                                        \
	1024 /* octets of a name before conversion: UTF-8 is longer than its A-labels only by a small factor   \
		      */

static bool is_name_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static unsigned char to_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

static enum domain_status check_label(const char *label, size_t len)
{
	if (len == 0)
		return DOMAIN_BAD_LABEL;
	if (len > LABEL_MAX)
		return DOMAIN_TOO_LONG;
	if (label[0] == '-' || label[len - 1] == '-')
		return DOMAIN_BAD_LABEL;
	for (size_t i = 0; i < len; i++)
		if (!is_name_char((unsigned char)label[i]))
			return DOMAIN_BAD_CHAR;
	return DOMAIN_OK;
}

/* NAME is lower-case without trailing dot. */
static enum domain_status check_name(const char *name, size_t len)
{
	const char *end = name + len;
	const char *dot;
	enum domain_status status;

	if (len == 0)
		return DOMAIN_EMPTY;
	if (len > DOMAIN_MAX)
		return DOMAIN_TOO_LONG;
	for (const char *label = name;; label = dot + 1) {
		dot = memchr(label, '.', (size_t)(end - label));
		status = check_label(label, (size_t)((dot ? dot : end) - label));
		if (status != DOMAIN_OK || !dot)
			return status;
	}
}

/* Something that only libidn2 can judge: an octet above ASCII, or a label that says it is an A-label. */
static bool needs_idna(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] >= 0x80)
			return true;
		if ((i == 0 || name[i - 1] == '.') && len - i >= 4 && memcmp(name + i, "xn--", 4) == 0)
			return true;
	}
	return false;
}

/* RC is of a label that decodes, but to what nobody may register: emoji, or letters newer than libidn2's tables. */
static bool only_unregistrable(int rc)
{
	static const int codes[] = {IDN2_DISALLOWED,        IDN2_UNASSIGNED,       IDN2_2HYPHEN,
				    IDN2_LEADING_COMBINING, IDN2_CONTEXTJ,         IDN2_CONTEXTJ_NO_RULE,
				    IDN2_CONTEXTO,          IDN2_CONTEXTO_NO_RULE, IDN2_BIDI};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == rc)
			return true;
	return false;
}

static bool domain_is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

static enum domain_status convert(char out[DOMAIN_SIZE], const char *name)
{
	uint8_t *ascii = NULL;
	enum domain_status status;
	const char *result;
	int rc;

	rc = idn2_lookup_u8((const uint8_t *)name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_TOO_BIG_LABEL || rc == IDN2_TOO_BIG_DOMAIN)
		return DOMAIN_TOO_LONG;
	/* Such A-labels are in DNS all the same, and Postfix delivers there: what they publish, and what is set for
	 * them, must be found. RFC 5891 s5.3 leaves their test to us. */
	if (rc != IDN2_OK && !(only_unregistrable(rc) && domain_is_ascii(name)))
		return DOMAIN_BAD_IDNA;
	result = rc == IDN2_OK ? (const char *)ascii : name;
	status = check_name(result, strlen(result));
	if (status == DOMAIN_OK)
		memcpy(out, result, strlen(result) + 1);
	idn2_free(ascii);
	return status;
}

enum domain_status domain_canon(char out[DOMAIN_SIZE], const char *raw, size_t len)
{
	char name[RAW_MAX + 1];
	enum domain_status status;

	out[0] = '\0';
	if (len > 0 && raw[len - 1] == '.')
		len--;
	if (len == 0)
		return DOMAIN_EMPTY;
	if (len > RAW_MAX)
		return DOMAIN_TOO_LONG;
	for (size_t i = 0; i < len; i++) {
		name[i] = (char)to_lower((unsigned char)raw[i]);
		if (name[i] == '\0')
			return DOMAIN_BAD_CHAR;
	}
	name[len] = '\0';
	if (needs_idna(name, len))
		return convert(out, name);
	status = check_name(name, len);
	if (status == DOMAIN_OK)
		memcpy(out, name, len + 1);
	return status;
}

const char *domain_status_text(enum domain_status status)
{
	static const char *const text[] = {
	    [DOMAIN_OK] = "ok",
	    [DOMAIN_EMPTY] = "empty name",
	    [DOMAIN_TOO_LONG] = "a label is longer than 63 octets or the name longer than 253",
	    [DOMAIN_BAD_CHAR] = "a character that no domain name has",
	    [DOMAIN_BAD_LABEL] = "an empty label, or one that begins or ends with '-'",
	    [DOMAIN_BAD_IDNA] = "not a valid internationalized name (IDNA2008)",
	};

	return text[status];
}

const char *domain_parent(const char *name)
{
	return strchr(name[0] == '.' ? name + 1 : name, '.');
}

static bool all_of(const char *s, const char *set)
{
	return *s != '\0' && s[strspn(s, set)] == '\0';
}

bool domain_is_numeric(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot ? dot + 1 : name;

	if (last[0] == '0' && last[1] == 'x')
		return last[2] == '\0' || all_of(last + 2, "0123456789abcdef");
	return all_of(last, "0123456789");
}

/* RAW from DOT on; longer ones leave no room for the dot, or are none. */
static bool is_parent(char out[DOMAIN_SIZE], const char *dot, size_t len)
{
	char name[DOMAIN_SIZE];
	size_t name_len;

	if (len > DOMAIN_MAX || domain_canon(name, dot + 1, len - 1) != DOMAIN_OK || domain_is_numeric(name))
		return false;
	name_len = strlen(name);
	if (name_len + 1 > DOMAIN_MAX)
		return false;
	out[0] = '.';
	memcpy(out + 1, name, name_len + 1);
	return true;
}

void domain_closest_parent(char out[DOMAIN_SIZE], const char *raw, size_t len)
{
	const char *end = raw + len;

	out[0] = '\0';
	for (; raw < end && (raw = memchr(raw, '.', (size_t)(end - raw))); raw++)
		if (is_parent(out, raw, (size_t)(end - raw)))
			return;
}

/* The last '@' outside quotes; NULL when there is none or a quote does not end. */
static const char *last_at(const char *s, size_t len)
{
	const char *at = NULL;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (quoted && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			quoted = !quoted;
		else if (s[i] == '@' && !quoted)
			at = s + i;
	}
	return quoted ? NULL : at;
}

static bool is_null_sender(const char *s, size_t len)
{
	return len == 0 || (len == 2 && memcmp(s, "<>", 2) == 0) || (len == 4 && memcmp(s, "\"<>\"", 4) == 0);
}

enum address_status domain_of_address(char out[DOMAIN_SIZE], const char *raw_address, size_t len)
{
	const char *at;
	size_t domain_len;

	out[0] = '\0';
	if (is_null_sender(raw_address, len))
		return ADDRESS_NULL;
	if (len >= 2 && raw_address[0] == '<' && raw_address[len - 1] == '>') {
		raw_address++;
		len -= 2;
	}
	at = last_at(raw_address, len);
	if (!at)
		return ADDRESS_NONE;
	domain_len = len - (size_t)(at + 1 - raw_address);
	if (domain_canon(out, at + 1, domain_len) != DOMAIN_OK) {
		domain_closest_parent(out, at + 1, domain_len);
		return ADDRESS_NONE;
	}
	if (domain_is_numeric(out)) {
		out[0] = '\0';
		return ADDRESS_NONE;
	}
	return ADDRESS_DOMAIN;
}

void domain_library(struct sbuf *out)
{
	sbuf_addf(out, "libidn2 %s (built with %s)", idn2_check_version(NULL), IDN2_VERSION);
}
