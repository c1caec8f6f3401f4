/*
 * wiring.c - see wiring.h.
 */
#include "core/doctor/wiring.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct route *add_route(struct wiring *w, const struct doctor_facts *f, const char *name, enum mode mode)
{
	struct route *r;

	for (size_t i = 0; i < w->routes; i++)
		if (strcmp(w->route[i].name, name) == 0) {
			w->route[i].mode = mode_stricter(w->route[i].mode, mode);
			return &w->route[i];
		}
	if (w->routes == WIRING_ROUTES_MAX || name[0] == '\0')
		return NULL;
	r = &w->route[w->routes++];
	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->service = postconf_service(f->postfix, name, "unix");
	r->mode = mode;
	return r;
}

/* The mode of the first of tlsmode's policy maps that the service asks. */
static enum mode mode_asked(const struct doctor_facts *f, const struct postconf_service *s)
{
	char value[2000];
	const char *rest = value, *word;
	struct sbuf b;
	size_t len;

	sbuf_init(&b, value, sizeof(value));
	postconf_value(f->postfix, s, "smtp_tls_policy_maps", &b);
	while (lookup_list_next(&rest, &word, &len)) {
		struct lookup_table t;
		const struct map_kind *map;

		lookup_table_parse(&t, word, len);
		map = wiring_map(t.map);
		if (map && map->use == MAP_USE_POLICY)
			return map->mode;
	}
	return MODE_OPPORTUNISTIC;
}

const struct postconf_service *wiring_router(const struct doctor_facts *f)
{
	return postconf_service(f->postfix, "rewrite", "unix");
}

bool wiring_is_front(const struct postconf_service *s)
{
	return strcmp(s->command, "smtpd") == 0 && !wiring_is_loopback(s->name);
}

bool wiring_is_inner(const struct doctor_facts *f)
{
	bool inner = false;

	for (size_t i = 0; i < postconf_service_count(f->postfix); i++) {
		const struct postconf_service *s = postconf_service_at(f->postfix, i);

		if (wiring_is_front(s) || strcmp(s->command, "postscreen") == 0)
			return false;
		inner = inner || strcmp(s->command, "smtpd") == 0;
	}
	return inner;
}

static void wiring_add_parameter(struct wiring *w, const struct doctor_facts *f, const char *parameter, bool relay)
{
	char value[512], name[64];
	struct sbuf b;
	struct route *r;

	sbuf_init(&b, value, sizeof(value));
	postconf_value(f->postfix, wiring_router(f), parameter, &b);
	wiring_split(name, value);
	r = add_route(w, f, name, MODE_OPPORTUNISTIC);
	if (!r)
		return;
	r->relay = r->relay || relay;
	if (!relay && r->service && wiring_is_inner(f))
		r->mode = mode_stricter(r->mode, mode_asked(f, r->service));
}

static void add_own(struct wiring *w, const struct doctor_facts *f, const char *name, enum mode mode, bool used,
		    const char *who)
{
	struct route *r = add_route(w, f, name, mode);

	if (!r)
		return;
	r->own = true;
	r->used = r->used || used;
	if (used && r->who[0] == '\0')
		snprintf(r->who, sizeof(r->who), "%s", who);
}

static void add_family(struct wiring *w, const struct doctor_facts *f, const struct doctor_via *via)
{
	static const char *const suffix[MODE_COUNT] = {"", "-enforced", "-verified"};
	char name[SETTING_VIA_MAX + 16];

	for (int mode = 0; mode < MODE_COUNT; mode++) {
		snprintf(name, sizeof(name), "%s%s", via->name, suffix[mode]);
		add_own(w, f, name, (enum mode)mode, via->used[mode], via->who);
	}
}

void wiring_find(struct wiring *w, const struct doctor_facts *f)
{
	const struct doctor_names *senders = f->redis.senders;

	w->routes = 0;
	wiring_add_parameter(w, f, "default_transport", false);
	wiring_add_parameter(w, f, "relay_transport", true);
	add_own(w, f, f->conf.enforced_transport, MODE_ENFORCED, senders[MODE_ENFORCED].count > 0,
		senders[MODE_ENFORCED].text);
	add_own(w, f, f->conf.verified_transport, MODE_VERIFIED, senders[MODE_VERIFIED].count > 0,
		senders[MODE_VERIFIED].text);
	for (size_t i = 0; i < f->redis.vias; i++)
		add_family(w, f, &f->redis.via[i]);
}

const struct route *wiring_route(const struct wiring *w, const char *transport)
{
	for (size_t i = 0; i < w->routes; i++)
		if (strcmp(w->route[i].name, transport) == 0)
			return &w->route[i];
	return NULL;
}

