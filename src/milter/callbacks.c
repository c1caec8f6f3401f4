/*
 * callbacks.c - what libmilter calls. Callbacks of one session come from changing threads, one at a time: all state is
 * in the session.
 *
 * Asked for is the least: MAIL FROM and headers without a reply, the end of the message, and the macros {auth_authen},
 * {mail_addr} and i (16,000 messages a second on one connection; 3,000 with every step). The watch on routes adds RCPT
 * TO with {rcpt_addr} and {rcpt_mailer}: a twentieth less without a reply, which is the default, two fifths less where
 * it waits for a reply because that may be a refusal. The body never comes here.
 */
#include "milter/callbacks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libmilter/mfapi.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "milter/message.h"
#include "milter/report.h"

/* Below the MTA's own Received field, above all that came with the message. */
#define TAG_POSITION 1

#define FULL_SAID_MS 60000

#define STEPS_UNWANTED (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN)
#define STEPS_WITHOUT_REPLY (SMFIP_NR_MAIL | SMFIP_NR_HDR)

struct session {
	struct message message;
	bool in_message;
	bool answers_rcpt; /* as negotiated; a reload does not change it midway */
};

static pthread_rwlock_t policy_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct message_policy policy_now;
static struct mirror *settings_mirror;
static atomic_size_t in_flight;
static atomic_size_t sessions, max_sessions;
static _Atomic int64_t full_said_ms;
static atomic_bool no_chgfrom_said;

void callbacks_configure(const struct conf *conf)
{
	struct message_policy fresh;

	message_policy_init(&fresh, conf);
	pthread_rwlock_wrlock(&policy_lock);
	policy_now = fresh;
	pthread_rwlock_unlock(&policy_lock);
	atomic_store(&max_sessions, conf->milter.max_sessions);
}

void callbacks_use(struct mirror *m)
{
	settings_mirror = m;
}

size_t callbacks_in_flight(void)
{
	return atomic_load(&in_flight);
}

/* libmilter takes its strings without const and does not change them. */
static char *unconst(const char *s)
{
	return (char *)(uintptr_t)s;
}

static struct session *session_of(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	if (!s) {
		s = xcalloc(1, sizeof(*s));
		atomic_fetch_add(&sessions, 1);
		smfi_setpriv(ctx, s);
	}
	return s;
}

static void begin_message(struct session *s)
{
	message_fini(&s->message);
	pthread_rwlock_rdlock(&policy_lock);
	message_begin(&s->message, &policy_now);
	s->message.may_refuse_rcpt = s->answers_rcpt;
	s->message.reads_all = log_level() >= LOG_LVL_DEBUG;
	pthread_rwlock_unlock(&policy_lock);
	if (!s->in_message)
		atomic_fetch_add(&in_flight, 1);
	s->in_message = true;
}

static void end_message(struct session *s)
{
	if (s && s->in_message) {
		s->in_message = false;
		atomic_fetch_sub(&in_flight, 1);
	}
}

/* ---- steps ---- */

static void want_recipients(SMFICTX *ctx, unsigned long steps, unsigned long *want_steps)
{
	bool watch, refuse;

	pthread_rwlock_rdlock(&policy_lock);
	watch = policy_now.escape.watch;
	refuse = policy_now.on_escape != ACTION_ACCEPT;
	pthread_rwlock_unlock(&policy_lock);
	if (!watch)
		*want_steps |= steps & SMFIP_NORCPT;
	else if (!refuse)
		*want_steps |= steps & SMFIP_NR_RCPT;
	session_of(ctx)->answers_rcpt = (*want_steps & SMFIP_NR_RCPT) == 0;
}

