/*
 * identity.h - who sends a message: the domains of the envelope, of the From: field and of the SASL login.
 */
#ifndef TLSMODE_MILTER_IDENTITY_H
#define TLSMODE_MILTER_IDENTITY_H

#include <stdbool.h>

#include "core/domain.h"
#include "core/tag.h"

#define IDENTITY_COUNT                                                                                                 \
	3 /* TAG_BY_ENVELOPE, TAG_BY_FROM, TAG_BY_AUTH: the order of preference among equally strict ones */

struct identity {
	bool there;               /* false: the message has none of this kind */
	char domain[DOMAIN_SIZE]; /* canonical; "<>" the null sender; "" an address without a domain name ("*" applies)
				   */
	const char *missing;      /* why it is not there, static; NULL when nothing of the kind was seen */
};

/* MAIL FROM as the MTA hands it over; always there. */
void identity_envelope(struct identity *out, const char *raw_sender);

/* The value of the only From: field; not there when it has no one mailbox with a domain name. */
void identity_from(struct identity *out, const char *raw_field);

/* The SASL login {auth_authen}; not there without one (NULL) and when it has no domain. */
void identity_auth(struct identity *out, const char *raw_login);

#endif
