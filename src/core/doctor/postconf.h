/*
 * postconf.h - a Postfix configuration as postconf(1) prints it: all parameters (`postconf`), the services
 * (`postconf -M`) and their own values (`postconf -P`), with Postfix's rules of expansion (postconf(5)).
 *
 * Pure: texts come in, values go out. Not here: running postconf, what a value should be (doctor.h).
 */
#ifndef TLSMODE_CORE_POSTCONF_H
#define TLSMODE_CORE_POSTCONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"

#define POSTCONF_TEXT_MAX (4u << 20) /* octets of each of the three texts; what is behind them is not read */
#define POSTCONF_ROWS_MAX 20000      /* parameters, services, values of services: further ones are not read */
#define POSTCONF_VALUE_SIZE 32768    /* an expanded value, with its NUL */

struct postconf;

/* One service of master.cf; all strings live as long as the struct postconf. */
struct postconf_service {
	const char *name, *type; /* "smtp", "unix"; "127.0.0.1:10025", "inet" */
	const char *command;     /* the program: "smtp", "smtpd", "pipe" */
	const char *args;        /* behind it, as one text */
	char chroot;             /* 'y', 'n', '-' as written; ask postconf_chrooted() */
};

struct postconf *postconf_new(void);
void postconf_free(struct postconf **p);

/* Take the texts; lines that have not the form are skipped, a name that comes again wins. Services first, then
 * their values. */
void postconf_take_main(struct postconf *p, const char *text, size_t len);
void postconf_take_services(struct postconf *p, const char *text, size_t len);
void postconf_take_overrides(struct postconf *p, const char *text, size_t len);

size_t postconf_service_count(const struct postconf *p);
const struct postconf_service *postconf_service_at(const struct postconf *p, size_t i);
/* The service NAME of TYPE, or NULL. */
const struct postconf_service *postconf_service(const struct postconf *p, const char *name, const char *type);
/* Runs in the queue directory as its root. "-" means what compatibility_level says. */
bool postconf_chrooted(const struct postconf *p, const struct postconf_service *s);

/* The value as written: the service's own (-o), else main.cf's or the default. NULL: no such parameter. S may be
 * NULL. */
const char *postconf_raw(const struct postconf *p, const struct postconf_service *s, const char *name);
/* The service has a value of its own. */
bool postconf_overrides(const struct postconf *p, const struct postconf_service *s, const char *name);

/* Appends the value with everything expanded, as the service S (NULL: any without values of its own) sees it. False: it
 * does not end, or is too long, or its braces do not match; what could be expanded is there. */
bool postconf_value(const struct postconf *p, const struct postconf_service *s, const char *name, struct sbuf *out);
/* The same for a text that is no parameter's value. */
bool postconf_expand(const struct postconf *p, const struct postconf_service *s, const char *text, struct sbuf *out);

#endif