/* milter.max_sessions: the MTA then does what it does without a milter (milter_default_action = tempfail). */
static bool is_full(void)
{
	int64_t now = tick_mono_ms(), said = atomic_load(&full_said_ms);

	if (atomic_load(&sessions) < atomic_load(&max_sessions))
		return false;
	report_full();
	if ((said == 0 || now - said >= FULL_SAID_MS) && atomic_compare_exchange_strong(&full_said_ms, &said, now))
		log_warn("event=session_refused sessions=%zu reason=\"milter.max_sessions reached\"",
			 atomic_load(&sessions));
	return true;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused2,
			     unsigned long unused3, unsigned long *want_actions, unsigned long *want_steps,
			     unsigned long *want2, unsigned long *want3)
{
	const unsigned long needed = SMFIF_ADDHDRS | SMFIF_CHGHDRS;

	(void)unused2;
	(void)unused3;
	*want2 = *want3 = 0;
	if ((actions & needed) != needed) {
		log_error(
		    "event=negotiation status=failed reason=\"the MTA does not let us add and remove header fields\"");
		return SMFIS_REJECT;
	}
	if (is_full())
		return SMFIS_REJECT;
	*want_actions = needed | (actions & (SMFIF_CHGFROM | SMFIF_SETSYMLIST));
	*want_steps = steps & (STEPS_UNWANTED | STEPS_WITHOUT_REPLY);
	want_recipients(ctx, steps, want_steps);
	if ((actions & SMFIF_SETSYMLIST) != 0) {
		/* {mail_addr} and {rcpt_addr} are always there: libmilter drops an empty list of macros, and the login
		 * or the transport before would stay in force */
		smfi_setsymlist(ctx, SMFIM_ENVFROM, unconst("{auth_authen} {mail_addr}"));
		smfi_setsymlist(ctx, SMFIM_ENVRCPT, unconst("i {rcpt_addr} {rcpt_mailer}"));
		smfi_setsymlist(ctx, SMFIM_EOM, unconst("i"));
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	struct session *s = session_of(ctx);

	begin_message(s);
	message_mail(&s->message, argv, smfi_getsymval(ctx, unconst("{auth_authen}")));
	return SMFIS_NOREPLY;
}

static sfsistat reply(SMFICTX *ctx, const struct message_verdict *v)
{
	smfi_setreply(ctx, unconst(v->code), unconst(v->status), unconst(v->text));
	return v->outcome == MESSAGE_TEMPFAIL ? SMFIS_TEMPFAIL : SMFIS_REJECT;
}

/* The settings, or NULL while they are not known; mirror_done() after both. */
static const struct settings *read_settings(void)
{
	bool known = mirror_state(settings_mirror) != MIRROR_UNKNOWN;
	const struct settings *settings = mirror_read(settings_mirror);

	return known ? settings : NULL;
}

static void take_recipient(struct session *s, const char *rcpt, const char *mailer, struct message_verdict *v)
{
	message_recipient(&s->message, rcpt, mailer, read_settings(), tick_wall_ms(), v);
	mirror_done(settings_mirror);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	struct session *s = session_of(ctx);
	const char *mailer = smfi_getsymval(ctx, unconst("{rcpt_mailer}"));
	struct message_verdict v;
	char id[REPORT_ID_SIZE];

	if (!s->in_message || !s->message.policy.escape.watch)
		return s->answers_rcpt ? SMFIS_CONTINUE : SMFIS_NOREPLY;
	take_recipient(s, argv[0], mailer, &v);
	if (v.outcome == MESSAGE_PASS)
		return s->answers_rcpt ? SMFIS_CONTINUE : SMFIS_NOREPLY;
	report_recipient(report_id(id, smfi_getsymval(ctx, unconst("i"))), &s->message, argv[0], mailer, &v);
	return reply(ctx, &v);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *s = session_of(ctx);

	if (s->in_message)
		message_header(&s->message, name, value);
	return SMFIS_NOREPLY;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	end_message(smfi_getpriv(ctx));
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	end_message(s);
	if (s) {
		message_fini(&s->message);
		atomic_fetch_sub(&sessions, 1);
	}
	free(s);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

/* ---- the end of a message ---- */

static void decide(const struct message *m, struct message_verdict *v)
{
	message_decide(m, read_settings(), tick_wall_ms(), v);
	mirror_done(settings_mirror);
}

/* From the last to the first: MTAs differ in whether a removed field still counts. */
static bool remove_forged(SMFICTX *ctx, const struct message *m, unsigned count)
{
	for (; count > 0; count--)
		if (smfi_chgheader(ctx, unconst(m->policy.header), (int)count, NULL) != MI_SUCCESS)
			return false;
	return true;
}

static bool edit(SMFICTX *ctx, const struct message *m, struct message_verdict *v)
{
	if (!remove_forged(ctx, m, v->remove))
		return false;
	if (v->tag[0] != '\0' && smfi_insheader(ctx, TAG_POSITION, unconst(m->policy.header), v->tag) != MI_SUCCESS)
		return false;
	/* without it the bounce has a body, no more: not a reason to hold mail up */
	if (v->return_headers && smfi_chgfrom(ctx, unconst(m->sender), unconst("RET=HDRS")) != MI_SUCCESS &&
	    !atomic_exchange(&no_chgfrom_said, true))
		log_warn("event=return-headers status=failed reason=\"the MTA does not let us change RET\"");
	return true;
}

static sfsistat carry_out(SMFICTX *ctx, const struct message *m, struct message_verdict *v, const char *id)
{
	if (v->outcome == MESSAGE_PASS) {
		if (edit(ctx, m, v))
			return SMFIS_CONTINUE;
		/* a forged tag may still be there */
		log_error("%s: event=edit status=failed reason=\"the MTA did not take a header change\"", id);
		return SMFIS_TEMPFAIL;
	}
	return reply(ctx, v);
}

static sfsistat on_end(SMFICTX *ctx)
{
	struct session *s = session_of(ctx);
	struct message_verdict v;
	sfsistat result;
	char id[REPORT_ID_SIZE];

	if (!s->in_message)
		return SMFIS_TEMPFAIL; /* an end without a beginning: not a message we know */
	report_id(id, smfi_getsymval(ctx, unconst("i")));
	decide(&s->message, &v);
	result = carry_out(ctx, &s->message, &v, id);
	report_message(id, &s->message, &v);
	end_message(s);
	return result;
}

bool callbacks_register(void)
{
	struct smfiDesc desc = {
	    .xxfi_name = unconst("tlsmode-milter"),
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGFROM | SMFIF_SETSYMLIST,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt,
	    .xxfi_header = on_header,
	    .xxfi_eom = on_end,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_negotiate = on_negotiate,
	};

	return smfi_register(desc) == MI_SUCCESS;
}
