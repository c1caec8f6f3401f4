/*
 * doctor_sockets.c - rules about the sockets of the daemons, as the postfix user meets them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

static const char *daemon_of(const struct doctor_socket *s)
{
	return s->milter ? "tlsmode-milter" : "tlsmode-mapd";
}

static bool is_absolute(const struct doctor_socket *s)
{
	const char *path = strchr(s->endpoint, ':');

	return path && path[1] == '/';
}

static bool is_unseen(const struct doctor_socket *s)
{
	return s->chrooted && is_absolute(s) && s->state == SOCKET_MISSING;
}

/* TEXT with NEW for the first OLD in it; heap. NULL: it is not in it. */
static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);

	if (!at)
		return NULL;
	return xasprintf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

/* The daemon's own socket, relative to the queue directory; where it is not below it, where it should be. */
static void reachable(struct doctor *d, struct doctor_finding *finding, const struct doctor_socket *s, char *out,
		      size_t size)
{
	const char *name = s->milter ? "milter.sock" : "map.sock";
	const char *listen = s->milter                    ? d->f->conf.milter_listen
			     : d->f->conf.map_listens > 0 ? d->f->conf.map_listen[0]
							  : "";
	char queue[DOCTOR_PATH_SIZE];
	size_t len;

	doctor_value(d, NULL, "queue_directory", queue, sizeof(queue));
	len = strlen(queue);
	if (strncmp(listen, "unix:", 5) == 0 && strncmp(listen + 5, queue, len) == 0 && listen[5 + len] == '/') {
		snprintf(out, size, "unix:%s", listen + 6 + len);
		return;
	}
	snprintf(out, size, "unix:tlsmode/%s", name);
	doctor_mend_line(finding, "write in tlsmode.conf: %s listen = %s\"unix:%s/tlsmode/%s\"%s }, and restart %s",
			 s->milter ? "milter {" : "mapd {", s->milter ? "" : "{", queue, name, s->milter ? "" : "}",
			 daemon_of(s));
}

static void mend_endpoint(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s,
			  const char *parameter, const char *old, const char *new)
{
	const char *raw = postconf_raw(d->f->postfix, s, parameter);
	char *value = raw ? replaced(raw, old, new) : NULL;
	char *line = xasprintf("%s=%s", parameter, value ? value : "");

	/* services without a value of their own share main.cf's line */
	if (value && (postconf_overrides(d->f->postfix, s, parameter) || !strstr(finding->mend, line)))
		doctor_mend_where(d, finding, s, parameter, value);
	free(line);
	free(value);
}

/* Every parameter that names the endpoint, mended. */
static void mend_users(struct doctor *d, struct doctor_finding *finding, const struct doctor_socket *s, const char *new)
{
	static const char *const parameters[] = {"sender_dependent_default_transport_maps", "smtp_tls_policy_maps",
						 "smtp_delivery_status_filter", "smtpd_milters", "non_smtpd_milters"};
	const struct postconf *p = d->f->postfix;

	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		mend_endpoint(d, finding, NULL, parameters[i], s->endpoint, new);
		for (size_t j = 0; j < postconf_service_count(p); j++)
			if (postconf_overrides(p, postconf_service_at(p, j), parameters[i]))
				mend_endpoint(d, finding, postconf_service_at(p, j), parameters[i], s->endpoint, new);
	}
}

void doctor_check_socket_chroot(struct doctor *d)
{
	char new[TABLE_ENDPOINT_SIZE];

	for (size_t i = 0; i < d->f->sockets; i++) {
		const struct doctor_socket *s = &d->f->socket[i];
		struct doctor_finding *finding;

		if (!is_unseen(s))
			continue;
		finding = doctor_find(d, s->endpoint, "The service %s runs in the chroot and cannot see %s (%s).",
				      s->user, s->endpoint, s->parameter);
		reachable(d, finding, s, new, sizeof(new));
		mend_users(d, finding, s, new);
	}
}

