/*
 * doctor_world.c - rules about what Postfix and tlsmode stand on: certification authorities, the resolver, the chroot's
 * copies, Redis and the settings in it.
 */
#include <stdio.h>
#include <string.h>

#include "core/doctor/doctor_rules.h"

#define BUNDLE "/etc/ssl/certs/ca-certificates.crt"

static const struct doctor_trust *trust_of(const struct doctor *d, const struct postconf_service *s)
{
	char file[DOCTOR_PATH_SIZE], path[DOCTOR_PATH_SIZE];
	bool chrooted = postconf_chrooted(d->f->postfix, s);

	doctor_value(d, s, "smtp_tls_CAfile", file, sizeof(file));
	doctor_value(d, s, "smtp_tls_CApath", path, sizeof(path));
	for (size_t i = 0; i < d->f->trusts; i++) {
		const struct doctor_trust *t = &d->f->trust[i];

		if (strcmp(t->file, file) == 0 && strcmp(t->path, path) == 0 && t->chrooted == chrooted)
			return t;
	}
	return NULL;
}

/* A CAfile that cannot be read disables TLS altogether, whatever the rest. */
static bool is_trusting(const struct doctor_trust *t)
{
	return (t->file[0] == '\0' || t->file_ok) && (t->file_ok || t->path_ok || (t->appended && t->default_ok));
}

void doctor_check_trust(struct doctor *d)
{
	char where[200];

	for (size_t i = 0; i < d->wiring.routes; i++) {
		const struct route *r = &d->wiring.route[i];
		const struct doctor_trust *t = doctor_is_smtp(r->service) ? trust_of(d, r->service) : NULL;
		struct doctor_finding *finding;

		if (!t || is_trusting(t))
			continue;
		doctor_where(d, r->service, "smtp_tls_CAfile", where, sizeof(where));
		finding = doctor_find(d, where, "The service %s has no usable smtp_tls_CAfile or smtp_tls_CApath%s%s.",
				      r->name, t->why[0] != '\0' ? ": " : "", t->why);
		doctor_mend_where(d, finding, r->service, "smtp_tls_CAfile", BUNDLE);
		if (strcmp(t->file, BUNDLE) == 0)
			doctor_mend_line(finding, "apt-get install ca-certificates");
	}
}

/* ---- DNS ---- */
static void mend_resolver(struct doctor_finding *finding, const struct doctor_resolver *r)
{
	doctor_mend_line(finding,
			 "let a validating resolver run on this machine (apt-get install unbound), and write "
			 "\"nameserver 127.0.0.1\" in %s",
			 r->file);
	doctor_mend_line(finding, "or do without DANE: write in tlsmode.conf mapd { dane = false }");
}

static const char *state_text(enum server_state state)
{
	static const char *const texts[] = {
	    [SERVER_UNASKED] = "was not asked",  [SERVER_AD] = "validates",
	    [SERVER_NO_AD] = "sets no AD bit",   [SERVER_FAILED] = "answers with an error",
	    [SERVER_SILENT] = "does not answer",
	};

	return texts[state];
}

static bool any_validates(const struct doctor_resolver *r)
{
	for (size_t i = 0; i < r->servers; i++)
		if (r->server[i].state == SERVER_AD)
			return true;
	return false;
}

void doctor_check_resolver(struct doctor *d)
{
	for (size_t i = 0; i < 2; i++) {
		const struct doctor_resolver *r = &d->f->resolver[i];

		for (size_t j = 0; r->wanted && d->f->conf.dane && j < r->servers; j++) {
			const struct doctor_server *s = &r->server[j];

			if (s->state == SERVER_AD || (s->state != SERVER_NO_AD && any_validates(r)))
				continue;
			mend_resolver(doctor_find(d, r->file, "%s%s%s %s.", s->address,
						  r->missing ? " (there is no " : "", r->missing ? r->file : "",
						  state_text(s->state)),
				      r);
		}
	}
}

void doctor_check_resolver_remote(struct doctor *d)
{
	for (size_t i = 0; i < 2; i++) {
		const struct doctor_resolver *r = &d->f->resolver[i];

		for (size_t j = 0; r->wanted && d->f->conf.dane && j < r->servers; j++)
			if (r->server[j].state == SERVER_AD && !r->server[j].loopback)
				mend_resolver(doctor_find(d, r->file, "%s is another machine.", r->server[j].address),
					      r);
	}
}

void doctor_check_trust_ad(struct doctor *d)
{
	if (doctor_at_least(d, 5, 1) || !doctor_at_least(d, 0, 0))
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct doctor_resolver *r = &d->f->resolver[i];

		if (r->wanted && d->f->conf.dane && !r->trust_ad)
			doctor_mend_line(doctor_find(d, r->file, "It has no \"options trust-ad\"."),
					 "echo 'options trust-ad' >> %s", r->file);
	}
}

