/*
 * identity.c - who sends a message. Not the choice between identities: that is message.c.
 *
 * Called from libmilter's callbacks; pure.
 */
#include "milter/identity.h"

#include <string.h>

#include "core/from.h"

void identity_envelope(struct identity *out, const char *raw_sender)
{
	enum address_status status = domain_of_address(out->domain, raw_sender, strlen(raw_sender));

	out->there = true;
	if (status == ADDRESS_NULL)
		memcpy(out->domain, "<>", sizeof("<>"));
}

void identity_from(struct identity *out, const char *raw_field)
{
	out->there = from_domain(out->domain, raw_field, strlen(raw_field), &out->missing);
}

void identity_auth(struct identity *out, const char *raw_login)
{
	out->domain[0] = '\0';
	out->there = raw_login && strchr(raw_login, '@') &&
		     domain_of_address(out->domain, raw_login, strlen(raw_login)) == ADDRESS_DOMAIN;
	out->missing = raw_login ? "no domain" : NULL;
}
