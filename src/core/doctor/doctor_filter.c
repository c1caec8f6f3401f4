/*
 * doctor_filter.c - rules about filters between smtpd(8) and the queue: content filters and FILTER actions
 * (header_checks(5), access(5)). Milters are doctor_milter.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

static bool takes_mail(const struct postconf_service *s)
{
	return strcmp(s->command, "smtpd") == 0 || strcmp(s->command, "pickup") == 0 ||
	       strcmp(s->command, "qmqpd") == 0;
}

/* Runs FN for the content_filter of every service that takes mail in. */
static void each_content_filter(struct doctor *d,
				void (*fn)(struct doctor *d, const struct postconf_service *s, const char *value))
{
	char value[400];

	for (size_t i = 0; i < postconf_service_count(d->f->postfix); i++) {
		const struct postconf_service *s = postconf_service_at(d->f->postfix, i);

		if (!takes_mail(s))
			continue;
		doctor_value(d, s, "content_filter", value, sizeof(value));
		if (value[0] != '\0')
			fn(d, s, value);
	}
}

static void filter_leaves(struct doctor *d, const struct postconf_service *s, const char *value)
{
	char where[200], name[64];
	struct doctor_finding *finding;

	if (!wiring_leaves(&d->wiring, d->f, value))
		return;
	doctor_where(d, s, "content_filter", where, sizeof(where));
	wiring_split(name, value);
	finding = doctor_find(d, where, "It is \"%s\": the transport %s to another machine.", value, name);
	doctor_mend_where(d, finding, s, "content_filter", "");
	doctor_mend_line(finding, "or let the filter run on this machine (content_filter = scan:[127.0.0.1]:10024)");
}

/* value = [ "inet:" ] [ host ":" ] port / "unix:" path; without a host it is this machine's */
static void proxy_leaves(struct doctor *d, const struct postconf_service *s, const char *parameter)
{
	char value[400], where[200];
	const char *at = value;

	doctor_value(d, s, parameter, value, sizeof(value));
	if (strncmp(at, "inet:", 5) == 0)
		at += 5;
	if (!strchr(at, ':') || *at == ':' || wiring_is_loopback(at))
		return;
	doctor_where(d, s, parameter, where, sizeof(where));
	doctor_mend_where(d, doctor_find(d, where, "It is \"%s\": in the clear to another machine.", value), s,
			  parameter, "");
}

void doctor_check_content_filter(struct doctor *d)
{
	each_content_filter(d, filter_leaves);
	doctor_each_service(d, "smtpd", "smtpd_proxy_filter", proxy_leaves);
}

/* pipe(8) hands over what its arguments name. */
static bool loses_sender(const struct doctor *d, const char *value)
{
	char name[64];
	const struct postconf_service *s;

	wiring_split(name, value);
	s = postconf_service(d->f->postfix, name, "unix");
	return s && strcmp(s->command, "pipe") == 0 && !strstr(s->args, "${sender}") && !strstr(s->args, "$sender") &&
	       !strstr(s->args, "$(sender)");
}

static void filter_forgets(struct doctor *d, const struct postconf_service *s, const char *value)
{
	char where[200], name[64];

	(void)s;
	if (!loses_sender(d, value))
		return;
	wiring_split(name, value);
	snprintf(where, sizeof(where), "%s/unix", name);
	doctor_mend_line(doctor_find(d, where, "The filter %s does not hand on ${sender}.", name),
			 "give its command \"-f ${sender}\" in master.cf");
}

/* The target of a FILTER action, or NULL. */
static const char *filter_target(const char *value)
{
	if (strncasecmp(value, "FILTER", 6) != 0 || (value[6] != ' ' && value[6] != '\t'))
		return NULL;
	return value + 6 + strspn(value + 6, " \t");
}

/* The tag decides: that is routing by the header, as contrib/postfix-header-routing does it. */
static bool is_by_tag(const struct doctor *d, const struct doctor_table *t, const struct doctor_entry *e)
{
	return strcmp(t->parameter, "milter_header_checks") == 0 && strcasestr(e->key, d->f->conf.header);
}

/* There are recipients at home: local ones, or those of hosted domains. */
static bool has_home(const struct doctor *d)
{
	static const char *const names[] = {"mydestination", "virtual_mailbox_domains", "relay_domains"};
	char value[300];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (doctor_value(d, NULL, names[i], value, sizeof(value))[0] != '\0')
			return true;
	return false;
}

void doctor_check_filter_home(struct doctor *d)
{
	char where[200], name[64];

	for (size_t i = 0; has_home(d) && i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];

		for (size_t j = 0; j < t->entries; j++) {
			const char *target = filter_target(t->entry[j].value);

			if (!target || !is_by_tag(d, t, &t->entry[j]) || wiring_is_loopback(wiring_split(name, target)))
				continue;
			snprintf(where, sizeof(where), "%s %.130s", t->parameter, t->table.whole);
			doctor_mend_line(
			    doctor_find(d, where, "\"%.120s\" leads to \"%.200s\".", t->entry[j].key, target),
			    "lead it into an instance of its own, as contrib/postfix-header-routing does");
		}
	}
}

/* FN tells what is wrong with an entry. */
static void each_filter_action(struct doctor *d, void (*fn)(struct doctor *d, const struct doctor_table *t,
							    const struct doctor_entry *e, const char *target))
{
	for (size_t i = 0; i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];

		for (size_t j = 0; j < t->entries; j++) {
			const char *target = filter_target(t->entry[j].value);

			if (target)
				fn(d, t, &t->entry[j], target);
		}
	}
}

/* The mode of the mail that an entry takes: the strictest that its pattern on the tag names; where none, any. */
static enum mode mode_taken(const struct doctor *d, const struct doctor_table *t, const struct doctor_entry *e)
{
	enum mode mode = MODE_OPPORTUNISTIC;
	bool named = false;

	for (int m = 0; is_by_tag(d, t, e) && m < MODE_COUNT; m++)
		if (strcasestr(e->key, names_name(mode_names, m))) {
			mode = (enum mode)m;
			named = true;
		}
	return named ? mode : wiring_strictest(&d->wiring, d->f);
}

static void action_leaves(struct doctor *d, const struct doctor_table *t, const struct doctor_entry *e,
			  const char *target)
{
	enum mode mode = mode_taken(d, t, e);
	char where[200];

	if (!wiring_weakens(&d->wiring, d->f, target, mode))
		return;
	snprintf(where, sizeof(where), "%s %.130s", t->parameter, t->table.whole);
	doctor_mend_line(doctor_find(d, where, "\"%.120s\" leads to \"%.200s\".", e->key, target),
			 "take the line out of the table, or name a strict service in it: FILTER %s:",
			 mode == MODE_VERIFIED ? d->f->conf.verified_transport : d->f->conf.enforced_transport);
}

static void action_forgets(struct doctor *d, const struct doctor_table *t, const struct doctor_entry *e,
			   const char *target)
{
	(void)t;
	(void)e;
	filter_forgets(d, NULL, target);
}

void doctor_check_filter_action(struct doctor *d)
{
	each_filter_action(d, action_leaves);
}

void doctor_check_filter_sender(struct doctor *d)
{
	each_content_filter(d, filter_forgets);
	each_filter_action(d, action_forgets);
}
