/*
 * doctor_route.c - rules about the way of a message to its transport: nothing but tlsmode's map may lead it to an SMTP
 * client (transport(5), postconf(5)).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

#define SENDER_MAPS "sender_dependent_default_transport_maps"
#define PROBE_MAPS "address_verify_sender_dependent_default_transport_maps"

void doctor_check_version(struct doctor *d)
{
	char value[64];

	if (doctor_at_least(d, 5, 0))
		return;
	doctor_value(d, NULL, "mail_version", value, sizeof(value));
	doctor_mend_line(
	    doctor_find(d, "mail_version", "This is Postfix %s.", value[0] != '\0' ? value : "of no known version"),
	    "install Postfix 3.5 or later");
}

/* A parameter as the one who decides about transports sees it; how to name it, and to set it. */
static const char *route_value(const struct doctor *d, const char *parameter, char *out, size_t size)
{
	return doctor_value(d, wiring_router(d->f), parameter, out, size);
}

static const char *route_where(struct doctor *d, const char *parameter, char out[200])
{
	return doctor_where(d, wiring_router(d->f), parameter, out, 200);
}

static void mend_route(struct doctor *d, struct doctor_finding *finding, const char *parameter, const char *value)
{
	doctor_mend_where(d, finding, wiring_router(d->f), parameter, value);
}

/* A map of tlsmode's; whether it is the right one is rule map-name's. */
static bool is_sender_map(const struct doctor *d, const struct lookup_table *t)
{
	return doctor_is_ours(d, t, doctor_chrooted(d, t, wiring_router(d->f)));
}

/* Takes the tables of PARAMETER one by one. */
static bool next_table(const char **rest, struct lookup_table *t)
{
	const char *word;
	size_t len;

	if (!lookup_list_next(rest, &word, &len))
		return false;
	lookup_table_parse(t, word, len);
	return true;
}

/* The header routes this instance's mail instead: FILTER leads to strict services (contrib/postfix-header-routing). */
static bool filter_routes(const struct doctor *d)
{
	char name[64];

	for (size_t i = 0; i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];

		if (strcmp(t->parameter, "milter_header_checks") != 0)
			continue;
		for (size_t j = 0; j < t->entries; j++) {
			const struct route *r;

			if (strncmp(t->entry[j].value, "FILTER", 6) != 0)
				continue;
			wiring_split(name, t->entry[j].value + 6 + strspn(t->entry[j].value + 6, " \t"));
			r = wiring_route(&d->wiring, name);
			if (r && r->mode != MODE_OPPORTUNISTIC)
				return true;
		}
	}
	return false;
}

void doctor_check_sender_map(struct doctor *d)
{
	char *value = xmalloc(POSTCONF_VALUE_SIZE);
	char table[400], where[200];
	char *wanted;
	const char *rest;
	struct lookup_table t;
	bool there = false;

	rest = route_value(d, SENDER_MAPS, value, POSTCONF_VALUE_SIZE);
	while (!there && next_table(&rest, &t))
		there = is_sender_map(d, &t);
	if (!there && !filter_routes(d)) {
		wanted = xasprintf("%s%s%s", doctor_our_table(d, "transport", table, sizeof(table)),
				   value[0] != '\0' ? ", " : "", value);
		mend_route(
		    d,
		    doctor_find(d, route_where(d, SENDER_MAPS, where), "It does not name tlsmode's map \"transport\"."),
		    SENDER_MAPS, wanted);
		free(wanted);
	}
	free(value);
}

/* No entry of the table can lead mail to a client of opportunistic mail. */
static bool is_harmless(const struct doctor *d, const struct lookup_table *t)
{
	const struct doctor_table *table = doctor_table_of(d, t);

	if (!table || table->state != TABLE_LISTED)
		return false;
	for (size_t i = 0; i < table->entries; i++)
		if (wiring_leaves(&d->wiring, d->f, table->entry[i].value))
			return false;
	return true;
}

void doctor_check_sender_map_order(struct doctor *d)
{
	char *value = xmalloc(POSTCONF_VALUE_SIZE), *wanted = xmalloc(POSTCONF_VALUE_SIZE);
	char before[DOCTOR_NAMES_SIZE] = "", where[200];
	struct sbuf b;
	const char *rest;
	struct lookup_table t;
	bool there = false;

	rest = route_value(d, SENDER_MAPS, value, POSTCONF_VALUE_SIZE);
	sbuf_init(&b, wanted, POSTCONF_VALUE_SIZE);
	while (!there && next_table(&rest, &t)) {
		there = is_sender_map(d, &t);
		if (!there && before[0] == '\0' && !is_harmless(d, &t))
			snprintf(before, sizeof(before), "%.380s", t.whole);
		if (!there)
			sbuf_addf(&b, ", %s", t.whole);
	}
	if (there && before[0] != '\0') {
		char *list = xasprintf("%s%s%s", t.whole, wanted, rest);

		mend_route(
		    d, doctor_find(d, route_where(d, SENDER_MAPS, where), "%s is asked before %s.", before, t.whole),
		    SENDER_MAPS, list);
		free(list);
	}
	free(wanted);
	free(value);
}

