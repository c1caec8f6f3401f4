/*
 * doctor.c - see doctor.h: the table of rules, and the judge that walks it. tlsmode(1) explains every id.
 */
#include "core/doctor/doctor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

const struct name_code doctor_severity_names[] = {
    {"error", DOCTOR_ERROR}, {"unknown", DOCTOR_UNKNOWN}, {"warning", DOCTOR_WARNING}, {"note", DOCTOR_NOTE}, {NULL, 0},
};

#define STRICT_LEVELS "encrypt dane-only fingerprint verify secure"
#define PROVEN_LEVELS "dane-only fingerprint verify secure"

static const struct value_demand strict_level[] = {
    {"smtp_tls_security_level", ON_ENFORCED, STRICT_LEVELS, NULL, "encrypt", true, false, 0},
    {"smtp_tls_security_level", ON_VERIFIED, PROVEN_LEVELS, NULL, "verify", true, false, 0},
    {0},
};
static const struct value_demand strict_fallback[] = {
    {"smtp_fallback_relay", ON_STRICT, NULL, NULL, "", true, false, 0},
    {0},
};
static const struct value_demand strict_required[] = {
    {"tls_required_enable", ON_STRICT, "no", NULL, "no", true, false, 10},
    {0},
};
static const struct value_demand fallback[] = {
    {"smtp_fallback_relay", ON_OPPORTUNISTIC, NULL, NULL, "", false, false, 0},
    {0},
};
static const struct value_demand required[] = {
    {"tls_required_enable", ON_OPPORTUNISTIC, "no", NULL, "no", false, false, 10},
    {0},
};
static const struct value_demand strict_ciphers[] = {
    {"smtp_tls_mandatory_ciphers", ON_STRICT, NULL, "null export", "medium", true, false, 0},
    {0},
};
static const struct value_demand soft_bounce[] = {
    {"soft_bounce", ON_STRICT, "no", NULL, "no", false, false, 0},
    {0},
};
static const struct value_demand level_none[] = {
    {"smtp_tls_security_level", ON_OPPORTUNISTIC, "may dane half-dane " STRICT_LEVELS, NULL, "may", false, false, 0},
    {0},
};
static const struct value_demand level_strict[] = {
    {"smtp_tls_security_level", ON_OPPORTUNISTIC, NULL, STRICT_LEVELS, "may", false, false, 0},
    {0},
};
static const struct value_demand dns_support[] = {
    {"smtp_dns_support_level", ON_ALL, "dnssec", NULL, "dnssec", false, true, 0},
    {0},
};
static const struct value_demand host_lookup[] = {
    {"smtp_host_lookup", ON_ALL, "dns", NULL, "dns", false, true, 0},
    {0},
};
static const struct value_demand insecure_mx[] = {
    {"smtp_tls_dane_insecure_mx_policy", ON_ALL, "dane", NULL, "dane", false, true, 0},
    {0},
};

