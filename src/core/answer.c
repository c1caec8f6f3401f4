/*
 * answer.c - verdicts as the lines Postfix reads in smtp_tls_policy_maps, and MTA-STS alone for Sendmail.
 *
 * Not here: the netstring and the reply's first word (sockmap.c), which certificate names bind (match_names.c).
 * postconf(5) smtp_tls_policy_maps; RFC 8461 s4.1, RFC 8460 s4.4 for the -tlsrpt attributes. Called when a verdict is
 * rendered for the cache.
 */
#include "core/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/match_names.h"

#define R(reason) (1u << REASON_##reason)
#define LINE_MAX_OCTETS (SOCKMAP_REPLY_MAX - 3) /* beside "OK " */

/* What stands after the level, where the level is all that decides it. */
static const struct {
	const char *attributes;
	bool min_tls; /* never on dane: it survives the fall to `may` and would end in clear text */
} forms[] = {
    [LEVEL_MAY] = {"", false},
    [LEVEL_ENCRYPT] = {"", true},
    [LEVEL_DANE] = {"", false},
    [LEVEL_DANE_ONLY] = {"", true},
    [LEVEL_VERIFY] = {" match=hostname servername=hostname", true},
    [LEVEL_SECURE] = {" servername=hostname", true},
};

/* of NO_MATCH_FOR_LITERAL, where it is a name that is none */
#define NO_NAME "what is no domain name can be verified only with a match setting"

static const char *const temp_reasons[] = {
    [REASON_MX_BOGUS] = "DNSSEC validation of the MX records failed",
    [REASON_MX_ERROR] = "the MX records could not be looked up",
    [REASON_DANE_ERROR] = "the TLSA records could not be looked up",
    [REASON_STS_UNREAD] = "the facts shared in Redis could not be read, and an MTA-STS policy may be among them",
    [REASON_NO_MATCH_FOR_LITERAL] = "an address can be verified only with a match setting",
    [REASON_MATCH_EMPTY] = "no certificate name is allowed by all that must hold (MTA-STS policy, match setting)",
};

static const char *shown_name(const struct facts *f)
{
	return f->nexthop.key[0] != '\0' ? f->nexthop.key : "this next hop";
}

static void format_temp(struct sbuf *out, const struct verdict *v, const struct facts *f)
{
	/* the last one told is the nearest cause: MATCH_EMPTY stands beside what led there */
	size_t i = sizeof(temp_reasons) / sizeof(temp_reasons[0]);
	const char *text = "no TLS policy can be given";
	bool literal = f->nexthop.kind == NEXTHOP_LITERAL;

	while (i-- > 0) {
		if ((v->reasons & 1u << i) != 0 && temp_reasons[i]) {
			text = i == REASON_NO_MATCH_FOR_LITERAL && !literal ? NO_NAME : temp_reasons[i];
			break;
		}
	}
	sbuf_add(out, shown_name(f));
	sbuf_add(out, ": ");
	sbuf_add(out, text);
}

/* What Postfix takes as a host name in an attribute: labels of letters, digits, '-' and '_', no '-' at an end, not a
 * number. */
static bool postfix_hostname(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || name[0] == '-' || name[len - 1] == '-' || domain_is_numeric(name))
		return false;
	return !strstr(name, "-.") && !strstr(name, ".-");
}

static void add_policy_strings(struct sbuf *out, const struct sts_policy *p)
{
	const char *mx = NULL;

	sbuf_add(out, " { policy_string = version: STSv1 }");
	sbuf_addf(out, " { policy_string = mode: %s }", names_name(sts_mode_names, (int)p->mode));
	while ((mx = sts_policy_mx(p, mx)))
		sbuf_addf(out, " { policy_string = mx: %s }", mx);
	sbuf_addf(out, " { policy_string = max_age: %u }", p->max_age);
}

/* The attributes of Postfix >= 3.10, rebuilt from parsed values only. */
static void add_tlsrpt(struct sbuf *out, const struct facts *f, const struct sts_policy *p)
{
	const char *mx = NULL;

	sbuf_addf(out, " policy_type=sts policy_domain=%s", f->nexthop.domain);
	while ((mx = sts_policy_mx(p, mx)))
		sbuf_addf(out, " mx_host_pattern=%s", mx);
	add_policy_strings(out, p);
}

