/*
 * report.c - see report.h. Nothing of a message gets into the log but through log_quote().
 */
#include "milter/report.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sbuf.h"

#define ADDRESS_QUOTED 400 /* octets of an address or a transport in a log line */

/* ---- counters ---- */
enum counter {
	COUNT_MESSAGES,
	COUNT_ENFORCED,
	COUNT_VERIFIED,
	COUNT_REFUSED,
	COUNT_FORGED,
	COUNT_MISMATCHES,
	COUNT_ESCAPES,
	COUNT_ESCAPES_REFUSED,
	COUNT_UNTOLD,
	COUNT_SESSIONS_REFUSED,
	COUNTERS
};
static const char *const counter_names[COUNTERS] = {
    [COUNT_MESSAGES] = "messages",                 /* that came to their end */
    [COUNT_ENFORCED] = "enforced",                 /* of them */
    [COUNT_VERIFIED] = "verified",                 /* of them */
    [COUNT_REFUSED] = "refused",                   /* of them, for now or for good */
    [COUNT_FORGED] = "forged",                     /* fields removed */
    [COUNT_MISMATCHES] = "mismatches",             /* messages stricter than their route */
    [COUNT_ESCAPES] = "escapes",                   /* recipients whose transport does not keep the mode */
    [COUNT_ESCAPES_REFUSED] = "escapes_refused",   /* of them, alone or with their message */
    [COUNT_UNTOLD] = "untold",                     /* recipients of strict mail whose transport was not told */
    [COUNT_SESSIONS_REFUSED] = "sessions_refused", /* beyond milter.max_sessions */
};
static atomic_ulong counters[COUNTERS];
static atomic_ulong told; /* sum of the counters in the last line */

static void count(enum counter c, unsigned more)
{
	if (more > 0)
		atomic_fetch_add_explicit(&counters[c], more, memory_order_relaxed);
}

void report_full(void)
{
	count(COUNT_SESSIONS_REFUSED, 1);
}

void report_counters(void)
{
	char line[COUNTERS * 40];
	unsigned long sum = 0;
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	for (int i = 0; i < COUNTERS; i++) {
		unsigned long value = atomic_load(&counters[i]);

		sum += value;
		sbuf_addf(&b, " %s=%lu", counter_names[i], value);
	}
	sum += log_unwritten();
	if (sum != atomic_exchange(&told, sum))
		log_info("event=counters%s log_dropped=%" PRIu64, line, log_unwritten());
}

static void count_message(const struct message *m, const struct message_verdict *v)
{
	bool refused = v->outcome != MESSAGE_PASS;

	count(COUNT_MESSAGES, 1);
	count(COUNT_ENFORCED, v->mode == MODE_ENFORCED);
	count(COUNT_VERIFIED, v->mode == MODE_VERIFIED);
	count(COUNT_REFUSED, refused);
	count(COUNT_FORGED, v->remove);
	count(COUNT_MISMATCHES, v->mismatch);
	count(COUNT_ESCAPES, v->escapes);
	count(COUNT_ESCAPES_REFUSED, refused ? v->escapes : 0);
	count(COUNT_UNTOLD, v->mode > MODE_OPPORTUNISTIC ? m->escapes.untold : 0);
}

/* ---- lines ---- */

const char *report_id(char out[REPORT_ID_SIZE], const char *raw_id)
{
	const char *id = raw_id ? raw_id : "NOQUEUE";

	return log_quote(out, REPORT_ID_SIZE, id, strlen(id));
}

static void log_verdict(const char *id, const struct message *m, const struct message_verdict *v)
{
	char domain[DOMAIN_SIZE + 8];

	log_quote(domain, sizeof(domain), v->domain, strlen(v->domain));
	log_info("%s: event=%s mode=%s domain=%s by=%s removed=%u%s%s", id, v->event,
		 names_name(mode_names, (int)v->mode), domain, names_name(tag_by_names, (int)v->by), v->remove,
		 v->reason ? " reason=" : "", v->reason ? v->reason : "");
	if (v->mismatch && v->outcome == MESSAGE_PASS && m->policy.on_mismatch == ACTION_ACCEPT)
		log_warn("%s: event=mismatch mode=%s domain=%s by=%s reason=\"the envelope's route is less strict\"",
			 id, names_name(mode_names, (int)v->mode), domain, names_name(tag_by_names, (int)v->by));
}

static void log_identities(const char *id, const struct message *m)
{
	char line[IDENTITY_COUNT * (DOMAIN_SIZE + 40)], quoted[DOMAIN_SIZE + 8];
	struct sbuf b;

	if (log_level() < LOG_LVL_DEBUG)
		return;
	sbuf_init(&b, line, sizeof(line));
	for (int i = 0; i < IDENTITY_COUNT; i++) {
		const struct identity *who = &m->identity[i];
		const char *text = who->there ? who->domain : who->missing ? who->missing : "none";

		sbuf_addf(&b, " %s=%s", names_name(tag_by_names, i),
			  log_quote(quoted, sizeof(quoted), text, strlen(text)));
	}
	log_debug("%s: event=identities%s", id, line);
}

static const char *outcome_name(enum message_outcome outcome)
{
	static const char *const names[] = {
	    [MESSAGE_PASS] = "accept", [MESSAGE_TEMPFAIL] = "tempfail", [MESSAGE_REJECT] = "reject"};

	return names[outcome];
}

static void log_escape(const char *id, const struct message *m, const char *rcpt, const char *mailer,
		       const struct message_verdict *v)
{
	char from[ADDRESS_QUOTED], to[ADDRESS_QUOTED], by[ADDRESS_QUOTED];

	log_warn("%s: event=escape action=%s mode=%s mailer=%s sender=%s rcpt=%s", id, outcome_name(v->outcome),
		 names_name(mode_names, (int)v->mode), log_quote(by, sizeof(by), mailer, strlen(mailer)),
		 log_quote(from, sizeof(from), m->sender, strlen(m->sender)),
		 log_quote(to, sizeof(to), rcpt, strlen(rcpt)));
}

static void log_escapes(const char *id, const struct message *m, const struct message_verdict *v)
{
	unsigned named = 0;

	for (size_t i = 0; i < m->escapes.noted; i++) {
		const struct escape_note *note = &m->escapes.note[i];

		if (note->keeps >= v->mode)
			continue;
		log_escape(id, m, note->rcpt, note->mailer, v);
		named++;
	}
	if (named < v->escapes)
		log_warn("%s: event=escape action=%s mode=%s more=%u", id, outcome_name(v->outcome),
			 names_name(mode_names, (int)v->mode), v->escapes - named);
}

/* ---- events ---- */

void report_recipient(const char *id, const struct message *m, const char *rcpt, const char *mailer,
		      const struct message_verdict *v)
{
	count(COUNT_ESCAPES, 1);
	count(COUNT_ESCAPES_REFUSED, 1);
	log_escape(id, m, rcpt, mailer, v);
}

void report_message(const char *id, const struct message *m, const struct message_verdict *v)
{
	count_message(m, v);
	log_identities(id, m);
	log_verdict(id, m, v);
	if (v->escapes > 0)
		log_escapes(id, m, v);
}