static void report_entry(struct doctor *d, const struct doctor_table *t, const struct doctor_entry *e)
{
	char name[64], where[200];
	const char *nexthop = wiring_split(name, e->value);
	struct doctor_finding *finding;

	snprintf(where, sizeof(where), "%s %.130s", t->parameter, t->table.whole);
	finding = doctor_find(d, where, "\"%.120s\" goes to \"%.200s\": the transport %s.", e->key, e->value, name);
	doctor_mend_line(finding, "write in %.200s:  %.200s  :%.200s", t->table.whole, e->key, nexthop);
	if (lookup_table_listing(&t->table) == TABLE_BY_POSTMAP && t->table.name[0] == '/' &&
	    strcmp(t->table.type, "texthash") != 0)
		doctor_mend_line(finding, "postmap %s:%s", t->table.type, t->table.name);
}

/* A table named by PARAMETER; its first bad entry is told, with how many more there are. */
static void check_table(struct doctor *d, const char *parameter)
{
	for (size_t i = 0; i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];

		if (strcmp(t->parameter, parameter) != 0)
			continue;
		for (size_t j = 0; j < t->entries; j++)
			if (wiring_leaves(&d->wiring, d->f, t->entry[j].value)) {
				report_entry(d, t, &t->entry[j]);
				break;
			}
	}
}

void doctor_check_transport_maps(struct doctor *d)
{
	check_table(d, "transport_maps");
}

void doctor_check_unlisted_tables(struct doctor *d)
{
	static const char *const routing[] = {"transport_maps", "sender_dependent_relayhost_maps", SENDER_MAPS};

	for (size_t i = 0; i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];
		struct doctor_finding *finding;
		bool routes = false;

		for (size_t j = 0; j < sizeof(routing) / sizeof(routing[0]); j++)
			routes = routes || strcmp(t->parameter, routing[j]) == 0;
		if (!routes || (t->state == TABLE_LISTED && !t->cut))
			continue;
		finding = doctor_find(d, t->table.whole, "%s: %s", t->parameter,
				      t->cut                         ? "too many entries"
				      : t->state == TABLE_UNLISTABLE ? "a table of this type cannot be listed."
								     : t->why);
		if (t->state == TABLE_UNREADABLE)
			doctor_mend_line(finding, "make the table, or take it out of %s", t->parameter);
		else
			doctor_mend_line(finding,
					 "see to it that no entry names an SMTP client (\":[host]\" instead of "
					 "\"smtp:[host]\")");
	}
}

/* relayhost and its table hold next hops; "smtp:[gw]" would be a host named smtp. */
static bool names_transport(const struct doctor *d, const char *value)
{
	char name[64];
	const char *nexthop = wiring_split(name, value);

	return value[0] != '[' && nexthop[0] != '\0' && postconf_service(d->f->postfix, name, "unix");
}

void doctor_check_relayhost(struct doctor *d)
{
	char value[300], name[64], where[200];

	route_value(d, "relayhost", value, sizeof(value));
	if (names_transport(d, value))
		mend_route(d, doctor_find(d, route_where(d, "relayhost", where), "It is \"%s\".", value), "relayhost",
			   wiring_split(name, value));
	for (size_t i = 0; i < d->f->tables; i++) {
		const struct doctor_table *t = &d->f->table[i];

		if (strcmp(t->parameter, "sender_dependent_relayhost_maps") != 0)
			continue;
		for (size_t j = 0; j < t->entries; j++)
			if (names_transport(d, t->entry[j].value)) {
				snprintf(where, sizeof(where), "%s %.130s", t->parameter, t->table.whole);
				doctor_mend_line(doctor_find(d, where, "\"%.120s\" goes to \"%.200s\".",
							     t->entry[j].key, t->entry[j].value),
						 "write there:  %.200s  %.200s", t->entry[j].key,
						 wiring_split(name, t->entry[j].value));
				break;
			}
	}
}

void doctor_check_default_transport(struct doctor *d)
{
	char value[300], name[64], where[200];
	const char *nexthop;
	struct doctor_finding *finding;

	route_value(d, "default_transport", value, sizeof(value));
	nexthop = wiring_split(name, value);
	if (nexthop[0] == '\0')
		return;
	finding = doctor_find(d, route_where(d, "default_transport", where), "It is \"%s\".", value);
	mend_route(d, finding, "relayhost", nexthop);
	mend_route(d, finding, "default_transport", name);
}

