/*
 * message.h - one message on its way through the milter: what the callbacks gather, and what is done with it at its
 * end.
 *
 * Pure: no libmilter, no clock, no log. callbacks.c feeds it and carries the verdict out.
 */
#ifndef TLSMODE_MILTER_MESSAGE_H
#define TLSMODE_MILTER_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/settings.h"
#include "io/conf/conf.h"
#include "milter/escape.h"
#include "milter/identity.h"

#define MESSAGE_SENDER_SIZE 1024 /* of MAIL FROM with its brackets; a longer one keeps its RET */
#define MESSAGE_HEADER_SIZE 65
#define MESSAGE_TAG_SIZE 400

/* What a message needs of the configuration: a copy, so that a reload never changes a message midway. */
struct message_policy {
	unsigned identity; /* set of enum conf_identity */
	char header[MESSAGE_HEADER_SIZE];
	bool tag_opportunistic;
	bool return_headers;
	enum conf_action on_mismatch, on_escape, tls_required_no;
	enum when_unknown when_unknown;
	struct escape_rules escape;
};
void message_policy_init(struct message_policy *out, const struct conf *conf);

struct message {
	struct message_policy policy;
	struct identity identity[IDENTITY_COUNT];
	unsigned from_fields;             /* From: fields seen */
	unsigned forged;                  /* fields with our header's name that came with it */
	bool tls_required_no;             /* a TLS-Required: field says "No" (RFC 8689 s5) */
	bool requires_tls;                /* the client said REQUIRETLS: the field means nothing (RFC 8689 s4.1) */
	bool returns_headers;             /* the client said RET=HDRS itself */
	char sender[MESSAGE_SENDER_SIZE]; /* MAIL FROM as it came, "" when too long */
	bool may_refuse_rcpt;             /* RCPT TO waits for our reply (the caller says so) */
	bool reads_all;         /* identities that are not configured, too: for the log (the caller says so) */
	struct escapes escapes; /* recipients that were taken, by their transports */
};

/* M is all zero at first, or has been through message_fini(). */
void message_begin(struct message *m, const struct message_policy *policy);
/* ARGV: the sender, then its ESMTP arguments; ended by NULL. */
void message_mail(struct message *m, char *const *argv, const char *login);
void message_header(struct message *m, const char *name, const char *value);
void message_fini(struct message *m);

enum message_outcome { MESSAGE_PASS, MESSAGE_TEMPFAIL, MESSAGE_REJECT };

struct message_verdict {
	enum message_outcome outcome;
	const char *code, *status, *text; /* of the SMTP reply, unless MESSAGE_PASS; static */
	const char *event, *reason;       /* for the log; static; REASON NULL: none */
	enum mode mode;                   /* at RCPT TO what is known by then */
	char domain[DOMAIN_SIZE];
	enum tag_by by;
	bool mismatch;              /* another identity is stricter than the envelope, whose route the mail takes */
	unsigned escapes;           /* recipients whose transport does not keep the mode */
	unsigned remove;            /* copies of our header to take away */
	char tag[MESSAGE_TAG_SIZE]; /* value of the header to add, "" for none */
	bool return_headers;        /* change RET to HDRS */
};

/* SETTINGS NULL: they are not known. */

/* One recipient, which the MTA would hand to transport MAILER (NULL: it does not say). MESSAGE_PASS: it counts as
 * taken; else OUT has the reply and the log's mode. */
void message_recipient(struct message *m, const char *rcpt, const char *mailer, const struct settings *settings,
		       int64_t now_ms, struct message_verdict *out);
/* The end of the message. */
void message_decide(const struct message *m, const struct settings *settings, int64_t now_ms,
		    struct message_verdict *out);

#endif
