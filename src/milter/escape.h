/*
 * escape.h - the watch on {rcpt_mailer}: does the transport of a recipient keep the mode of the sender?
 *
 * What an MTA says of a recipient at RCPT TO is held against the names that keep a mode. Pure: no libmilter, no clock,
 * no log. message.c owns one struct escapes per message.
 */
#ifndef TLSMODE_MILTER_ESCAPE_H
#define TLSMODE_MILTER_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/mode.h"
#include "io/conf/conf.h"

#define ESCAPE_NAME_SIZE 64
#define ESCAPE_NOTES 20 /* recipients named in the log, per message; all are counted */

/* The names of the configuration: a copy, as the rest of struct message_policy. */
struct escape_rules {
	bool watch; /* false: no recipient is looked at */
	char enforced[ESCAPE_NAME_SIZE], verified[ESCAPE_NAME_SIZE];
	char local[CONF_NAMES_SIZE];  /* " local virtual ": each between two blanks */
	char strict[CONF_NAMES_SIZE]; /* the same */
};
void escape_rules_init(struct escape_rules *out, const struct conf *conf);

/* The strictest mode that transport MAILER keeps: verified for a local one, from which nothing leaves. VIA: the family
 * of the sender, whose -enforced and -verified count; "" none. */
enum mode escape_keeps(const struct escape_rules *rules, const char *via, const char *mailer);

struct escape_note {
	char *rcpt, *mailer;
	enum mode keeps;
};

/* The recipients of one message. All zero is empty. */
struct escapes {
	unsigned keeping[MODE_COUNT]; /* recipients by the strictest mode that their transport keeps */
	unsigned untold;              /* recipients whose transport the MTA did not name */
	size_t noted;
	struct escape_note *note; /* the first ones that may be an escape; NULL none */
};
void escapes_add(struct escapes *e, const char *rcpt, const char *mailer, enum mode keeps);
/* How many escape when the message's mode is MODE. */
unsigned escapes_count(const struct escapes *e, enum mode mode);
void escapes_fini(struct escapes *e);

#endif
