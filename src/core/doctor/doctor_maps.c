/*
 * doctor_maps.c - rules about tlsmode's maps where smtp(8) and trivial-rewrite(8) ask them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

#define POLICY "smtp_tls_policy_maps"
#define FILTER "smtp_delivery_status_filter"
#define SENDER "sender_dependent_default_transport_maps"
#define LIST_SIZE 4000

/* One list of tables of one service, and the first table of tlsmode's in it. */
struct map_list {
	const struct postconf_service *service; /* who opens the tables */
	const char *parameter;
	char value[LIST_SIZE];
	struct lookup_table first;  /* of all */
	struct lookup_table ours;   /* first.type "" when there is none */
	const struct map_kind *map; /* of ours; NULL: no such map */
};

static void read_list(const struct doctor *d, struct map_list *l, const struct postconf_service *s,
		      const char *parameter)
{
	const char *rest, *word;
	struct lookup_table t;
	size_t len;

	memset(l, 0, sizeof(*l));
	l->service = s;
	l->parameter = parameter;
	rest = doctor_value(d, s, parameter, l->value, sizeof(l->value));
	while (lookup_list_next(&rest, &word, &len)) {
		lookup_table_parse(&t, word, len);
		if (l->first.type[0] == '\0')
			l->first = t;
		if (!doctor_is_ours(d, &t, doctor_chrooted(d, &t, s)))
			continue;
		l->ours = t;
		l->map = wiring_map(t.map);
		return;
	}
}

static bool has_ours(const struct map_list *l)
{
	return l->ours.type[0] != '\0';
}

/* The list with WANTED instead of OLD (a table that stands in it), or in front of all; heap. */
static char *list_with(const struct map_list *l, const char *wanted, const char *old)
{
	char *out = xmalloc(2 * LIST_SIZE);
	const char *rest = l->value, *word;
	struct sbuf b;
	size_t len;

	sbuf_init(&b, out, 2 * LIST_SIZE);
	if (!old)
		sbuf_add(&b, wanted);
	while (lookup_list_next(&rest, &word, &len)) {
		sbuf_add(&b, b.len > 0 ? ", " : "");
		if (old && strlen(old) == len && memcmp(old, word, len) == 0)
			sbuf_add(&b, wanted);
		else
			sbuf_addn(&b, word, len);
	}
	return out;
}

/* Runs FN for the list PARAMETER of every smtp(8) service with a role. */
static void each_client(struct doctor *d, const char *parameter,
			void (*fn)(struct doctor *d, const struct route *r, const struct map_list *l))
{
	struct map_list *l = xmalloc(sizeof(*l));

	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];

		if (!doctor_is_smtp(r->service))
			continue;
		read_list(d, l, r->service, parameter);
		fn(d, r, l);
	}
	free(l);
}

static bool is_strict(const struct route *r)
{
	return r->mode != MODE_OPPORTUNISTIC;
}

/* A finding about the list of a service, mended by VALUE. */
static struct doctor_finding *find_list(struct doctor *d, const struct route *r, const struct map_list *l,
					const char *value, const char *found)
{
	char where[200];
	struct doctor_finding *finding;

	if (is_strict(r))
		snprintf(where, sizeof(where), "%s/%s/%s", r->service->name, r->service->type, l->parameter);
	else
		doctor_where(d, r->service, l->parameter, where, sizeof(where));
	finding = doctor_find(d, where, "%s", found);
	if (is_strict(r))
		doctor_mend_service(d, finding, r->service, l->parameter, value);
	else
		doctor_mend_where(d, finding, r->service, l->parameter, value);
	return finding;
}

/* The same, where the mend is the right policy map instead of (or before) what is there. */
static struct doctor_finding *doctor_maps_find_policy(struct doctor *d, const struct route *r, const struct map_list *l,
						      const char *old, const char *found)
{
	char table[400];
	char *value = list_with(l, doctor_policy_map(d, r->mode, table, sizeof(table)), old);
	struct doctor_finding *finding = find_list(d, r, l, value, found);

	free(value);
	return finding;
}

