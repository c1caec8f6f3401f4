/*
 * message.c - from what the callbacks gathered to the tag: the strictest mode of the configured identities wins.
 *
 * Called by callbacks.c. A forged tag is removed whatever else happens; an identity that a message does not have adds
 * nothing; a message with none of the configured ones has what "*" says.
 */
#include "milter/message.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const unsigned identity_bit[IDENTITY_COUNT] = {
    [TAG_BY_ENVELOPE] = IDENTITY_ENVELOPE,
    [TAG_BY_FROM] = IDENTITY_FROM,
    [TAG_BY_AUTH] = IDENTITY_AUTH,
};

void message_policy_init(struct message_policy *out, const struct conf *conf)
{
	memset(out, 0, sizeof(*out));
	out->identity = conf->milter.identity;
	snprintf(out->header, sizeof(out->header), "%s", conf->milter.header);
	out->tag_opportunistic = conf->milter.tag_opportunistic;
	out->return_headers = conf->milter.return_headers;
	out->on_mismatch = conf->milter.on_mismatch;
	out->on_escape = conf->milter.on_escape;
	out->tls_required_no = conf->milter.tls_required_no;
	out->when_unknown = conf->settings.when_unknown;
	escape_rules_init(&out->escape, conf);
}

/* ---- gathering ---- */

void message_begin(struct message *m, const struct message_policy *policy)
{
	memset(m, 0, sizeof(*m));
	m->policy = *policy;
}

void message_fini(struct message *m)
{
	escapes_fini(&m->escapes);
}

/* Whether an identity is worth reading. The envelope always is, and does not ask here: it is the route. */
static bool reads(const struct message *m, enum tag_by by)
{
	return m->reads_all || (m->policy.identity & identity_bit[by]) != 0;
}

