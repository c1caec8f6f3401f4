/*
 * doctor_milter.c - rules about tlsmode-milter: who asks it, what happens while it is away, and its tag.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

/* "{ name = value }" becomes "name=value". */
static void pack(char *part)
{
	char *to = part;

	for (; *part != '\0'; part++)
		if (!strchr("{} \t", *part))
			*to++ = *part;
	*to = '\0';
}

/* milter = endpoint / "{" endpoint [ "," option ]... "}"; option = name "=" value / "{" name "=" value "}"
 * ACTION gets its default_action, "" for none. */
static bool is_our_milter(const struct doctor *d, const struct postconf_service *s, const char *word, size_t len,
			  char action[32])
{
	char text[600], part[TABLE_ENDPOINT_SIZE];
	const char *rest = text;
	bool chrooted = postconf_chrooted(d->f->postfix, s);
	bool ours;

	snprintf(text, sizeof(text), "%.*s", (int)len, word);
	if (text[0] == '{') {
		text[strlen(text) - 1] = ' ';
		rest++;
	}
	ours = lookup_list_take(&rest, part, sizeof(part)) &&
	       wiring_same_socket(d->f, part, chrooted, d->f->conf.milter_listen);
	action[0] = '\0';
	while (lookup_list_take(&rest, part, sizeof(part))) {
		pack(part);
		if (strncmp(part, "default_action=", 15) == 0)
			snprintf(action, 32, "%.31s", part + 15);
	}
	return ours;
}

/* tlsmode-milter in a list of milters. */
static bool find_milter(const struct doctor *d, const struct postconf_service *s, const char *parameter, char *value,
			size_t size, char action[32])
{
	const char *rest = doctor_value(d, s, parameter, value, size), *word;
	size_t len;

	while (lookup_list_next(&rest, &word, &len))
		if (is_our_milter(d, s, word, len, action))
			return true;
	return false;
}

/* Where the tag routes, mail that passes by the milter leaves in the clear. What goes to a content filter first may
 * meet it on the way back. */
static void soften_unless_routing(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s)
{
	char filter[400];

	if (!d->f->conf.routes_by_header || doctor_value(d, s, "content_filter", filter, sizeof(filter))[0] != '\0')
		doctor_soften(finding, DOCTOR_WARNING);
}

static void find_without(struct doctor *d, const struct postconf_service *s, const char *parameter)
{
	char value[2000], where[200], milter[600], action[32];
	struct doctor_finding *finding;
	char *list;
	const char *listen = d->f->conf.milter_listen;

	if (find_milter(d, s, parameter, value, sizeof(value), action))
		return;
	/* the table's name is the shortest way to the endpoint as this Postfix writes it */
	if (strncmp(listen, "unix:", 5) == 0) {
		char queue[DOCTOR_PATH_SIZE];
		size_t len;

		doctor_value(d, NULL, "queue_directory", queue, sizeof(queue));
		len = strlen(queue);
		if (strncmp(listen + 5, queue, len) == 0 && listen[5 + len] == '/')
			snprintf(milter, sizeof(milter), "unix:%s", listen + 6 + len);
		else
			snprintf(milter, sizeof(milter), "%s", listen);
	} else
		snprintf(milter, sizeof(milter), "%s", listen);
	list = xasprintf("%s%s%s", milter, value[0] != '\0' ? ", " : "", value);
	doctor_where(d, s, parameter, where, sizeof(where));
	finding = doctor_find(d, where, "The service %s does not ask tlsmode-milter.", s->name);
	doctor_mend_where(d, finding, s, parameter, list);
	soften_unless_routing(d, finding, s);
	free(list);
}

/* "no_milters" among receive_override_options: smtpd_milters or non_smtpd_milters are not asked, whatever they say. */
static void find_skipping(struct doctor *d, const struct postconf_service *s, const char *parameter)
{
	char value[400], left[400] = "", where[200];
	const char *rest = doctor_value(d, s, parameter, value, sizeof(value)), *word;
	struct doctor_finding *finding;
	bool skips = false;
	struct sbuf b;
	size_t len;

	sbuf_init(&b, left, sizeof(left));
	while (lookup_list_next(&rest, &word, &len))
		if (len == 10 && strncasecmp(word, "no_milters", len) == 0)
			skips = true;
		else
			sbuf_addf(&b, "%s%.*s", b.len > 0 ? "," : "", (int)len, word);
	if (!skips)
		return;
	doctor_where(d, s, parameter, where, sizeof(where));
	finding = doctor_find(d, where, "The service %s asks no milter (no_milters).", s->name);
	doctor_mend_where(d, finding, s, parameter, left);
	soften_unless_routing(d, finding, s);
}