static void policy_missing(struct doctor *d, const struct route *r, const struct map_list *l, bool strict)
{
	char found[600];

	if (has_ours(l) || is_strict(r) != strict)
		return;
	snprintf(found, sizeof(found), "The service %s asks %.400s, and no map of tlsmode's.", r->name,
		 l->value[0] != '\0' ? l->value : "nobody");
	/* a strict service wants no other table before ours, so nothing of main.cf is kept */
	if (strict) {
		char table[400];

		find_list(d, r, l, doctor_policy_map(d, r->mode, table, sizeof(table)), found);
	} else
		doctor_maps_find_policy(d, r, l, NULL, found);
}

static void strict_policy_missing(struct doctor *d, const struct route *r, const struct map_list *l)
{
	policy_missing(d, r, l, true);
}

static void default_policy_missing(struct doctor *d, const struct route *r, const struct map_list *l)
{
	policy_missing(d, r, l, false);
}

void doctor_check_strict_policy_map(struct doctor *d)
{
	each_client(d, POLICY, strict_policy_missing);
}

void doctor_check_policy_map(struct doctor *d)
{
	each_client(d, POLICY, default_policy_missing);
}

static void policy_order(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[600];
	struct map_list *rest;
	char *value;

	if (!has_ours(l) || strcmp(l->first.whole, l->ours.whole) == 0)
		return;
	snprintf(found, sizeof(found), "The service %s asks %.200s before %.200s.", r->name, l->first.whole,
		 l->ours.whole);
	rest = xmemdup(l, sizeof(*l));
	value = list_with(l, "", l->ours.whole);
	snprintf(rest->value, sizeof(rest->value), "%s", value);
	free(value);
	value = list_with(rest, l->ours.whole, NULL);
	if (!is_strict(r))
		doctor_soften(find_list(d, r, l, value, found), DOCTOR_WARNING);
	else
		find_list(d, r, l, value, found);
	free(value);
	free(rest);
}

void doctor_check_policy_order(struct doctor *d)
{
	each_client(d, POLICY, policy_order);
}

static void policy_mode(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[600];
	struct doctor_finding *finding;

	if (!has_ours(l) || !l->map || l->map->use != MAP_USE_POLICY || l->map->mode == r->mode)
		return;
	/* an instance that is strict as a whole makes all its services so */
	if (l->map->mode > r->mode && is_strict(r) && wiring_is_inner(d->f))
		return;
	snprintf(found, sizeof(found), "The service %s of %s mail asks the map \"%s\".", r->name,
		 names_name(mode_names, (int)r->mode), l->map->name);
	finding = doctor_maps_find_policy(d, r, l, l->ours.whole, found);
	if (l->map->mode > r->mode)
		doctor_soften(finding, DOCTOR_WARNING);
}

void doctor_check_policy_mode(struct doctor *d)
{
	each_client(d, POLICY, policy_mode);
}

/* ---- names of maps ---- */
static bool fits(const struct map_list *l, enum map_use use)
{
	return !has_ours(l) || (l->map && l->map->use == use);
}

static void policy_name(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[400];

	if (fits(l, MAP_USE_POLICY))
		return;
	snprintf(found, sizeof(found), "\"%s\" is no policy map.", l->ours.map);
	doctor_maps_find_policy(d, r, l, l->ours.whole, found);
}

static void refusal_name(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[400], table[400];

	if (fits(l, MAP_USE_REFUSAL))
		return;
	snprintf(found, sizeof(found), "\"%s\" is no map of refusals.", l->ours.map);
	find_list(d, r, l, is_strict(r) ? doctor_our_table(d, "refusal", table, sizeof(table)) : "", found);
}

static void sender_name(struct doctor *d)
{
	struct map_list *l = xmalloc(sizeof(*l));
	const struct postconf_service *router = wiring_router(d->f);
	char table[400], where[200];

	read_list(d, l, router, SENDER);
	if (!fits(l, MAP_USE_TRANSPORT)) {
		char *value = list_with(l, doctor_our_table(d, "transport", table, sizeof(table)), l->ours.whole);

		doctor_where(d, router, SENDER, where, sizeof(where));
		doctor_mend_where(d, doctor_find(d, where, "\"%s\" is no map of transports.", l->ours.map), router,
				  SENDER, value);
		free(value);
	}
	free(l);
}

void doctor_check_map_names(struct doctor *d)
{
	each_client(d, POLICY, policy_name);
	each_client(d, FILTER, refusal_name);
	sender_name(d);
}

