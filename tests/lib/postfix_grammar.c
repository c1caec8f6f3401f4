/*
 * postfix_grammar.c - Postfix's TLS policy grammar as a checker.
 */
#include "lib/postfix_grammar.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define REPLY_MAX 100000
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct grammar_text {
	const char *p;
	size_t len;
};

static bool is(struct grammar_text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

static bool separator(char c)
{
	return c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\n';
}

/* The next token; with BRACES "{ ... }" holds together. False at the end. */
static bool token(struct grammar_text *rest, bool braces, struct grammar_text *out)
{
	int depth = 0;
	size_t i = 0;

	while (rest->len > 0 && separator(*rest->p)) {
		rest->p++;
		rest->len--;
	}
	for (; i < rest->len && (depth > 0 || !separator(rest->p[i])); i++) {
		if (braces && rest->p[i] == '{')
			depth++;
		if (braces && rest->p[i] == '}')
			depth--;
	}
	*out = (struct grammar_text){rest->p, i};
	rest->p += i;
	rest->len -= i;
	return i > 0;
}

static struct grammar_text stripped(struct grammar_text t)
{
	while (t.len > 0 && strchr(" \t", *t.p)) {
		t.p++;
		t.len--;
	}
	while (t.len > 0 && strchr(" \t", t.p[t.len - 1]))
		t.len--;
	return t;
}

/* "{" ... "}" and nothing behind it: what is inside. */
static bool unbrace(struct grammar_text *t)
{
	size_t i;
	int depth = 0;

	for (i = 0; i < t->len; i++) {
		if (t->p[i] == '{')
			depth++;
		if (t->p[i] == '}' && --depth == 0)
			break;
	}
	if (i + 1 != t->len)
		return false;
	*t = stripped((struct grammar_text){t->p + 1, t->len - 2});
	return true;
}

/* name = value */
static bool split(struct grammar_text t, struct grammar_text *name, struct grammar_text *value)
{
	const char *equal = memchr(t.p, '=', t.len);

	if (!equal)
		return false;
	*name = stripped((struct grammar_text){t.p, (size_t)(equal - t.p)});
	*value = stripped((struct grammar_text){equal + 1, (size_t)(t.p + t.len - equal - 1)});
	return name->len > 0 && !memchr(name->p, ' ', name->len);
}

static bool label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 letters, digits, '-', '_', no '-' at an end of a label, not all digits, at most 255 octets. */
static bool hostname(struct grammar_text t)
{
	size_t label = 0;
	bool all_digits = true;

	if (t.len == 0 || t.len > 255)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		char c = t.p[i];

		if (c == '.') {
			if (label == 0 || t.p[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!label_char(c) || (c == '-' && label == 0) || ++label > 63)
			return false;
		if (c < '0' || c > '9')
			all_digits = false;
	}
	return label > 0 && t.p[t.len - 1] != '-' && !all_digits;
}

/* Labels of letters, digits, '-' and '_'. */
static bool labels(struct grammar_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] == '.' ? i == 0 || t.p[i - 1] == '.' : !label_char(t.p[i]))
			return false;
	return t.len > 0 && t.p[t.len - 1] != '.';
}

/* ---- attributes ---- */

enum attribute {
	CIPHERS,
	PROTOCOLS,
	SERVERNAME,
	MATCH,
	EXCLUDE,
	TAFILE,
	CONNECTION_REUSE,
	ENABLE_RPK,
	POLICY_TTL,
	POLICY_TYPE,
	POLICY_DOMAIN,
	POLICY_STRING,
	MX_HOST_PATTERN,
	POLICY_FAILURE,
	ATTRIBUTES
};

static const struct {
	const char *name;
	int since; /* version */
	bool repeats;
} attributes[ATTRIBUTES] = {
    [CIPHERS] = {"ciphers", POSTFIX_3_7, false},
    [PROTOCOLS] = {"protocols", POSTFIX_3_7, false},
    [SERVERNAME] = {"servername", POSTFIX_3_7, false},
    [MATCH] = {"match", POSTFIX_3_7, true},
    [EXCLUDE] = {"exclude", POSTFIX_3_7, false},
    [TAFILE] = {"tafile", POSTFIX_3_7, true},
    [CONNECTION_REUSE] = {"connection_reuse", POSTFIX_3_7, true},
    [ENABLE_RPK] = {"enable_rpk", POSTFIX_3_10, true},
    [POLICY_TTL] = {"policy_ttl", POSTFIX_3_10, false},
    [POLICY_TYPE] = {"policy_type", POSTFIX_3_10, false},
    [POLICY_DOMAIN] = {"policy_domain", POSTFIX_3_10, false},
    [POLICY_STRING] = {"policy_string", POSTFIX_3_10, true},
    [MX_HOST_PATTERN] = {"mx_host_pattern", POSTFIX_3_10, true},
    [POLICY_FAILURE] = {"policy_failure", POSTFIX_3_10, false},
};

