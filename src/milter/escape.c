/*
 * escape.c - see escape.h. Names of transports are master.cf services (Postfix) or mailers (Sendmail); case counts.
 */
#include "milter/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"

#define RCPT_MAX 320 /* octets of an address that are kept for the log */

/* ---- names ---- */

/* conf_check.c has seen to it that they fit */
static void join(char out[CONF_NAMES_SIZE], const struct conf_list *names)
{
	struct sbuf b;

	sbuf_init(&b, out, CONF_NAMES_SIZE);
	sbuf_addc(&b, ' ');
	for (size_t i = 0; i < names->count; i++)
		sbuf_addf(&b, "%s ", names->item[i]);
}

static bool holds(const char *names, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || strchr(name, ' '))
		return false;
	for (const char *at = names; (at = strstr(at, name)); at++)
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

void escape_rules_init(struct escape_rules *out, const struct conf *conf)
{
	const struct conf_milter *m = &conf->milter;

	memset(out, 0, sizeof(*out));
	join(out->local, &m->local_transports);
	join(out->strict, &m->strict_transports);
	snprintf(out->enforced, sizeof(out->enforced), "%s", conf->mapd.enforced_transport);
	snprintf(out->verified, sizeof(out->verified), "%s", conf->mapd.verified_transport);
	/* "*": the MTA's own rules keep the modes; filter: the tag routes the mail, not what is said at RCPT TO */
	out->watch = !holds(out->strict, "*") && m->on_mismatch != ACTION_FILTER;
}

/* name = via suffix */
static bool of_family(const char *via, const char *suffix, const char *name)
{
	size_t len = strlen(via);

	return len > 0 && strncmp(name, via, len) == 0 && strcmp(name + len, suffix) == 0;
}

enum mode escape_keeps(const struct escape_rules *rules, const char *via, const char *mailer)
{
	if (strcmp(mailer, rules->verified) == 0 || of_family(via, "-verified", mailer) ||
	    holds(rules->local, mailer) || holds(rules->strict, mailer))
		return MODE_VERIFIED;
	if (strcmp(mailer, rules->enforced) == 0 || of_family(via, "-enforced", mailer))
		return MODE_ENFORCED;
	return MODE_OPPORTUNISTIC;
}

/* ---- the recipients of a message ---- */

static char *shortened(const char *text)
{
	size_t len = strlen(text);

	return xstrndup(text, len < RCPT_MAX ? len : RCPT_MAX);
}

void escapes_add(struct escapes *e, const char *rcpt, const char *mailer, enum mode keeps)
{
	e->keeping[keeps]++;
	if (keeps == MODE_VERIFIED || e->noted == ESCAPE_NOTES)
		return;
	if (!e->note)
		e->note = xcalloc(ESCAPE_NOTES, sizeof(*e->note));
	e->note[e->noted++] = (struct escape_note){shortened(rcpt), shortened(mailer), keeps};
}

unsigned escapes_count(const struct escapes *e, enum mode mode)
{
	unsigned count = 0;

	for (int keeps = MODE_OPPORTUNISTIC; keeps < (int)mode; keeps++)
		count += e->keeping[keeps];
	return count;
}

void escapes_fini(struct escapes *e)
{
	for (size_t i = 0; i < e->noted; i++) {
		free(e->note[i].rcpt);
		free(e->note[i].mailer);
	}
	free(e->note);
	memset(e, 0, sizeof(*e));
}
