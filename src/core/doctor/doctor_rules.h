/*
 * doctor_rules.h - what the rules' functions share. Internal to doctor*.c.
 */
#ifndef TLSMODE_CORE_DOCTOR_RULES_H
#define TLSMODE_CORE_DOCTOR_RULES_H

#include "core/doctor/doctor.h"
#include "core/doctor/wiring.h"

struct doctor {
	const struct doctor_facts *f;
	const struct doctor_rule *rule; /* that is being checked */
	struct wiring wiring;
	struct doctor_report *report;
	struct doctor_finding nowhere; /* what has no room is written here; nobody reads it */
};

/* One demand on the value of a parameter of smtp(8) services. */
struct value_demand {
	const char *parameter; /* NULL ends the list */
	unsigned modes;        /* 1 << enum mode, of the services it is made on */
	const char *allowed;   /* words that may stand there; NULL: it must be empty */
	const char *refused;   /* words that may not, instead of ALLOWED */
	const char *good;      /* what the mend sets */
	bool own;              /* the mend is the service's own, never main.cf's */
	bool dane_only;        /* only while mapd.dane is true */
	unsigned since_minor;  /* of Postfix 3 */
};
#define ON_OPPORTUNISTIC (1u << MODE_OPPORTUNISTIC)
#define ON_ENFORCED (1u << MODE_ENFORCED)
#define ON_VERIFIED (1u << MODE_VERIFIED)
#define ON_STRICT (ON_ENFORCED | ON_VERIFIED)
#define ON_ALL (ON_OPPORTUNISTIC | ON_STRICT)

struct doctor_rule {
	const char *id;
	enum doctor_severity severity;
	void (*check)(struct doctor *d);
	const char *why;
	const struct value_demand *demand; /* for doctor_check_values */
};

/* A finding of the rule being checked about PARAMETER; what was found from FMT. One that is there already, or has no
 * room, is written nowhere. Never NULL. */
