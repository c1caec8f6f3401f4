/*
 * doctor.h - the rules that a Postfix installation must keep for tlsmode's promise to hold, and what is found of them.
 *
 * Pure: doctor_ask() says what to look at, doctor_judge() turns what was seen (doctor_facts.h) into findings. A rule is
 * a row of the table in doctor.c; its id is fixed and explained in tlsmode(1).
 */
#ifndef TLSMODE_CORE_DOCTOR_H
#define TLSMODE_CORE_DOCTOR_H

#include "core/doctor/doctor_facts.h"

#define DOCTOR_FINDINGS_MAX 200

enum doctor_severity {
	DOCTOR_ERROR,   /* the promise does not hold */
	DOCTOR_UNKNOWN, /* whether it holds could not be found out */
	DOCTOR_WARNING, /* it holds, but mail waits, bounces or is tagged otherwise than people expect */
	DOCTOR_NOTE
};
#define DOCTOR_SEVERITIES 4
extern const struct name_code doctor_severity_names[]; /* error unknown warning note */

struct doctor_rule;

struct doctor_finding {
	const struct doctor_rule *rule;
	enum doctor_severity severity;
	char parameter[200]; /* "relayhost", "smtp-enforced/unix/smtp_tls_policy_maps", "redis maxmemory-policy" */
	char found[700];     /* what is there, one sentence */
	char mend[4600];     /* command lines, or what to edit, line by line */
};

struct doctor_report {
	struct doctor_finding finding[DOCTOR_FINDINGS_MAX];
	size_t findings;
	size_t left_out; /* more than there was room for */
	size_t count[DOCTOR_SEVERITIES];
};

/* Fills in F what must be looked at: sockets, tables, trust, resolvers, copies. Needs postfix, version, conf and
 * redis. */
void doctor_ask(struct doctor_facts *f);

/* Findings by severity, the worst first. */
void doctor_judge(const struct doctor_facts *f, struct doctor_report *report);

const char *doctor_rule_id(const struct doctor_rule *rule);
const char *doctor_rule_why(const struct doctor_rule *rule); /* why it matters: static text */
/* All rules, for the manual's test. NULL behind the last. */
const struct doctor_rule *doctor_rule_at(size_t i);

#endif
