/*
 * doctor_ask.c - what there is to look at in an installation: doctor_ask() of doctor.h, and the bounded lists of
 * doctor_facts.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor.h"
#include "core/doctor/wiring.h"

#define VALUE_SIZE POSTCONF_VALUE_SIZE

void doctor_names_add(struct doctor_names *list, const char *name)
{
	size_t len = strlen(list->text);

	if (list->count++ == 0)
		snprintf(list->text, sizeof(list->text), "%s", name);
	else if (len + strlen(name) + 2 < sizeof(list->text) - 8)
		snprintf(list->text + len, sizeof(list->text) - len, ", %s", name);
	else if (len < 4 || strcmp(list->text + len - 4, " ...") != 0)
		snprintf(list->text + len, sizeof(list->text) - len, " ...");
}

void doctor_table_add(struct doctor_table *t, const char *key, size_t key_len, const char *value, size_t value_len)
{
	if (t->entries == DOCTOR_ENTRIES_MAX) {
		t->cut = true;
		return;
	}
	if (t->entries == t->room) {
		t->room = t->room == 0 ? 64 : t->room * 2;
		t->entry = xrealloc(t->entry, t->room * sizeof(t->entry[0]));
	}
	t->entry[t->entries].key = xstrndup(key, key_len);
	t->entry[t->entries++].value = xstrndup(value, value_len);
}

void doctor_facts_fini(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->tables; i++) {
		struct doctor_table *t = &f->table[i];

		for (size_t j = 0; j < t->entries; j++) {
			free(t->entry[j].key);
			free(t->entry[j].value);
		}
		free(t->entry);
		t->entry = NULL;
		t->entries = t->room = 0;
	}
}

/* ---- what to look at ---- */
static char *value_new(const struct doctor_facts *f, const struct postconf_service *s, const char *parameter)
{
	char *value = xmalloc(VALUE_SIZE);
	struct sbuf b;

	sbuf_init(&b, value, VALUE_SIZE);
	postconf_value(f->postfix, s, parameter, &b);
	return value;
}

static void add_socket(struct doctor_facts *f, const char *endpoint, bool milter, const struct postconf_service *user,
		       const char *parameter)
{
	bool chrooted = user && postconf_chrooted(f->postfix, user);
	struct doctor_socket *s;

	for (size_t i = 0; i < f->sockets; i++) {
		s = &f->socket[i];
		if (s->milter == milter && s->chrooted == chrooted && strcmp(s->endpoint, endpoint) == 0)
			return;
	}
	if (f->sockets == DOCTOR_SOCKETS_MAX) {
		f->cut = true;
		return;
	}
	s = &f->socket[f->sockets++];
	memset(s, 0, sizeof(*s));
	snprintf(s->endpoint, sizeof(s->endpoint), "%s", endpoint);
	snprintf(s->user, sizeof(s->user), "%s", user ? user->name : "?");
	snprintf(s->parameter, sizeof(s->parameter), "%s", parameter);
	s->milter = milter;
	s->chrooted = chrooted;
}

static void add_table(struct doctor_facts *f, const struct lookup_table *t, const char *parameter)
{
	for (size_t i = 0; i < f->tables; i++)
		if (strcmp(f->table[i].table.whole, t->whole) == 0)
			return;
	if (f->tables == DOCTOR_TABLES_MAX) {
		f->cut = true;
		return;
	}
	memset(&f->table[f->tables], 0, sizeof(f->table[0]));
	f->table[f->tables].table = *t;
	snprintf(f->table[f->tables++].parameter, sizeof(f->table[0].parameter), "%s", parameter);
}

static const struct postconf_service *opener(const struct doctor_facts *f, const struct lookup_table *t,
					     const struct postconf_service *user)
{
	return t->proxied ? postconf_service(f->postfix, "proxymap", "unix") : user;
}

/* The tables of a list that USER opens: sockets are tried, the others (when LIST) listed. */
static void ask_list(struct doctor_facts *f, const struct postconf_service *user, const char *parameter, bool list)
{
	char *value = value_new(f, user, parameter);
	const char *rest = value, *word;
	struct lookup_table t;
	size_t len;

	while (lookup_list_next(&rest, &word, &len)) {
		lookup_table_parse(&t, word, len);
		if (strcmp(t.type, "socketmap") == 0)
			add_socket(f, t.endpoint, false, opener(f, &t, user), parameter);
		else if (list && t.type[0] != '\0')
			add_table(f, &t, parameter);
	}
	free(value);
}

/* The tables behind check_..._access of a list of restrictions. */
static void ask_restrictions(struct doctor_facts *f, const struct postconf_service *user, const char *parameter)
{
	char *value = value_new(f, user, parameter);
	const char *rest = value, *word;
	struct lookup_table t;
	bool access = false;
	size_t len;

	while (lookup_list_next(&rest, &word, &len)) {
		lookup_table_parse(&t, word, len);
		if (access && t.type[0] != '\0')
			add_table(f, &t, parameter);
		access = len > 13 && strncmp(word, "check_", 6) == 0 && strncmp(word + len - 7, "_access", 7) == 0;
	}
	free(value);
}

