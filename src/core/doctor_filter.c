/*
 * doctor_filter.c - rules about what stands between smtpd(8) and the queue: content filters, FILTER actions
 * (header_checks(5), access(5)) and milters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "core/doctor_rules.h"

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

static void each_service(struct doctor *d, const char *command, const char *parameter,
			 void (*fn)(struct doctor *d, const struct postconf_service *s, const char *parameter))
{
	for (size_t i = 0; i < postconf_service_count(d->f->postfix); i++) {
		const struct postconf_service *s = postconf_service_at(d->f->postfix, i);

		if (strcmp(s->command, command) == 0 && (strcmp(command, "smtpd") != 0 || wiring_is_front(s)))
			fn(d, s, parameter);
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
	if (strchr(at, ':') == NULL || *at == ':' || wiring_is_loopback(at))
		return;
	doctor_where(d, s, parameter, where, sizeof(where));
	doctor_mend_where(d, doctor_find(d, where, "It is \"%s\": in the clear to another machine.", value), s,
			  parameter, "");
}

void doctor_check_content_filter(struct doctor *d)
{
	each_content_filter(d, filter_leaves);
	each_service(d, "smtpd", "smtpd_proxy_filter", proxy_leaves);
}

/* pipe(8) hands over what its arguments name. */
static bool loses_sender(const struct doctor *d, const char *value)
{
	char name[64];
	const struct postconf_service *s;

	wiring_split(name, value);
	s = postconf_service(d->f->postfix, name, "unix");
	return s != NULL && strcmp(s->command, "pipe") == 0 && strstr(s->args, "${sender}") == NULL &&
	       strstr(s->args, "$sender") == NULL && strstr(s->args, "$(sender)") == NULL;
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
	return strcmp(t->parameter, "milter_header_checks") == 0 && strcasestr(e->key, d->f->conf.header) != NULL;
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

			if (target == NULL || !is_by_tag(d, t, &t->entry[j]) ||
			    wiring_is_loopback(wiring_split(name, target)))
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

			if (target != NULL)
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
		if (strcasestr(e->key, names_name(mode_names, m)) != NULL) {
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

/* ---- milters ---- */
/* "{ name = value }" becomes "name=value". */
static void pack(char *part)
{
	char *to = part;

	for (; *part != '\0'; part++)
		if (strchr("{} \t", *part) == NULL)
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
	each_service(d, "smtpd", "smtpd_milters", find_without);
	each_service(d, "smtpd", "receive_override_options", find_skipping);
	each_service(d, "smtpd", "smtpd_milter_maps", find_milter_maps);
}

void doctor_check_milter_local(struct doctor *d)
{
	/* an instance behind another one gets its mail from that */
	if (wiring_is_inner(d->f))
		return;
	each_service(d, "cleanup", "non_smtpd_milters", find_without);
	each_service(d, "pickup", "receive_override_options", find_skipping);
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
	each_service(d, "smtpd", "smtpd_milters", find_accepting);
	each_service(d, "cleanup", "non_smtpd_milters", find_accepting);
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
		for (size_t i = 0; table != NULL && i < table->entries; i++)
			if (strcasestr(table->entry[i].key, d->f->conf.header) != NULL &&
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