/* smtpd_milter_maps names other milters, or none ("DISABLE"), by the client's address. */
static void find_milter_maps(struct doctor *d, const struct postconf_service *s, const char *parameter)
{
	char value[400], where[200];
	struct doctor_finding *finding;

	if (doctor_value(d, s, parameter, value, sizeof(value))[0] == '\0')
		return;
	doctor_where(d, s, parameter, where, sizeof(where));
	finding =
	    doctor_find(d, where, "For clients in %.300s the service %s asks other milters, or none.", value, s->name);
	doctor_mend_where(d, finding, s, parameter, "");
	soften_unless_routing(d, finding, s);
}

void doctor_check_milter(struct doctor *d)
{
	doctor_each_service(d, "smtpd", "smtpd_milters", find_without);
	doctor_each_service(d, "smtpd", "receive_override_options", find_skipping);
	doctor_each_service(d, "smtpd", "smtpd_milter_maps", find_milter_maps);
}

void doctor_check_milter_local(struct doctor *d)
{
	/* an instance behind another one gets its mail from that */
	if (wiring_is_inner(d->f))
		return;
	doctor_each_service(d, "cleanup", "non_smtpd_milters", find_without);
	doctor_each_service(d, "pickup", "receive_override_options", find_skipping);
}

static void find_accepting(struct doctor *d, const struct postconf_service *s, const char *parameter)
{
	char value[2000], where[200], action[32];
	struct doctor_finding *finding;
	bool own;

	if (!find_milter(d, s, parameter, value, sizeof(value), action))
		return;
	own = action[0] != '\0';
	if (!own)
		doctor_value(d, s, "milter_default_action", action, sizeof(action));
	if (strcmp(action, "accept") != 0)
		return;
	doctor_where(d, s, own ? parameter : "milter_default_action", where, sizeof(where));
	finding = doctor_find(d, where, "While tlsmode-milter is away %s takes mail without it.", s->name);
	if (own)
		doctor_mend_line(finding, "write default_action=tempfail in %s", where);
	else
		doctor_mend_where(d, finding, s, "milter_default_action", "tempfail");
	if (!d->f->conf.routes_by_header && !d->f->conf.guards)
		doctor_soften(finding, DOCTOR_WARNING);
}

void doctor_check_milter_action(struct doctor *d)
{
	doctor_each_service(d, "smtpd", "smtpd_milters", find_accepting);
	doctor_each_service(d, "cleanup", "non_smtpd_milters", find_accepting);
}

/* ---- the tag ---- */
static bool strips(const struct doctor *d, const char *list)
{
	const char *word;
	size_t len;

	while (lookup_list_next(&list, &word, &len)) {
		struct lookup_table t;
		const struct doctor_table *table;

		lookup_table_parse(&t, word, len);
		table = doctor_table_of(d, &t);
		for (size_t i = 0; table && i < table->entries; i++)
			if (strcasestr(table->entry[i].key, d->f->conf.header) &&
			    strncasecmp(table->entry[i].value, "IGNORE", 6) == 0)
				return true;
	}
	return false;
}

void doctor_check_strip(struct doctor *d)
{
	char value[2000], where[200];

	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];

		if (!doctor_is_smtp(r->service))
			continue;
		doctor_value(d, r->service, "smtp_header_checks", value, sizeof(value));
		if (strips(d, value))
			continue;
		doctor_where(d, r->service, "smtp_header_checks", where, sizeof(where));
		doctor_mend_where(
		    d, doctor_find(d, where, "The service %s sends %s to the receiver.", r->name, d->f->conf.header),
		    r->service, "smtp_header_checks", "regexp:$config_directory/tlsmode_strip.regexp");
	}
}