/* milter = endpoint / "{" endpoint [ "," name "=" value ]... "}" */
static void ask_milters(struct doctor_facts *f, const struct postconf_service *user, const char *parameter)
{
	char *value = value_new(f, user, parameter);
	char endpoint[TABLE_ENDPOINT_SIZE];
	const char *rest = value, *word, *inner;
	size_t len;

	while (lookup_list_next(&rest, &word, &len)) {
		inner = word + (*word == '{');
		if (!lookup_list_take(&inner, endpoint, sizeof(endpoint)) || !strchr(endpoint, ':'))
			continue;
		endpoint[strcspn(endpoint, "} \t")] = '\0';
		add_socket(f, endpoint, true, user, parameter);
	}
	free(value);
}

static void ask_trust(struct doctor_facts *f, const struct postconf_service *s)
{
	struct doctor_trust t = {.chrooted = postconf_chrooted(f->postfix, s)};
	char word[16];
	struct sbuf b;

	sbuf_init(&b, t.file, sizeof(t.file));
	postconf_value(f->postfix, s, "smtp_tls_CAfile", &b);
	sbuf_init(&b, t.path, sizeof(t.path));
	postconf_value(f->postfix, s, "smtp_tls_CApath", &b);
	sbuf_init(&b, word, sizeof(word));
	postconf_value(f->postfix, s, "tls_append_default_CA", &b);
	t.appended = strcmp(word, "yes") == 0;
	for (size_t i = 0; i < f->trusts; i++)
		if (strcmp(f->trust[i].file, t.file) == 0 && strcmp(f->trust[i].path, t.path) == 0 &&
		    f->trust[i].chrooted == t.chrooted && f->trust[i].appended == t.appended)
			return;
	if (f->trusts == DOCTOR_TRUST_MAX)
		f->cut = true;
	else
		f->trust[f->trusts++] = t;
}

static void ask_client(struct doctor_facts *f, const struct postconf_service *s)
{
	ask_list(f, s, "smtp_tls_policy_maps", false);
	ask_list(f, s, "smtp_delivery_status_filter", false);
	ask_list(f, s, "smtp_header_checks", true);
	ask_trust(f, s);
	f->resolver[postconf_chrooted(f->postfix, s)].wanted = true;
}

/* Lists of restrictions under names of the site's own, which other restrictions and access tables may name. */
static void ask_classes(struct doctor_facts *f, const struct postconf_service *s)
{
	char *value = value_new(f, s, "smtpd_restriction_classes");
	char name[64];
	const char *rest = value;

	while (lookup_list_take(&rest, name, sizeof(name)))
		ask_restrictions(f, s, name);
	free(value);
}

static void ask_server(struct doctor_facts *f, const struct postconf_service *s)
{
	static const char *const restrictions[] = {"smtpd_client_restrictions",     "smtpd_helo_restrictions",
						   "smtpd_sender_restrictions",     "smtpd_relay_restrictions",
						   "smtpd_recipient_restrictions",  "smtpd_data_restrictions",
						   "smtpd_end_of_data_restrictions"};

	ask_milters(f, s, "smtpd_milters");
	for (size_t i = 0; i < sizeof(restrictions) / sizeof(restrictions[0]); i++)
		ask_restrictions(f, s, restrictions[i]);
	ask_classes(f, s);
}

static void ask_cleanup(struct doctor_facts *f, const struct postconf_service *s)
{
	static const char *const checks[] = {"header_checks", "mime_header_checks", "nested_header_checks",
					     "body_checks", "milter_header_checks"};

	ask_milters(f, s, "non_smtpd_milters");
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		ask_list(f, s, checks[i], true);
}

static void ask_rewrite(struct doctor_facts *f)
{
	static const char *const maps[] = {"sender_dependent_default_transport_maps", "transport_maps",
					   "sender_dependent_relayhost_maps"};
	const struct postconf_service *s = postconf_service(f->postfix, "rewrite", "unix");

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		ask_list(f, s, maps[i], true);
	s = postconf_service(f->postfix, "local", "unix");
	ask_list(f, s, "fallback_transport_maps", true);
	ask_list(f, s, "mailbox_transport_maps", true);
}

static void ask_copies(struct doctor_facts *f)
{
	static const char *const names[] = {"etc/resolv.conf", "etc/services", "etc/hosts", "etc/nsswitch.conf"};

	f->copies = 0;
	for (size_t i = 0; f->resolver[1].wanted && i < sizeof(names) / sizeof(names[0]); i++)
		snprintf(f->copy[f->copies++].name, sizeof(f->copy[0].name), "%s", names[i]);
}

void doctor_ask(struct doctor_facts *f)
{
	struct wiring *w = xcalloc(1, sizeof(*w));

	wiring_find(w, f);
	ask_rewrite(f);
	for (size_t i = 0; i < w->routes; i++)
		if (w->route[i].service && strcmp(w->route[i].service->command, "smtp") == 0)
			ask_client(f, w->route[i].service);
	for (size_t i = 0; i < postconf_service_count(f->postfix); i++) {
		const struct postconf_service *s = postconf_service_at(f->postfix, i);

		if (strcmp(s->command, "smtpd") == 0)
			ask_server(f, s);
		else if (strcmp(s->command, "cleanup") == 0)
			ask_cleanup(f, s);
	}
	ask_copies(f);
	free(w);
}