/* Takes back what does not fit into one reply: the policy itself is worth more than its report. */
static void add_tlsrpt_fitting(struct sbuf *out, const struct facts *f, const struct sts_policy *p)
{
	size_t size = LINE_MAX_OCTETS + 1;
	char *storage;
	struct sbuf b;

	if (!postfix_hostname(f->nexthop.domain) || out->len > LINE_MAX_OCTETS)
		return;
	storage = xmalloc(size);
	sbuf_init(&b, storage, size - out->len);
	add_tlsrpt(&b, f, p);
	if (sbuf_ok(&b))
		sbuf_addn(out, b.buf, b.len);
	free(storage);
}

static void add_level(struct sbuf *out, enum level level, const struct answer_options *o)
{
	sbuf_add(out, forms[level].attributes);
	if (forms[level].min_tls && o->min_tls && o->min_tls[0] != '\0')
		sbuf_addf(out, " protocols=>=TLSv%s", o->min_tls);
}

static enum sockmap_status match_empty(struct sbuf *out, struct verdict *v, const struct facts *f)
{
	v->level = LEVEL_TEMP;
	v->use_policy = v->use_match = false;
	v->reasons |= R(MATCH_EMPTY);
	format_temp(out, v, f);
	return SOCKMAP_TEMP;
}

static enum sockmap_status format_secure(struct sbuf *out, struct verdict *v, const struct facts *f, int64_t now,
					 const struct dest_setting *dest, const struct answer_options *o)
{
	const struct sts_policy *policy = v->use_policy ? facts_policy(f, now) : NULL;
	size_t start = out->len;

	sbuf_add(out, "secure match=");
	/* the policy may have ended since the verdict: nothing is known to match then */
	if ((v->use_policy && !policy) || !match_names_add(out, policy, v->use_match ? dest->match : NULL)) {
		out->len = start;
		out->buf[start] = '\0';
		return match_empty(out, v, f);
	}
	add_level(out, LEVEL_SECURE, o);
	if (o->tlsrpt && policy)
		add_tlsrpt_fitting(out, f, policy);
	return SOCKMAP_OK;
}

/* A live record whose policy could not be had, reported through Postfix; never where anything else binds. */
static bool reports_failure(const struct facts *f, int64_t now, const struct dest_setting *dest,
			    const struct answer_options *o)
{
	const struct sts_fact *s = &f->sts;

	if (!o->tlsrpt || !o->report_failures || dest->sts_ignore || !postfix_hostname(f->nexthop.domain))
		return false;
	return s->txt == TXT_RECORD && !facts_policy(f, now) && s->failure != FETCH_OK &&
	       strcmp(s->fail_id, s->txt_id) == 0;
}

enum sockmap_status answer_format(struct sbuf *out, struct verdict *v, const struct facts *f, int64_t now,
				  const struct dest_setting *dest, const struct answer_options *o)
{
	switch (v->level) {
	case LEVEL_NOTFOUND:
		if (!reports_failure(f, now, dest, o))
			return SOCKMAP_NOTFOUND;
		sbuf_addf(out, "may policy_type=sts policy_domain=%s policy_failure=%s", f->nexthop.domain,
			  names_name(facts_fetch_failure_names, (int)f->sts.failure));
		return SOCKMAP_OK;
	case LEVEL_TEMP:
		format_temp(out, v, f);
		return SOCKMAP_TEMP;
	case LEVEL_SECURE:
		return format_secure(out, v, f, now, dest, o);
	case LEVEL_MAY:
	case LEVEL_ENCRYPT:
	case LEVEL_DANE:
	case LEVEL_DANE_ONLY:
	case LEVEL_VERIFY:
		break;
	}
	sbuf_add(out, names_name(decide_level_names, (int)v->level));
	add_level(out, v->level, o);
	return SOCKMAP_OK;
}

enum sockmap_status answer_sts(struct sbuf *out, const struct facts *f, int64_t now, const struct dest_setting *dest)
{
	const struct sts_policy *policy = facts_policy(f, now);
	struct verdict v = {.level = LEVEL_SECURE, .use_policy = true, .use_match = dest->has_match};
	struct answer_options plain = {.min_tls = ""};

	if (facts_in_doubt(f, now) && !dest->sts_ignore) {
		v.reasons = R(STS_UNREAD);
		format_temp(out, &v, f);
		return SOCKMAP_TEMP;
	}
	if (!policy || policy->mode != STS_ENFORCE || dest->sts_ignore)
		return SOCKMAP_NOTFOUND;
	return format_secure(out, &v, f, now, dest, &plain);
}
