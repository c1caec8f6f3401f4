/*
 * wiring.h - which services of a Postfix configuration carry mail for which mode, and where they ask tlsmode.
 *
 * A service has a role because something leads mail to it: default_transport, relay_transport, tlsmode's transport map
 * (mapd.enforced_transport, mapd.verified_transport, the families of `via`).
 */
#ifndef TLSMODE_CORE_WIRING_H
#define TLSMODE_CORE_WIRING_H

#include "core/doctor/doctor_facts.h"

#define WIRING_ROUTES_MAX (4 + 3 * DOCTOR_VIAS_MAX)

struct route {
	char name[SETTING_VIA_MAX + 16];        /* of the transport */
	const struct postconf_service *service; /* NULL: there is none */
	enum mode mode;                         /* mail of such senders at least comes here */
	bool relay;                             /* relay_transport leads here */
	bool own;                               /* tlsmode's map leads here */
	bool used;                              /* Redis names senders that come here */
	char who[SETTING_NAME_SIZE];            /* one of them, "" when not known */
};

struct wiring {
	struct route route[WIRING_ROUTES_MAX];
	size_t routes;
};

void wiring_find(struct wiring *w, const struct doctor_facts *f);

/* The route of that transport, or NULL. */
const struct route *wiring_route(const struct wiring *w, const char *transport);

/* The transport in "transport:nexthop" into NAME (64 octets); what is behind it, or "". A text without a colon is a
 * transport. */
const char *wiring_split(char name[64], const char *value);

/* nexthop = [ "inet:" ] ( host / "[" host "]" ) [ ":" port ] / "unix:" path: it does not leave this machine. Also for
 * the names of master.cf's inet services. */
bool wiring_is_loopback(const char *nexthop);

/* Takes mail from elsewhere: what listens on loopback takes it back from filters and from instances of our own. */
bool wiring_is_front(const struct postconf_service *s);

/* An instance behind another one: no port of its own for others. Its default service may be strict as a whole (contrib/
 * postfix-header-routing), by the map that it asks. */
bool wiring_is_inner(const struct doctor_facts *f);

/* trivial-rewrite(8), which decides about transports, by values of its own where master.cf has them; or NULL. */
const struct postconf_service *wiring_router(const struct doctor_facts *f);

/* VALUE ("transport:nexthop") leads to another machine by an SMTP client that does not keep MODE. */
bool wiring_weakens(const struct wiring *w, const struct doctor_facts *f, const char *value, enum mode mode);
/* The mode of the strictest senders that Redis names, at least enforced. */
enum mode wiring_strictest(const struct wiring *w, const struct doctor_facts *f);
/* VALUE leads mail to an SMTP client that does not keep the mode of every sender. */
bool wiring_leaves(const struct wiring *w, const struct doctor_facts *f, const char *value);

/* Is ENDPOINT ("unix:tlsmode/map.sock", relative to the queue directory; CHROOTED: so is an absolute path) the same as
 * LISTEN ("unix:/var/spool/postfix/tlsmode/map.sock")? */
bool wiring_same_socket(const struct doctor_facts *f, const char *endpoint, bool chrooted, const char *listen);

/* What tlsmode-mapd's maps are for. */
enum map_use { MAP_USE_NONE, MAP_USE_POLICY, MAP_USE_TRANSPORT, MAP_USE_REFUSAL, MAP_USE_OTHER };
struct map_kind {
	const char *name;
	enum map_use use;
	enum mode mode; /* of policies */
	bool tlsrpt;
};
/* NULL: no map of that name. */
const struct map_kind *wiring_map(const char *name);

#endif