static const char *const levels[] = {"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"};

struct policy {
	struct grammar_text level;
	struct grammar_text value[ATTRIBUTES]; /* the last one */
	unsigned count[ATTRIBUTES];
	bool match_never; /* a name in match= that matches nothing */
};

static bool level_is(const struct policy *p, const char *word)
{
	return is(p->level, word);
}

static bool known_level(struct grammar_text t)
{
	for (size_t i = 0; i < COUNT(levels); i++)
		if (is(t, levels[i]))
			return true;
	return false;
}

static bool one_of(struct grammar_text t, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is(t, words[i]))
			return true;
	return false;
}

/* protocols = *( ["!" / ">=" / "<="] name ), ':' or ',' between */
static const char *check_protocols(struct grammar_text v)
{
	static const char *const names[] = {"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	struct grammar_text name;
	size_t i;

	while (v.len > 0) {
		for (i = 0; i < v.len && v.p[i] != ':' && v.p[i] != ','; i++)
			;
		name = (struct grammar_text){v.p, i};
		if (name.len > 0 && *name.p == '!')
			name = (struct grammar_text){name.p + 1, name.len - 1};
		else if (name.len > 1 && (*name.p == '>' || *name.p == '<') && name.p[1] == '=')
			name = (struct grammar_text){name.p + 2, name.len - 2};
		if (!one_of(name, names, COUNT(names)))
			return "protocols names no protocol";
		v.p += i + (i < v.len);
		v.len -= i + (i < v.len);
	}
	return NULL;
}

/* One name of match=: a keyword, a name, or "." and a name. Postfix takes any text; labels are what we ever say. "*.x"
 * is taken and never matches. */
static const char *check_match_name(struct policy *p, struct grammar_text t)
{
	if (t.len > 0 && *t.p == '*') {
		p->match_never = true;
		return NULL;
	}
	if (t.len > 1 && *t.p == '.')
		t = (struct grammar_text){t.p + 1, t.len - 1};
	return labels(t) ? NULL : "match has a name that is no domain name";
}

static const char *check_match(struct policy *p, struct grammar_text v)
{
	const char *wrong = NULL;

	if (level_is(p, "fingerprint"))
		return v.len > 0 ? NULL : "match is empty";
	if (!level_is(p, "verify") && !level_is(p, "secure"))
		return "match at a level that does not take it";
	if (v.len == 0)
		return "match is empty";
	while (!wrong) {
		const char *colon = memchr(v.p, ':', v.len);
		size_t len = colon ? (size_t)(colon - v.p) : v.len;

		wrong = check_match_name(p, (struct grammar_text){v.p, len});
		if (!colon)
			break;
		v = (struct grammar_text){colon + 1, v.len - len - 1};
	}
	return wrong;
}

static const char *check_value(struct policy *p, enum attribute a, struct grammar_text v)
{
	static const char *const yes_no[] = {"yes", "no"};
	static const char *const types[] = {"sts", "no-policy-found"};
	static const char *const failures[] = {"sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid",
					       "validation-failure"};

	switch (a) {
	case CIPHERS:
		return v.len > 0 ? NULL : "ciphers is empty";
	case PROTOCOLS:
		return check_protocols(v);
	case SERVERNAME:
		return hostname(v) ? NULL : "servername is no host name";
	case MATCH:
		return check_match(p, v);
	case TAFILE:
		if (!level_is(p, "verify") && !level_is(p, "secure"))
			return "tafile at a level that does not take it";
		return v.len > 0 ? NULL : "tafile is empty";
	case CONNECTION_REUSE:
	case ENABLE_RPK:
		return one_of(v, yes_no, COUNT(yes_no)) ? NULL : "neither yes nor no";
	case POLICY_TTL:
		for (size_t i = 0; i < v.len; i++)
			if (v.p[i] < '0' || v.p[i] > '9')
				return "policy_ttl is no number";
		return v.len > 0 ? NULL : "policy_ttl is no number";
	case POLICY_TYPE:
		return one_of(v, types, COUNT(types)) ? NULL : "policy_type is neither sts nor no-policy-found";
	case POLICY_DOMAIN:
		return hostname(v) ? NULL : "policy_domain is no host name";
	case POLICY_FAILURE:
		return one_of(v, failures, COUNT(failures)) ? NULL : "policy_failure is not a known one";
	case EXCLUDE:
	case POLICY_STRING:
	case MX_HOST_PATTERN:
	case ATTRIBUTES:
		break;
	}
	return NULL;
}

static enum attribute attribute_of(struct grammar_text name, enum grammar_version version)
{
	int a;

	for (a = 0; a < ATTRIBUTES; a++)
		if (is(name, attributes[a].name) && (int)version >= attributes[a].since)
			break;
	return (enum attribute)a;
}

static const char *check_attribute(struct policy *p, struct grammar_text t, enum grammar_version version)
{
	struct grammar_text name, value;
	enum attribute a;

	if (version >= POSTFIX_3_10 && t.p[0] == '{' && !unbrace(&t))
		return "braces do not close, or something stands behind them";
	if (!split(t, &name, &value))
		return "an attribute is not name=value";
	a = attribute_of(name, version);
	if (a == ATTRIBUTES)
		return "an attribute this Postfix does not know";
	if (p->count[a]++ > 0 && !attributes[a].repeats)
		return "an attribute is there twice";
	p->value[a] = value;
	return check_value(p, a, value);
}

static const char *read_policy(struct policy *p, struct grammar_text t, enum grammar_version version)
{
	const char *wrong = NULL;
	struct grammar_text tok;
	bool braces = version >= POSTFIX_3_10;

	memset(p, 0, sizeof(*p));
	if (!token(&t, braces, &p->level))
		return "the policy is empty";
	if (!known_level(p->level))
		return "the level is not a known one";
	while (!wrong && token(&t, braces, &tok))
		wrong = check_attribute(p, tok, version);
	if (wrong || p->count[POLICY_TYPE] > 0)
		return wrong;
	for (int a = POLICY_TTL; a < ATTRIBUTES; a++)
		if (p->count[a] > 0)
			return "an attribute that needs policy_type";
	return NULL;
}

/* ---- the reply ---- */

static bool starts(const char *reply, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(reply, word, strlen(word)) == 0;
}

const char *postfix_grammar(const char *reply, size_t len, enum grammar_version version)
{
	struct policy p;

	if (len > REPLY_MAX)
		return "the reply is longer than 100,000 octets";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)reply[i] < ' ' || (unsigned char)reply[i] >= 0x7f)
			return "an octet that does not print";
	if (starts(reply, len, "NOTFOUND "))
		return len == strlen("NOTFOUND ") ? NULL : "something behind NOTFOUND";
	if (starts(reply, len, "TEMP "))
		return len > strlen("TEMP ") ? NULL : "TEMP without a reason";
	if (!starts(reply, len, "OK "))
		return "not OK, NOTFOUND or TEMP and a space";
	if (len == strlen("OK "))
		return "OK without text";
	if (version == POSTFIX_ANY)
		return NULL;
	return read_policy(&p, (struct grammar_text){reply + 3, len - 3}, version);
}