void message_mail(struct message *m, char *const *argv, const char *login)
{
	size_t len = strlen(argv[0]);

	identity_envelope(&m->identity[TAG_BY_ENVELOPE], argv[0]);
	if (reads(m, TAG_BY_AUTH))
		identity_auth(&m->identity[TAG_BY_AUTH], login);
	if (len < sizeof(m->sender))
		memcpy(m->sender, argv[0], len + 1);
	for (size_t i = 1; argv[i]; i++) {
		if (strcasecmp(argv[i], "RET=HDRS") == 0)
			m->returns_headers = true;
		else if (strcasecmp(argv[i], "REQUIRETLS") == 0)
			m->requires_tls = true;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool same_letter(char a, char b)
{
	return (a | 0x20) == (b | 0x20);
}

/* RFC 5322 s4.5.2 allows blanks before the colon; an MTA may hand them over. */
static bool name_is(const char *name, const char *wanted)
{
	size_t len;

	if (!same_letter(name[0], wanted[0])) /* most fields of most messages */
		return false;
	len = strlen(name);
	while (len > 0 && is_blank(name[len - 1]))
		len--;
	return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

/* RFC 8689 s5: the value is the word "No" and nothing else. */
static bool value_is_no(const char *value)
{
	while (is_blank(*value))
		value++;
	if (strncasecmp(value, "no", 2) != 0)
		return false;
	for (value += 2; is_blank(*value); value++)
		;
	return *value == '\0';
}

void message_header(struct message *m, const char *name, const char *value)
{
	if (name_is(name, m->policy.header)) {
		m->forged++;
	} else if (reads(m, TAG_BY_FROM) && name_is(name, "From")) {
		/* two From: fields: what one reader takes for the author another does not */
		if (++m->from_fields == 1)
			identity_from(&m->identity[TAG_BY_FROM], value);
		else
			m->identity[TAG_BY_FROM] = (struct identity){.missing = "several From fields"};
	} else if (name_is(name, "TLS-Required")) {
		m->tls_required_no |= value_is_no(value);
	}
}

/* ---- deciding ---- */

static enum mode mode_of(const struct settings *settings, const char *domain, int64_t now_ms)
{
	struct sender_setting setting;

	settings_sender(settings, domain, now_ms, &setting);
	return setting.mode;
}

/* The first configured identity of the message, or the first configured one without a domain. */
static void take_first(const struct message *m, struct message_verdict *out)
{
	static const char none[DOMAIN_SIZE];
	bool found = false;

	for (int i = IDENTITY_COUNT - 1; i >= 0; i--) {
		bool there = m->identity[i].there;

		if ((m->policy.identity & identity_bit[i]) == 0 || (found && !there))
			continue;
		found = there;
		out->by = (enum tag_by)i;
		memcpy(out->domain, there ? m->identity[i].domain : none, sizeof(out->domain));
	}
}

static void take_strictest(const struct message *m, const struct settings *settings, int64_t now_ms,
			   struct message_verdict *out)
{
	take_first(m, out);
	out->mode = mode_of(settings, out->domain, now_ms);
	for (int i = 0; i < IDENTITY_COUNT; i++) {
		enum mode mode;

		if ((m->policy.identity & identity_bit[i]) == 0 || !m->identity[i].there || i == (int)out->by)
			continue;
		mode = mode_of(settings, m->identity[i].domain, now_ms);
		if (mode <= out->mode)
			continue;
		out->mode = mode;
		out->by = (enum tag_by)i;
		memcpy(out->domain, m->identity[i].domain, sizeof(out->domain));
	}
	out->mismatch =
	    out->by != TAG_BY_ENVELOPE && out->mode > mode_of(settings, m->identity[TAG_BY_ENVELOPE].domain, now_ms);
}

static void take_unknown_mode(const struct message *m, struct message_verdict *out)
{
	take_first(m, out);
	out->by = TAG_BY_UNKNOWN;
	out->mode = m->policy.when_unknown == UNKNOWN_OPPORTUNISTIC ? MODE_OPPORTUNISTIC : MODE_ENFORCED;
}

static void refuse(struct message_verdict *out, enum message_outcome outcome, const char *status, const char *reason,
		   const char *text)
{
	out->outcome = outcome;
	out->code = outcome == MESSAGE_TEMPFAIL ? "451" : "550";
	out->status = status;
	out->text = text;
	out->event = outcome == MESSAGE_TEMPFAIL ? "tempfail" : "rejected";
	out->reason = reason;
}

static void take_unknown(const struct message *m, struct message_verdict *out)
{
	take_unknown_mode(m, out);
	if (m->policy.when_unknown == UNKNOWN_TEMPFAIL)
		refuse(out, MESSAGE_TEMPFAIL, "4.7.0", "settings-unknown",
		       "TLS mode of the sender is not known yet, try again later");
}

static void refuse_escape(const struct message *m, struct message_verdict *out)
{
	bool later = m->policy.on_escape == ACTION_TEMPFAIL;

	refuse(out, later ? MESSAGE_TEMPFAIL : MESSAGE_REJECT, later ? "4.7.10" : "5.7.10", "escape",
	       "Sender domain requires TLS, but the configured route to a recipient does not keep it; "
	       "tell your postmaster");
}

/* RFC 8689 s5 knows one such field only, but Postfix heeds each of several. It gives way to REQUIRETLS (s4.1). */
static bool waives_tls(const struct message *m)
{
	return m->tls_required_no && !m->requires_tls;
}

static void check_refusals(const struct message *m, struct message_verdict *out)
{
	if (out->outcome != MESSAGE_PASS)
		return;
	if (out->mismatch && m->policy.on_mismatch == ACTION_REJECT)
		refuse(out, MESSAGE_REJECT, "5.7.1", "mismatch",
		       "Author or login requires a stricter TLS mode than the envelope sender; "
		       "use an envelope sender of the same domain");
	else if (waives_tls(m) && out->mode > MODE_OPPORTUNISTIC && m->policy.tls_required_no == ACTION_REJECT)
		refuse(out, MESSAGE_REJECT, "5.7.10", "tls-required-no",
		       "Sender domain requires TLS, but the message says TLS-Required: No; send it without that field");
	else if (out->escapes > 0 && m->policy.on_escape != ACTION_ACCEPT)
		refuse_escape(m, out);
}

static void write_tag(const struct message *m, struct message_verdict *out)
{
	struct sbuf b;

	out->event = "untagged";
	if (out->mode == MODE_OPPORTUNISTIC && !m->policy.tag_opportunistic)
		return;
	out->event = "tagged";
	sbuf_init(&b, out->tag, sizeof(out->tag));
	tag_format(&b, out->mode, out->domain, out->by);
}

/* ---- recipients ---- */

static enum mode keeps_of(const struct message *m, const char *mailer, const struct settings *settings, int64_t now_ms)
{
	enum mode keeps = escape_keeps(&m->policy.escape, "", mailer);
	struct sender_setting setting;

	if (keeps == MODE_VERIFIED || !settings)
		return keeps;
	settings_sender(settings, m->identity[TAG_BY_ENVELOPE].domain, now_ms, &setting);
	return mode_stricter(keeps, escape_keeps(&m->policy.escape, setting.via, mailer));
}

static bool has_identity(const struct message *m)
{
	for (int i = 0; i < IDENTITY_COUNT; i++)
		if ((m->policy.identity & identity_bit[i]) != 0 && m->identity[i].there)
			return true;
	return false;
}

/* What the message's mode is at least: the From: field is still to come and can only add to it. */
static void take_so_far(const struct message *m, const struct settings *settings, int64_t now_ms,
			struct message_verdict *out)
{
	if (!settings) {
		take_unknown_mode(m, out);
		if (m->policy.when_unknown == UNKNOWN_TEMPFAIL)
			out->mode = MODE_OPPORTUNISTIC; /* the end of the message defers it */
	} else if ((m->policy.identity & IDENTITY_FROM) == 0 || has_identity(m)) {
		take_strictest(m, settings, now_ms, out);
	}
}

void message_recipient(struct message *m, const char *rcpt, const char *mailer, const struct settings *settings,
		       int64_t now_ms, struct message_verdict *out)
{
	enum mode keeps;

	memset(out, 0, sizeof(*out));
	if (!mailer) {
		m->escapes.untold++;
		return;
	}
	keeps = keeps_of(m, mailer, settings, now_ms);
	if (keeps < MODE_VERIFIED && m->may_refuse_rcpt && m->policy.on_escape != ACTION_ACCEPT) {
		take_so_far(m, settings, now_ms, out);
		if (out->mode > keeps) {
			refuse_escape(m, out);
			return;
		}
	}
	escapes_add(&m->escapes, rcpt, mailer, keeps);
}

/* ---- the end ---- */

void message_decide(const struct message *m, const struct settings *settings, int64_t now_ms,
		    struct message_verdict *out)
{
	memset(out, 0, sizeof(*out));
	if (!settings)
		take_unknown(m, out);
	else
		take_strictest(m, settings, now_ms, out);
	out->escapes = escapes_count(&m->escapes, out->mode);
	check_refusals(m, out);
	if (out->outcome != MESSAGE_PASS)
		return;
	write_tag(m, out);
	out->remove = m->forged;
	/* the null sender gets no bounce; "" was too long to be repeated */
	out->return_headers = m->policy.return_headers && out->mode > MODE_OPPORTUNISTIC && !m->returns_headers &&
			      m->sender[0] != '\0' && strcmp(m->identity[TAG_BY_ENVELOPE].domain, "<>") != 0;
}