void doctor_check_copies(struct doctor *d)
{
	char queue[DOCTOR_PATH_SIZE], where[200];

	doctor_value(d, NULL, "queue_directory", queue, sizeof(queue));
	for (size_t i = 0; i < d->f->copies; i++) {
		const struct doctor_copy *c = &d->f->copy[i];

		if (!c->missing && !c->differs)
			continue;
		snprintf(where, sizeof(where), "%.100s/%s", queue, c->name);
		doctor_mend_line(doctor_find(d, where,
					     c->missing ? "/%s has no copy in the chroot."
							: "The copy of /%s in the chroot is not the same.",
					     c->name),
				 "cp /%s %s", c->name, where);
	}
}

/* ---- Redis ---- */
void doctor_check_redis(struct doctor *d)
{
	if (!d->f->redis.known)
		doctor_mend_line(doctor_find(d, "redis", "The settings could not be read: %s.", d->f->redis.why),
				 "see the section redis of tlsmode.conf, and redis-cli");
}

void doctor_check_sentinels(struct doctor *d)
{
	const struct doctor_redis *r = &d->f->redis;

	if (r->deaf.count > 0)
		doctor_mend_line(
		    doctor_find(d, "redis.sentinels", "The master is %s, but of the sentinels %zu fail: %s.",
				r->address, r->deaf.count, r->deaf.text),
		    "see redis-cli -h ADDRESS -p PORT SENTINEL MASTERS of each, or take it out of redis.sentinels");
}

static struct doctor_finding *doctor_world_find_policy(struct doctor *d)
{
	struct doctor_finding *finding = doctor_find(d, "redis maxmemory-policy", "It is %s (maxmemory %s).",
						     d->f->redis.policy, d->f->redis.maxmemory);

	doctor_mend_line(finding, "redis-cli CONFIG SET maxmemory-policy noeviction");
	doctor_mend_line(finding, "redis-cli CONFIG REWRITE");
	return finding;
}

void doctor_check_eviction(struct doctor *d)
{
	if (d->f->redis.known && d->f->redis.policy[0] == '\0') {
		struct doctor_finding *finding = doctor_find(d, "redis maxmemory-policy", "Redis does not tell it.");

		doctor_mend_line(finding, "let the account of tlsmode.conf ask for INFO, as etc/redis-acl.sample does");
		doctor_soften(finding, DOCTOR_UNKNOWN);
	} else if (strncmp(d->f->redis.policy, "allkeys-", 8) == 0)
		doctor_world_find_policy(d);
}

/* volatile-*: only keys with an end, the ones nearest to it first in volatile-ttl, which serves the facts' cache */
void doctor_check_eviction_ending(struct doctor *d)
{
	bool limited = d->f->redis.maxmemory[0] != '\0' && strcmp(d->f->redis.maxmemory, "0") != 0;

	if (limited && d->f->redis.ending.count > 0 && strncmp(d->f->redis.policy, "volatile-", 9) == 0)
		doctor_world_find_policy(d);
}

void doctor_check_exceptions(struct doctor *d)
{
	const struct doctor_names *n = &d->f->redis.endless;

	if (n->count > 0)
		doctor_mend_line(doctor_find(d, "except", "%zu without an end: %s.", n->count, n->text),
				 "tlsmode domain set --except DOMAIN FIELD=VALUE --ttl 30d");
}

void doctor_check_ending(struct doctor *d)
{
	const struct doctor_names *n = &d->f->redis.ending;

	if (n->count > 0)
		doctor_mend_line(doctor_find(d, "sender, rcpt", "%zu with an end: %s.", n->count, n->text),
				 "redis-cli PERSIST KEY");
}

void doctor_check_bad_settings(struct doctor *d)
{
	const struct doctor_names *n = &d->f->redis.bad;

	if (n->count > 0)
		doctor_mend_line(
		    doctor_find(d, "settings", "%zu with values nobody understands: %s.", n->count, n->text),
		    "tlsmode domain list");
}

/* ---- the rest ---- */
void doctor_check_unused(struct doctor *d)
{
	const struct doctor_names *n = &d->f->unused;

	if (n->count > 0)
		doctor_mend_line(doctor_find(d, "main.cf, master.cf", "postconf(1) knows no use of: %s.", n->text),
				 "correct the spelling, or take it out");
}

void doctor_check_legacy(struct doctor *d)
{
	static const char *const names[] = {"smtp_use_tls", "smtp_enforce_tls", "smtp_tls_per_site"};
	char value[400];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		doctor_value(d, NULL, names[i], value, sizeof(value));
		if (value[0] != '\0' && strcmp(value, "no") != 0)
			doctor_mend_postconf(d, doctor_find(d, names[i], "It is \"%s\".", value), "-X", names[i]);
	}
}

void doctor_check_cut(struct doctor *d)
{
	if (d->f->cut || d->f->redis.vias_cut)
		doctor_mend_line(
		    doctor_find(d, "tlsmode doctor", "There are more tables, sockets or families than it can hold."),
		    "look at the others by hand");
}

void doctor_check_delay(struct doctor *d)
{
	doctor_mend_line(
	    doctor_find(d, "30 s", "A changed setting is in force in tlsmode at once, in Postfix at the next look-up."),
	    "nothing to mend; postfix reload makes it forget at once");
}
