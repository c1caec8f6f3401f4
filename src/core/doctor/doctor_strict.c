/*
 * doctor_strict.c - rules about the services of enforced and verified mail as such (master(5)).
 */
#include <stdio.h>
#include <string.h>

#include "core/doctor/doctor_rules.h"

/* The command line that makes the service, as contrib/postfix has it. */
static void mend_new_service(struct doctor *d, struct doctor_finding *finding, const struct route *r)
{
	static const char *const level[MODE_COUNT] = {"may", "encrypt", "verify"};
	const struct postconf_service *smtp = postconf_service(d->f->postfix, "smtp", "unix");
	char text[2000], table[400];
	struct sbuf b;

	sbuf_init(&b, text, sizeof(text));
	sbuf_addf(&b, "%s/unix=%s unix - - %c - - smtp -o syslog_name=postfix/%s", r->name, r->name,
		  smtp && postconf_chrooted(d->f->postfix, smtp) ? 'y' : 'n', r->name);
	if (r->mode != MODE_OPPORTUNISTIC) {
		sbuf_addf(&b,
			  " -o smtp_tls_security_level=%s -o smtp_fallback_relay= "
			  "-o smtp_connection_cache_on_demand=no -o smtp_connection_cache_destinations=",
			  level[r->mode]);
		sbuf_addf(&b, " -o smtp_tls_policy_maps=%s", doctor_policy_map(d, r->mode, table, sizeof(table)));
		sbuf_addf(&b, " -o smtp_delivery_status_filter=%s",
			  doctor_our_table(d, "refusal", table, sizeof(table)));
		if (doctor_at_least(d, 10, 0))
			sbuf_add(&b, " -o tls_required_enable=no");
	}
	doctor_mend_postconf(d, finding, "-M", text);
}

void doctor_check_strict_services(struct doctor *d)
{
	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];
		struct doctor_finding *finding;
		char where[200];

		if (!r->own || r->service)
			continue;
		snprintf(where, sizeof(where), "%s/unix", r->name);
		if (r->used)
			finding =
			    doctor_find(d, where, "master.cf has no service %s; it is needed for %s.", r->name, r->who);
		else
			finding =
			    doctor_find(d, where, "master.cf has no service %s; no sender needs it yet.", r->name);
		if (!r->used)
			doctor_soften(finding, DOCTOR_WARNING);
		mend_new_service(d, finding, r);
	}
}

void doctor_check_strict_program(struct doctor *d)
{
	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];
		struct doctor_finding *finding;
		char where[200];

		if (!r->own || !r->service || doctor_is_smtp(r->service))
			continue;
		snprintf(where, sizeof(where), "%s/unix", r->name);
		finding = doctor_find(d, where, "The service %s runs %s, not smtp.", r->name, r->service->command);
		mend_new_service(d, finding, r);
	}
}

void doctor_check_separate(struct doctor *d)
{
	const struct doctor_conf *conf = &d->f->conf;
	char value[300], name[64];

	doctor_value(d, NULL, "default_transport", value, sizeof(value));
	wiring_split(name, value);
	if (strcmp(name, conf->enforced_transport) == 0 || strcmp(name, conf->verified_transport) == 0)
		doctor_mend_main(d, doctor_find(d, "default_transport", "It is %s, the service of strict mail.", name),
				 "default_transport", "smtp");
	if (strcmp(conf->enforced_transport, conf->verified_transport) == 0)
		doctor_mend_line(doctor_find(d, "mapd.verified_transport", "Both strict modes have the service %s.",
					     conf->enforced_transport),
				 "name two services in tlsmode.conf: mapd { enforced_transport = \"smtp-enforced\" "
				 "verified_transport = \"smtp-verified\" }");
}

void doctor_check_wrappermode(struct doctor *d)
{
	char value[16], relayhost[300], where[200];

	doctor_value(d, NULL, "relayhost", relayhost, sizeof(relayhost));
	if (relayhost[0] != '\0')
		return;
	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];

		if (!doctor_is_smtp(r->service))
			continue;
		doctor_value(d, r->service, "smtp_tls_wrappermode", value, sizeof(value));
		if (strcmp(value, "yes") != 0)
			continue;
		doctor_where(d, r->service, "smtp_tls_wrappermode", where, sizeof(where));
		doctor_mend_where(d, doctor_find(d, where, "It is yes for %s, and there is no relayhost.", r->name),
				  r->service, "smtp_tls_wrappermode", "no");
	}
}

void doctor_check_min_tls(struct doctor *d)
{
	if (d->f->conf.min_tls[0] != '\0' && doctor_at_least(d, 0, 0) && !doctor_at_least(d, 6, 0))
		doctor_mend_line(doctor_find(d, "mapd.min_tls", "It is \"%s\", and this is Postfix 3.%u.",
					     d->f->conf.min_tls, d->f->version.minor),
				 "write in tlsmode.conf: mapd { min_tls = \"\" }");
}

static void find_kept(struct doctor *d, const struct route *r, const char *parameter, const char *wanted)
{
	char value[300], where[200];
	struct doctor_finding *finding;

	doctor_value(d, r->service, parameter, value, sizeof(value));
	if (strcmp(value, wanted) == 0)
		return;
	snprintf(where, sizeof(where), "%s/%s/%s", r->service->name, r->service->type, parameter);
	finding = doctor_find(d, where, "%s of %s is %s.", parameter, r->name, value[0] != '\0' ? value : "empty");
	doctor_mend_service(d, finding, r->service, parameter, wanted);
}

void doctor_check_kept_connections(struct doctor *d)
{
	if (doctor_at_least(d, 10, 3))
		return;
	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];

		if (r->mode == MODE_OPPORTUNISTIC || !doctor_is_smtp(r->service))
			continue;
		find_kept(d, r, "smtp_connection_cache_on_demand", "no");
		find_kept(d, r, "smtp_connection_cache_destinations", "");
	}
}