/* ---- with and without the attributes of TLS reporting ---- */
static void reporting(struct doctor *d, const struct route *r, const struct map_list *l, bool wanted)
{
	char found[400], table[400], map[64];
	char *value;

	if (!has_ours(l) || !l->map || l->map->use != MAP_USE_POLICY || l->map->tlsrpt == wanted)
		return;
	snprintf(found, sizeof(found), "The service %s asks the map \"%s\", and this is Postfix 3.%u.%u.", r->name,
		 l->map->name, d->f->version.minor, d->f->version.patch);
	snprintf(map, sizeof(map), "%s%s", names_name(mode_names, (int)l->map->mode), wanted ? "-tlsrpt" : "");
	value = list_with(l, doctor_our_table(d, map, table, sizeof(table)), l->ours.whole);
	find_list(d, r, l, value, found);
	free(value);
}

static void tlsrpt_early(struct doctor *d, const struct route *r, const struct map_list *l)
{
	reporting(d, r, l, false);
}

static void plain_late(struct doctor *d, const struct route *r, const struct map_list *l)
{
	reporting(d, r, l, true);
}

void doctor_check_tlsrpt_maps(struct doctor *d)
{
	if (!doctor_at_least(d, 10, 0))
		each_client(d, POLICY, tlsrpt_early);
}

static void patterns_off(struct doctor *d, const struct route *r, const struct map_list *l)
{
	static const char name[] = "smtp_tls_enforce_sts_mx_patterns";
	char value[16], where[200];

	(void)l;
	if (strcmp(doctor_value(d, r->service, name, value, sizeof(value)), "no") != 0)
		return;
	doctor_where(d, r->service, name, where, sizeof(where));
	doctor_mend_where(d, doctor_find(d, where, "%s of %s is no.", name, r->name), r->service, name, "yes");
}

void doctor_check_plain_maps(struct doctor *d)
{
	if (!doctor_at_least(d, 10, 5))
		return;
	each_client(d, POLICY, plain_late);
	each_client(d, POLICY, patterns_off);
}

/* ---- refusals ---- */
static void refusal_missing(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[400], table[400];

	if (has_ours(l) || !is_strict(r))
		return;
	snprintf(found, sizeof(found), "The service %s does not ask tlsmode's map \"refusal\".", r->name);
	find_list(d, r, l, doctor_our_table(d, "refusal", table, sizeof(table)), found);
}

static void refusal_default(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char found[400];

	if (!has_ours(l) || is_strict(r) || !fits(l, MAP_USE_REFUSAL))
		return;
	snprintf(found, sizeof(found), "The service %s of opportunistic mail asks the map \"refusal\".", r->name);
	find_list(d, r, l, "", found);
}

void doctor_check_refusal(struct doctor *d)
{
	each_client(d, FILTER, refusal_missing);
}

void doctor_check_refusal_default(struct doctor *d)
{
	each_client(d, FILTER, refusal_default);
}

/* ---- proxymap(8) ---- */
static bool is_listed(const char *list, const char *whole)
{
	const char *word;
	size_t len;

	while (lookup_list_next(&list, &word, &len))
		if (strlen(whole) == len && memcmp(word, whole, len) == 0)
			return true;
	return false;
}

static void proxied(struct doctor *d, const struct route *r, const struct map_list *l)
{
	char *allowed;
	const char *raw = postconf_raw(d->f->postfix, NULL, "proxy_read_maps");
	char where[200];

	if (!has_ours(l) || !l->ours.proxied)
		return;
	allowed = xmalloc(POSTCONF_VALUE_SIZE);
	doctor_value(d, NULL, "proxy_read_maps", allowed, POSTCONF_VALUE_SIZE);
	if (!is_listed(allowed, l->ours.whole)) {
		char *value = xasprintf("%s, %s", raw ? raw : "", l->ours.whole);

		doctor_where(d, r->service, l->parameter, where, sizeof(where));
		doctor_mend_main(d, doctor_find(d, where, "proxy_read_maps does not name %s.", l->ours.whole),
				 "proxy_read_maps", value);
		free(value);
	}
	free(allowed);
}

void doctor_check_proxy(struct doctor *d)
{
	each_client(d, POLICY, proxied);
	each_client(d, FILTER, proxied);
}