static void full_path(struct doctor *d, const struct doctor_socket *s, char *out, size_t size)
{
	const char *path = strchr(s->endpoint, ':');
	char queue[DOCTOR_PATH_SIZE];

	path = path ? path + 1 : s->endpoint;
	doctor_value(d, NULL, "queue_directory", queue, sizeof(queue));
	if (*path == '/' && !s->chrooted)
		snprintf(out, size, "%s", path);
	else
		snprintf(out, size, "%s%s%s", queue, *path == '/' ? "" : "/", path);
}

void doctor_check_socket_permission(struct doctor *d)
{
	char path[TABLE_ENDPOINT_SIZE + DOCTOR_PATH_SIZE];

	for (size_t i = 0; i < d->f->sockets; i++) {
		const struct doctor_socket *s = &d->f->socket[i];
		struct doctor_finding *finding;

		if (s->state != SOCKET_DENIED)
			continue;
		full_path(d, s, path, sizeof(path));
		finding = doctor_find(d, s->endpoint, "The service %s is refused at %s (%s): %s.", s->user, path,
				      s->parameter, s->why);
		doctor_mend_line(finding, "chgrp postfix %s && chmod 0660 %s", path, path);
		doctor_mend_line(finding, "chmod a+x %.*s", (int)(strrchr(path, '/') ? strrchr(path, '/') - path : 0),
				 path);
		doctor_mend_line(finding, "write in tlsmode.conf: %s { socket_group = \"postfix\" socket_mode = 0660 }",
				 s->milter ? "milter" : "mapd");
	}
}

static void find_away(struct doctor *d, const struct doctor_socket *s)
{
	static const char *const words[] = {
	    [SOCKET_MISSING] = "is not there",
	    [SOCKET_REFUSED] = "is there, but nobody listens",
	    [SOCKET_SILENT] = "does not answer",
	    [SOCKET_STRANGER] = "is not tlsmode's",
	};
	struct doctor_finding *finding;

	finding = doctor_find(d, s->endpoint, "%s, which the service %s asks (%s), %s%s%s.", s->endpoint, s->user,
			      s->parameter, words[s->state], s->why[0] != '\0' ? ": " : "", s->why);
	doctor_mend_line(finding, "systemctl restart %s", daemon_of(s));
	if (s->state == SOCKET_MISSING)
		doctor_mend_line(finding, "or name in %s the socket that tlsmode.conf has in %s.listen", s->parameter,
				 s->milter ? "milter" : "mapd");
}

/* A foreign milter or socketmap is not ours to judge. */
static bool is_foreign(const struct doctor *d, const struct doctor_socket *s)
{
	if (s->milter)
		return !wiring_same_socket(d->f, s->endpoint, s->chrooted, d->f->conf.milter_listen);
	for (size_t i = 0; i < d->f->conf.map_listens; i++)
		if (wiring_same_socket(d->f, s->endpoint, s->chrooted, d->f->conf.map_listen[i]))
			return false;
	return s->state == SOCKET_STRANGER;
}

void doctor_check_socket_away(struct doctor *d)
{
	for (size_t i = 0; i < d->f->sockets; i++) {
		const struct doctor_socket *s = &d->f->socket[i];

		if (s->state == SOCKET_UNKNOWN || s->state == SOCKET_ANSWERS || s->state == SOCKET_DENIED)
			continue;
		if (!is_unseen(s) && !is_foreign(d, s))
			find_away(d, s);
	}
}

void doctor_check_socket_unknown(struct doctor *d)
{
	for (size_t i = 0; i < d->f->sockets; i++)
		if (d->f->socket[i].state == SOCKET_UNKNOWN)
			doctor_mend_line(doctor_find(d, d->f->socket[i].endpoint, "%s was not tried as %s would: %s.",
						     d->f->socket[i].endpoint, d->f->socket[i].user,
						     d->f->socket[i].why),
					 "run tlsmode doctor as root");
}

void doctor_check_settings_state(struct doctor *d)
{
	for (size_t i = 0; i < d->f->sockets; i++) {
		const struct doctor_socket *s = &d->f->socket[i];

		if (s->state == SOCKET_ANSWERS && !s->milter && strcmp(s->settings, "live") != 0)
			doctor_mend_line(
			    doctor_find(d, "mapd settings", "tlsmode-mapd says of its settings: %s.", s->settings),
			    "tlsmode status");
	}
}