void doctor_check_relay_transport(struct doctor *d)
{
	char *domains = xmalloc(POSTCONF_VALUE_SIZE), *own = xmalloc(POSTCONF_VALUE_SIZE);
	char value[300], where[200];

	route_value(d, "relay_domains", domains, POSTCONF_VALUE_SIZE);
	route_value(d, "mydestination", own, POSTCONF_VALUE_SIZE);
	route_value(d, "relay_transport", value, sizeof(value));
	/* what is both is local: the default of old compatibility levels */
	if (domains[0] != '\0' && strcmp(domains, own) != 0 && wiring_leaves(&d->wiring, d->f, value))
		mend_route(d,
			   doctor_find(d, route_where(d, "relay_transport", where),
				       "relay_domains is \"%.200s\", relay_transport \"%s\".", domains, value),
			   "relay_transport", doctor_strict_transport(d));
	free(domains);
	free(own);
}

void doctor_check_class_transport(struct doctor *d)
{
	static const struct {
		const char *parameter, *service; /* that reads it */
	} classes[] = {{"local_transport", "rewrite"},
		       {"virtual_transport", "rewrite"},
		       {"mailbox_transport", "local"},
		       {"fallback_transport", "local"},
		       {"best_mx_transport", "smtp"}};
	char value[300], where[200];

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		const struct postconf_service *s = postconf_service(d->f->postfix, classes[i].service, "unix");

		doctor_value(d, s, classes[i].parameter, value, sizeof(value));
		if (!wiring_leaves(&d->wiring, d->f, value))
			continue;
		doctor_where(d, s, classes[i].parameter, where, sizeof(where));
		doctor_mend_where(d, doctor_find(d, where, "It is \"%s\".", value), s, classes[i].parameter,
				  doctor_strict_transport(d));
	}
	check_table(d, "mailbox_transport_maps");
	check_table(d, "fallback_transport_maps");
}

void doctor_check_probes(struct doctor *d)
{
	char *value = xmalloc(POSTCONF_VALUE_SIZE);
	char *others = xcalloc(1, POSTCONF_VALUE_SIZE);
	struct sbuf b;
	const char *rest = route_value(d, PROBE_MAPS, value, POSTCONF_VALUE_SIZE);
	struct lookup_table t;
	bool ours = false;
	char where[200];

	sbuf_init(&b, others, POSTCONF_VALUE_SIZE);
	while (next_table(&rest, &t))
		if (is_sender_map(d, &t))
			ours = true;
		else
			sbuf_addf(&b, "%s%s", b.len > 0 ? ", " : "", t.whole);
	if (ours)
		mend_route(d, doctor_find(d, route_where(d, PROBE_MAPS, where), "It is \"%.300s\".", value), PROBE_MAPS,
			   others);
	free(others);
	free(value);
}

/* smtp(8) itself rewrites by them, when the way has been chosen. */
static void find_generic(struct doctor *d, const struct route *r)
{
	char value[300], where[200];

	if (!doctor_is_smtp(r->service) ||
	    doctor_value(d, r->service, "smtp_generic_maps", value, sizeof(value))[0] == '\0')
		return;
	doctor_where(d, r->service, "smtp_generic_maps", where, sizeof(where));
	doctor_mend_line(doctor_find(d, where, "It is \"%.250s\".", value),
			 "see to it that the domains that it changes have the mode of those that come out");
}

void doctor_check_rewriting(struct doctor *d)
{
	static const char *const names[] = {"sender_canonical_maps", "canonical_maps", "masquerade_domains"};
	char value[300];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		doctor_value(d, NULL, names[i], value, sizeof(value));
		if (value[0] != '\0')
			doctor_mend_line(
			    doctor_find(d, names[i], "It is \"%.250s\".", value),
			    "see to it that the domain that comes out has the mode that is meant (tlsmode explain)");
	}
	for (size_t i = 0; i < d->wiring.routes; i++)
		find_generic(d, &d->wiring.route[i]);
}

void doctor_check_instances(struct doctor *d)
{
	char *value = xmalloc(POSTCONF_VALUE_SIZE);
	char dir[DOCTOR_PATH_SIZE], where[200];
	const char *rest = doctor_value(d, NULL, "multi_instance_directories", value, POSTCONF_VALUE_SIZE);

	while (lookup_list_take(&rest, dir, sizeof(dir))) {
		snprintf(where, sizeof(where), "%.199s", dir);
		doctor_mend_line(doctor_find(d, where, "It is an instance of its own, with mail of its own."),
				 "tlsmode doctor -c %s", dir);
	}
	free(value);
}