const char *postfix_grammar_wise(const char *reply, size_t len)
{
	struct policy p;
	bool pkix;

	if (!starts(reply, len, "OK ") || read_policy(&p, (struct grammar_text){reply + 3, len - 3}, POSTFIX_3_10))
		return NULL;
	pkix = level_is(&p, "verify") || level_is(&p, "secure");
	if (level_is(&p, "none") || level_is(&p, "fingerprint"))
		return "a level tlsmode never answers";
	if (p.count[PROTOCOLS] > 0 && (level_is(&p, "dane") || level_is(&p, "may")))
		return "protocols on a level that can end in clear text";
	if (p.count[POLICY_FAILURE] > 0 && !level_is(&p, "may"))
		return "policy_failure on a level other than may";
	if (p.count[POLICY_FAILURE] == 0 && p.count[POLICY_TYPE] > 0 && !level_is(&p, "secure"))
		return "a policy reported on a level other than secure";
	if (pkix && (p.count[SERVERNAME] == 0 || !is(p.value[SERVERNAME], "hostname")))
		return "verify or secure without servername=hostname";
	if (pkix && p.count[MATCH] != 1)
		return "verify or secure without one match";
	if (level_is(&p, "verify") && !is(p.value[MATCH], "hostname"))
		return "verify with something other than match=hostname";
	if (p.match_never)
		return "a name in match that never matches";
	return NULL;
}