const char *wiring_split(char name[64], const char *value)
{
	size_t len = strcspn(value, ":");
	const char *rest = value[len] == ':' ? value + len + 1 : "";

	if (len > 63)
		len = 63;
	memcpy(name, value, len);
	name[len] = '\0';
	return rest;
}

bool wiring_is_loopback(const char *nexthop)
{
	size_t len;

	if (strncmp(nexthop, "unix:", 5) == 0)
		return true;
	if (strncmp(nexthop, "inet:", 5) == 0)
		nexthop += 5;
	if (*nexthop == '[')
		nexthop++;
	if (strncasecmp(nexthop, "IPv6:", 5) == 0)
		nexthop += 5;
	if (strncmp(nexthop, "::1", 3) == 0)
		return nexthop[3] == '\0' || nexthop[3] == ']';
	len = strcspn(nexthop, ":]");
	if (strncmp(nexthop, "127.", 4) == 0) /* not 127.example */
		return strspn(nexthop, "0123456789.") == len;
	return len == 9 && strncasecmp(nexthop, "localhost", len) == 0;
}

bool wiring_weakens(const struct wiring *w, const struct doctor_facts *f, const char *value, enum mode mode)
{
	char name[64];
	const char *nexthop = wiring_split(name, value);
	const struct postconf_service *s = postconf_service(f->postfix, name, "unix");
	const struct route *r = wiring_route(w, name);

	if (!s || strcmp(s->command, "smtp") != 0 || wiring_is_loopback(nexthop))
		return false;
	return mode > (r ? r->mode : MODE_OPPORTUNISTIC);
}

enum mode wiring_strictest(const struct wiring *w, const struct doctor_facts *f)
{
	if (wiring_is_inner(f)) /* the one before it has parted the modes */
		return MODE_ENFORCED;
	for (size_t i = 0; i < w->routes; i++)
		if (w->route[i].own && w->route[i].used && w->route[i].mode == MODE_VERIFIED)
			return MODE_VERIFIED;
	return MODE_ENFORCED;
}

bool wiring_leaves(const struct wiring *w, const struct doctor_facts *f, const char *value)
{
	return wiring_weakens(w, f, value, wiring_strictest(w, f));
}

bool wiring_same_socket(const struct doctor_facts *f, const char *endpoint, bool chrooted, const char *listen)
{
	char path[TABLE_ENDPOINT_SIZE * 2], queue[DOCTOR_PATH_SIZE];
	struct sbuf b;

	if (strncmp(endpoint, "local:", 6) == 0)
		endpoint++; /* "local:" and "unix:" are one; the letters behind differ, their number does not */
	if (strncmp(endpoint, "inet:", 5) == 0)
		return strcmp(endpoint, listen) == 0;
	if (!strchr(endpoint, ':') || strncmp(listen, "unix:", 5) != 0)
		return false;
	endpoint = strchr(endpoint, ':') + 1;
	sbuf_init(&b, queue, sizeof(queue));
	postconf_value(f->postfix, NULL, "queue_directory", &b);
	if (*endpoint == '/' && !chrooted)
		return strcmp(endpoint, listen + 5) == 0;
	snprintf(path, sizeof(path), "%s%s%s", queue, *endpoint == '/' ? "" : "/", endpoint);
	return strcmp(path, listen + 5) == 0;
}

const struct map_kind *wiring_map(const char *name)
{
	static const struct map_kind kinds[] = {
	    {"opportunistic", MAP_USE_POLICY, MODE_OPPORTUNISTIC, false},
	    {"enforced", MAP_USE_POLICY, MODE_ENFORCED, false},
	    {"verified", MAP_USE_POLICY, MODE_VERIFIED, false},
	    {"opportunistic-tlsrpt", MAP_USE_POLICY, MODE_OPPORTUNISTIC, true},
	    {"enforced-tlsrpt", MAP_USE_POLICY, MODE_ENFORCED, true},
	    {"verified-tlsrpt", MAP_USE_POLICY, MODE_VERIFIED, true},
	    {"QUERY", MAP_USE_POLICY, MODE_OPPORTUNISTIC, false},
	    {"postfix", MAP_USE_POLICY, MODE_OPPORTUNISTIC, false},
	    {"QUERYwithTLSRPT", MAP_USE_POLICY, MODE_OPPORTUNISTIC, true},
	    {"transport", MAP_USE_TRANSPORT, MODE_OPPORTUNISTIC, false},
	    {"refusal", MAP_USE_REFUSAL, MODE_OPPORTUNISTIC, false},
	    {"mode", MAP_USE_OTHER, MODE_OPPORTUNISTIC, false},
	    {"sts", MAP_USE_OTHER, MODE_OPPORTUNISTIC, false},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}