static const struct doctor_rule rules[] = {
    {"postfix-version", DOCTOR_ERROR, doctor_check_version, "tlsmode's answers are made for Postfix 3.5 and later.",
     NULL},
    {"sender-map-missing", DOCTOR_ERROR, doctor_check_sender_map,
     "Without it nothing leads the mail of enforced and verified senders to their services.", NULL},
    {"sender-map-order", DOCTOR_ERROR, doctor_check_sender_map_order,
     "A table that answers before tlsmode's decides alone: the sender's mode is not asked.", NULL},
    {"strict-service-missing", DOCTOR_ERROR, doctor_check_strict_services,
     "Mail that is led to a service that does not exist stays in the queue.", NULL},
    {"strict-service-program", DOCTOR_ERROR, doctor_check_strict_program,
     "Only smtp(8) asks the policy map; another program sends as it likes.", NULL},
    {"strict-service-shared", DOCTOR_WARNING, doctor_check_separate,
     "One service for several modes treats all its mail as the strictest of them.", NULL},
    {"strict-level", DOCTOR_ERROR, doctor_check_values,
     "Where the map says nothing the service's own level decides; it must not be less than the sender's mode.",
     strict_level},
    {"strict-policy-missing", DOCTOR_ERROR, doctor_check_strict_policy_map,
     "Without tlsmode's policy map the service does not honour MTA-STS and DANE, nor settings by destination.", NULL},
    {"policy-mode", DOCTOR_ERROR, doctor_check_policy_mode,
     "The map of a weaker mode lets strict mail out in the clear; that of a stricter one stops opportunistic mail.",
     NULL},
    {"policy-order", DOCTOR_ERROR, doctor_check_policy_order,
     "A table that answers before tlsmode's decides alone: it may say less than the mode, DANE and MTA-STS demand.",
     NULL},
    {"strict-fallback-relay", DOCTOR_ERROR, doctor_check_values,
     "When no receiver can be had the mail goes to the fallback relay instead: a way around the destination's own "
     "policy.",
     strict_fallback},
    {"strict-tls-required", DOCTOR_ERROR, doctor_check_values,
     "From Postfix 3.10 on a message's own header \"TLS-Required: no\" undoes every policy, unless this is off.",
     strict_required},
    {"strict-connection-cache", DOCTOR_ERROR, doctor_check_kept_connections,
     "Before Postfix 3.10.3 a kept connection is used without asking for the policy again: what was right when it was "
     "opened, in the clear perhaps, need not be right now.",
     NULL},
    {"strict-ciphers", DOCTOR_ERROR, doctor_check_values, "TLS without encryption is plaintext.", strict_ciphers},
    {"strict-wrappermode", DOCTOR_ERROR, doctor_check_wrappermode,
     "TLS from the first octet fits a relayhost at port 465 only; every other receiver cannot be reached.", NULL},
    {"transport-maps", DOCTOR_ERROR, doctor_check_transport_maps,
     "An entry that names an SMTP client overrides the sender's transport: mail of every mode takes it.", NULL},
    {"table-unlisted", DOCTOR_UNKNOWN, doctor_check_unlisted_tables,
     "What a table holds that cannot be listed, or read, nobody can vouch for.", NULL},
    {"relayhost-transport", DOCTOR_ERROR, doctor_check_relayhost,
     "A relayhost is a next hop; with a transport in front of it no mail is delivered.", NULL},
    {"default-transport-nexthop", DOCTOR_ERROR, doctor_check_default_transport,
     "The next hop in default_transport is lost for strict mail, which would go to the MX hosts instead of the relay.",
     NULL},
    {"relay-transport", DOCTOR_ERROR, doctor_check_relay_transport,
     "Mail to relay_domains takes relay_transport: Postfix does not ask the sender's transport for it.", NULL},
    {"class-transport", DOCTOR_ERROR, doctor_check_class_transport,
     "Mail of this address class leaves by an SMTP client that knows nothing of modes: tlsmode does not cover it.",
     NULL},
    {"sender-rewriting", DOCTOR_NOTE, doctor_check_rewriting,
     "A message has the mode of the sender that canonical_maps make, not of the one with whom it came, nor of the one "
     "that "
     "smtp_generic_maps make of that.",
     NULL},
    {"instances", DOCTOR_NOTE, doctor_check_instances, "Each instance of Postfix is looked at by itself.", NULL},
    {"probe-sender-map", DOCTOR_WARNING, doctor_check_probes,
     "Address probes come from double-bounce@$myorigin: were that domain enforced, other senders' recipients would be "
     "refused.",
     NULL},
    {"content-filter", DOCTOR_ERROR, doctor_check_content_filter,
     "content_filter replaces all routing: the message leaves to the filter whatever its sender's mode is.", NULL},
    {"filter-action", DOCTOR_ERROR, doctor_check_filter_action,
     "FILTER replaces all routing, for all recipients: the message leaves whatever its sender's mode is.", NULL},
    {"filter-sender", DOCTOR_ERROR, doctor_check_filter_sender,
     "A filter that hands the message back without its sender makes it another sender's mail.", NULL},
    {"filter-home", DOCTOR_WARNING, doctor_check_filter_home,
     "FILTER leads every recipient of the message away, those at home, too.", NULL},
    {"policy-missing", DOCTOR_ERROR, doctor_check_policy_map,
     "Without tlsmode's policy map opportunistic mail ignores MTA-STS and DANE of the destination.", NULL},
    {"map-name", DOCTOR_ERROR, doctor_check_map_names,
     "tlsmode-mapd has no such map, or it is for another parameter: every answer is an error and the mail waits.",
     NULL},
    {"tlsrpt-map-early", DOCTOR_ERROR, doctor_check_tlsrpt_maps,
     "Before Postfix 3.10 the attributes of the -tlsrpt maps are unknown: all mail with an MTA-STS policy waits.",
     NULL},
    {"plain-map-late", DOCTOR_WARNING, doctor_check_plain_maps,
     "Only with the -tlsrpt maps, and smtp_tls_enforce_sts_mx_patterns, does Postfix 3.10.5 and later hold the MX "
     "names "
     "against the MTA-STS policy to the letter.",
     NULL},
    {"proxy-not-allowed", DOCTOR_ERROR, doctor_check_proxy,
     "proxymap(8) opens only tables that proxy_read_maps names; a service's own -o is not among them.", NULL},
    {"min-tls-early", DOCTOR_ERROR, doctor_check_min_tls,
     "Before Postfix 3.6 \"protocols=>=TLSv1.2\" is not understood: all mail with such a policy waits.", NULL},
    {"refusal-missing", DOCTOR_WARNING, doctor_check_refusal,
     "Without it the sender hears of a refusal only when the mail has waited for days.", NULL},
    {"refusal-default", DOCTOR_WARNING, doctor_check_refusal_default,
     "The refusal map is for strict senders; on other mail it may turn a destination's fault into a bounce.", NULL},
    {"soft-bounce", DOCTOR_WARNING, doctor_check_values, "No refusal becomes a bounce: the mail waits for days.",
     soft_bounce},
    {"level-none", DOCTOR_ERROR, doctor_check_values,
     "Where tlsmode has no opinion this level decides: opportunistic mail would not even try TLS.", level_none},
    {"level-strict", DOCTOR_WARNING, doctor_check_values,
     "This level makes opportunistic mail as strict as enforced: receivers without TLS get nothing.", level_strict},
    {"fallback-relay", DOCTOR_ERROR, doctor_check_values,
     "Mail that the destination's own DANE or MTA-STS holds back would go to the fallback relay, in the clear perhaps.",
     fallback},
    {"tls-required", DOCTOR_ERROR, doctor_check_values,
     "From Postfix 3.10 on a message's header \"TLS-Required: no\" (RFC 8689) undoes the destination's DANE and "
     "MTA-STS.",
     required},
    {"dns-support", DOCTOR_ERROR, doctor_check_values,
     "Without it Postfix reads DANE policies as \"may\", or defers the mail.", dns_support},
    {"host-lookup", DOCTOR_ERROR, doctor_check_values,
     "Names that do not come from DNS have no DNSSEC: DANE is not possible.", host_lookup},
    {"insecure-mx-policy", DOCTOR_ERROR, doctor_check_values,
     "TLSA records behind an unsigned MX would be ignored; and before 3.6.17, 3.7.13, 3.8.8 and 3.9.2 the default "
     "follows the wrong level.",
     insecure_mx},
    {"legacy-parameters", DOCTOR_WARNING, doctor_check_legacy,
     "These forerunners of smtp_tls_security_level and smtp_tls_policy_maps are ignored or contradict them.", NULL},
    {"unused-parameter", DOCTOR_WARNING, doctor_check_unused, "Nothing reads it: mostly it is a spelling mistake.",
     NULL},
    {"ca-missing", DOCTOR_ERROR, doctor_check_trust,
     "Without certification authorities no certificate can be verified: MTA-STS and verified mail waits.", NULL},
    {"socket-chroot", DOCTOR_ERROR, doctor_check_socket_chroot,
     "A service in the chroot sees no file outside the queue directory: every lookup fails and the mail waits.", NULL},
    {"socket-permission", DOCTOR_ERROR, doctor_check_socket_permission,
     "The postfix user may not open the socket: every lookup fails and the mail waits.", NULL},
    {"socket-away", DOCTOR_ERROR, doctor_check_socket_away,
     "Nobody answers there as tlsmode does: every lookup fails and the mail waits.", NULL},
    {"socket-unknown", DOCTOR_UNKNOWN, doctor_check_socket_unknown,
     "Only root can look at a socket as the postfix user would.", NULL},
    {"settings-state", DOCTOR_WARNING, doctor_check_settings_state,
     "tlsmode-mapd does not have the settings from Redis as they are now.", NULL},
    {"milter-missing", DOCTOR_ERROR, doctor_check_milter,
     "Mail that the milter does not see is not tagged, not guarded, and its bounces carry the whole message; what is "
     "routed by the header leaves in the clear.",
     NULL},
    {"milter-local", DOCTOR_ERROR, doctor_check_milter_local,
     "Mail from sendmail(1) does not pass the milter: no tag, and bounces with the whole message; what is routed by "
     "the header leaves in the clear.",
     NULL},
    {"milter-accept", DOCTOR_ERROR, doctor_check_milter_action,
     "While the milter is away mail passes without tag and guard; what is routed by the header leaves in the clear.",
     NULL},
    {"strip-missing", DOCTOR_NOTE, doctor_check_strip, "The tag of tlsmode-milter leaves the house with the mail.",
     NULL},
    {"resolver-no-ad", DOCTOR_ERROR, doctor_check_resolver,
     "Postfix believes DANE only from a validating resolver: else \"dane\" is silently \"may\" and \"dane-only\" "
     "defers.",
     NULL},
    {"resolver-remote", DOCTOR_ERROR, doctor_check_resolver_remote,
     "The AD bit of a server on the network can be forged on the way; the validating resolver must be this machine's.",
     NULL},
    {"resolver-trust-ad", DOCTOR_ERROR, doctor_check_trust_ad,
     "Before Postfix 3.5.1 the C library (glibc 2.31 and later) takes the AD bit away without this option.", NULL},
    {"chroot-stale", DOCTOR_WARNING, doctor_check_copies,
     "Services in the chroot read this copy, not the machine's file.", NULL},
    {"redis-away", DOCTOR_UNKNOWN, doctor_check_redis, "Which senders are enforced cannot be known.", NULL},
    {"sentinel-away", DOCTOR_WARNING, doctor_check_sentinels,
     "A failover is followed only as long as one sentinel answers that knows of it.", NULL},
    {"redis-eviction", DOCTOR_ERROR, doctor_check_eviction,
     "Redis may drop settings when it is full, as if somebody had deleted them: strict senders become opportunistic.",
     NULL},
    {"redis-eviction-ending", DOCTOR_WARNING, doctor_check_eviction_ending,
     "Redis, when full, may drop keys that have an end before it comes.", NULL},
    {"exception-endless", DOCTOR_WARNING, doctor_check_exceptions, "An exception weakens; it should end by itself.",
     NULL},
    {"setting-ending", DOCTOR_WARNING, doctor_check_ending,
     "When it ends, what holds without it holds: opportunistic, mostly.", NULL},
    {"setting-bad", DOCTOR_WARNING, doctor_check_bad_settings, "A value nobody understands is read strictly.", NULL},
    {"too-much", DOCTOR_UNKNOWN, doctor_check_cut, "The rest was not looked at.", NULL},
    {"resolver-delay", DOCTOR_NOTE, doctor_check_delay,
     "Postfix remembers the transport of a sender's address for up to 30 seconds: so long may a change take.", NULL},
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

const char *doctor_rule_id(const struct doctor_rule *rule)
{
	return rule->id;
}

const char *doctor_rule_why(const struct doctor_rule *rule)
{
	return rule->why;
}

const struct doctor_rule *doctor_rule_at(size_t i)
{
	return i < RULES ? &rules[i] : NULL;
}

/* The worst first; of one severity in the order of the table. */
static void sort_findings(struct doctor_report *report)
{
	struct doctor_finding *sorted = xcalloc(report->findings + 1, sizeof(sorted[0]));
	size_t n = 0;

	for (int severity = 0; severity < DOCTOR_SEVERITIES; severity++)
		for (size_t i = 0; i < report->findings; i++)
			if ((int)report->finding[i].severity == severity) {
				sorted[n++] = report->finding[i];
				report->count[severity]++;
			}
	assert(n == report->findings);
	memcpy(report->finding, sorted, n * sizeof(sorted[0]));
	free(sorted);
}

void doctor_judge(const struct doctor_facts *f, struct doctor_report *report)
{
	struct doctor *d = xcalloc(1, sizeof(*d));

	memset(report, 0, sizeof(*report));
	d->f = f;
	d->report = report;
	wiring_find(&d->wiring, f);
	for (size_t i = 0; i < RULES; i++) {
		d->rule = &rules[i];
		d->rule->check(d);
	}
	sort_findings(report);
	free(d);
}