struct doctor_finding *doctor_find(struct doctor *d, const char *parameter, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes it less grave than the rule's row says. */
void doctor_soften(struct doctor_finding *finding, enum doctor_severity severity);

/* Add a line to the mend: as it is; a value of main.cf; of a service; whichever of both holds the value now. */
void doctor_mend_line(struct doctor_finding *finding, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doctor_mend_main(struct doctor *d, struct doctor_finding *finding, const char *parameter, const char *value);
void doctor_mend_service(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s,
			 const char *parameter, const char *value);
void doctor_mend_where(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s,
		       const char *parameter, const char *value);
/* "postconf", "postconf -c DIR" and the word behind it. */
void doctor_mend_postconf(struct doctor *d, struct doctor_finding *finding, const char *option, const char *word);

/* The name of a finding about a service's value: "smtp/unix/x" when it is the service's own, else "x". */
const char *doctor_where(struct doctor *d, const struct postconf_service *s, const char *parameter, char *out,
			 size_t size);
/* The expanded value, in OUT. */
const char *doctor_value(const struct doctor *d, const struct postconf_service *s, const char *parameter, char *out,
			 size_t size);

/* ---- tlsmode's maps in a list of tables ---- */
/* A table of tlsmode-mapd (by its socket, or by the map's name where nobody else is known to listen). */
bool doctor_is_ours(const struct doctor *d, const struct lookup_table *t, bool chrooted);
/* "socketmap:unix:tlsmode/map.sock:MAP" as this configuration best writes it. */
const char *doctor_our_table(const struct doctor *d, const char *map, char *out, size_t size);
/* The policy map for MODE of this Postfix: with "-tlsrpt" from 3.10 on. */
const char *doctor_policy_map(const struct doctor *d, enum mode mode, char *out, size_t size);
/* The service for mail of any sender: that of the strictest mode that somebody has, at least enforced. */
const char *doctor_strict_transport(const struct doctor *d);
const struct doctor_table *doctor_table_of(const struct doctor *d, const struct lookup_table *t);
bool doctor_at_least(const struct doctor *d, unsigned minor, unsigned patch); /* Postfix 3.MINOR.PATCH */
/* Runs smtp(8). */
bool doctor_is_smtp(const struct postconf_service *s);
/* The service of the socket's user sees the file system from inside the queue directory. */
bool doctor_chrooted(const struct doctor *d, const struct lookup_table *t, const struct postconf_service *s);

/* Runs FN for each service of COMMAND and its PARAMETER; of smtpd for those that take mail from others. */
void doctor_each_service(struct doctor *d, const char *command, const char *parameter,
			 void (*fn)(struct doctor *d, const struct postconf_service *s, const char *parameter));

/* ---- the rules ---- */
/* doctor_values.c */
void doctor_check_values(struct doctor *d);
/* doctor_route.c */
void doctor_check_version(struct doctor *d);
void doctor_check_sender_map(struct doctor *d);
void doctor_check_sender_map_order(struct doctor *d);
void doctor_check_transport_maps(struct doctor *d);
void doctor_check_unlisted_tables(struct doctor *d);
void doctor_check_relayhost(struct doctor *d);
void doctor_check_default_transport(struct doctor *d);
void doctor_check_relay_transport(struct doctor *d);
void doctor_check_class_transport(struct doctor *d);
void doctor_check_probes(struct doctor *d);
void doctor_check_rewriting(struct doctor *d);
void doctor_check_instances(struct doctor *d);
/* doctor_strict.c */
void doctor_check_strict_services(struct doctor *d);
void doctor_check_strict_program(struct doctor *d);
void doctor_check_separate(struct doctor *d);
void doctor_check_wrappermode(struct doctor *d);
void doctor_check_min_tls(struct doctor *d);
void doctor_check_kept_connections(struct doctor *d);
/* doctor_maps.c */
void doctor_check_strict_policy_map(struct doctor *d);
void doctor_check_policy_map(struct doctor *d);
void doctor_check_policy_order(struct doctor *d);
void doctor_check_policy_mode(struct doctor *d);
void doctor_check_map_names(struct doctor *d);
void doctor_check_tlsrpt_maps(struct doctor *d);
void doctor_check_plain_maps(struct doctor *d);
void doctor_check_refusal(struct doctor *d);
void doctor_check_refusal_default(struct doctor *d);
void doctor_check_proxy(struct doctor *d);
/* doctor_filter.c */
void doctor_check_content_filter(struct doctor *d);
void doctor_check_filter_action(struct doctor *d);
void doctor_check_filter_sender(struct doctor *d);
void doctor_check_filter_home(struct doctor *d);
/* doctor_milter.c */
void doctor_check_milter(struct doctor *d);
void doctor_check_milter_local(struct doctor *d);
void doctor_check_milter_action(struct doctor *d);
void doctor_check_strip(struct doctor *d);
/* doctor_sockets.c */
void doctor_check_socket_chroot(struct doctor *d);
void doctor_check_socket_permission(struct doctor *d);
void doctor_check_socket_away(struct doctor *d);
void doctor_check_socket_unknown(struct doctor *d);
void doctor_check_settings_state(struct doctor *d);
/* doctor_world.c */
void doctor_check_trust(struct doctor *d);
void doctor_check_resolver(struct doctor *d);
void doctor_check_resolver_remote(struct doctor *d);
void doctor_check_trust_ad(struct doctor *d);
void doctor_check_copies(struct doctor *d);
void doctor_check_redis(struct doctor *d);
void doctor_check_sentinels(struct doctor *d);
void doctor_check_eviction(struct doctor *d);
void doctor_check_eviction_ending(struct doctor *d);
void doctor_check_exceptions(struct doctor *d);
void doctor_check_ending(struct doctor *d);
void doctor_check_bad_settings(struct doctor *d);
void doctor_check_unused(struct doctor *d);
void doctor_check_legacy(struct doctor *d);
void doctor_check_cut(struct doctor *d);
void doctor_check_delay(struct doctor *d);

#endif
