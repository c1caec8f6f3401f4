/*
 * doctor_find.c - findings and their mends: what the rules write, and what they read values with.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "core/doctor/doctor_rules.h"

static struct doctor_finding *place(struct doctor *d, const char *parameter)
{
	struct doctor_report *r = d->report;

	for (size_t i = 0; i < r->findings; i++)
		if (r->finding[i].rule == d->rule && strcmp(r->finding[i].parameter, parameter) == 0)
			return &d->nowhere;
	if (r->findings == DOCTOR_FINDINGS_MAX) {
		r->left_out++;
		return &d->nowhere;
	}
	return &r->finding[r->findings++];
}

struct doctor_finding *doctor_find(struct doctor *d, const char *parameter, const char *fmt, ...)
{
	struct doctor_finding *finding;
	char cut[sizeof(finding->parameter)];
	va_list ap;

	snprintf(cut, sizeof(cut), "%s", parameter);
	finding = place(d, cut);
	memset(finding, 0, sizeof(*finding));
	finding->rule = d->rule;
	finding->severity = d->rule->severity;
	memcpy(finding->parameter, cut, sizeof(cut));
	va_start(ap, fmt);
	vsnprintf(finding->found, sizeof(finding->found), fmt, ap);
	va_end(ap);
	return finding;
}

void doctor_soften(struct doctor_finding *finding, enum doctor_severity severity)
{
	finding->severity = severity;
}

static void append(struct doctor_finding *finding, const char *text)
{
	size_t len = strlen(finding->mend);

	snprintf(finding->mend + len, sizeof(finding->mend) - len, "%s%s", len > 0 ? "\n" : "", text);
}

void doctor_mend_line(struct doctor_finding *finding, const char *fmt, ...)
{
	char line[sizeof(finding->mend)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	append(finding, line);
}

/* WORD in single quotes for the shell. */
static void quote(struct sbuf *out, const char *word)
{
	sbuf_addc(out, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			sbuf_add(out, "'\\''");
		else
			sbuf_addc(out, *word);
	sbuf_addc(out, '\'');
}

void doctor_mend_postconf(struct doctor *d, struct doctor_finding *finding, const char *option, const char *word)
{
	char line[sizeof(finding->mend)];
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	sbuf_add(&b, "postconf ");
	if (d->f->config_dir) {
		sbuf_add(&b, "-c ");
		quote(&b, d->f->config_dir);
		sbuf_addc(&b, ' ');
	}
	sbuf_add(&b, option);
	sbuf_addc(&b, ' ');
	quote(&b, word);
	append(finding, line);
}

void doctor_mend_main(struct doctor *d, struct doctor_finding *finding, const char *parameter, const char *value)
{
	char *word = xasprintf("%s=%s", parameter, value);

	doctor_mend_postconf(d, finding, "-e", word);
	free(word);
}

/* VALUE with commas alone between its words; heap. NULL: there is white space inside a word, too. */
static char *without_space(const char *value)
{
	char *out = xmalloc(strlen(value) + 1);
	const char *word;
	struct sbuf b;
	size_t len;

	sbuf_init(&b, out, strlen(value) + 1);
	while (lookup_list_next(&value, &word, &len)) {
		if (memchr(word, ' ', len) || memchr(word, '\t', len)) {
			free(out);
			return NULL;
		}
		if (b.len > 0)
			sbuf_addc(&b, ',');
		sbuf_addn(&b, word, len);
	}
	return out;
}

/* postconf -P takes no white space. */
void doctor_mend_service(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s,
			 const char *parameter, const char *value)
{
	char *packed = without_space(value);
	char *word = xasprintf("%s/%s/%s=%s", s->name, s->type, parameter, packed ? packed : value);

	if (packed)
		doctor_mend_postconf(d, finding, "-P", word);
	else
		doctor_mend_line(finding, "write in master.cf at the service %s:  -o { %s = %s }", s->name, parameter,
				 value);
	free(packed);
	free(word);
}

void doctor_mend_where(struct doctor *d, struct doctor_finding *finding, const struct postconf_service *s,
		       const char *parameter, const char *value)
{
	if (postconf_overrides(d->f->postfix, s, parameter))
		doctor_mend_service(d, finding, s, parameter, value);
	else
		doctor_mend_main(d, finding, parameter, value);
}

const char *doctor_where(struct doctor *d, const struct postconf_service *s, const char *parameter, char *out,
			 size_t size)
{
	if (postconf_overrides(d->f->postfix, s, parameter))
		snprintf(out, size, "%s/%s/%s", s->name, s->type, parameter);
	else
		snprintf(out, size, "%s", parameter);
	return out;
}

const char *doctor_value(const struct doctor *d, const struct postconf_service *s, const char *parameter, char *out,
			 size_t size)
{
	struct sbuf b;
	size_t skip;

	sbuf_init(&b, out, size);
	postconf_value(d->f->postfix, s, parameter, &b);
	skip = strspn(out, " \t");
	memmove(out, out + skip, strlen(out + skip) + 1);
	return out;
}

bool doctor_at_least(const struct doctor *d, unsigned minor, unsigned patch)
{
	return postfix_version_at_least(&d->f->version, 3, minor, patch);
}

bool doctor_is_smtp(const struct postconf_service *s)
{
	return s && strcmp(s->command, "smtp") == 0;
}

bool doctor_chrooted(const struct doctor *d, const struct lookup_table *t, const struct postconf_service *s)
{
	if (t->proxied)
		s = postconf_service(d->f->postfix, "proxymap", "unix");
	return s && postconf_chrooted(d->f->postfix, s);
}

static const struct doctor_socket *socket_of(const struct doctor *d, const char *endpoint)
{
	for (size_t i = 0; i < d->f->sockets; i++)
		if (!d->f->socket[i].milter && strcmp(d->f->socket[i].endpoint, endpoint) == 0)
			return &d->f->socket[i];
	return NULL;
}

bool doctor_is_ours(const struct doctor *d, const struct lookup_table *t, bool chrooted)
{
	const struct doctor_socket *s;

	if (strcmp(t->type, "socketmap") != 0)
		return false;
	for (size_t i = 0; i < d->f->conf.map_listens; i++)
		if (wiring_same_socket(d->f, t->endpoint, chrooted, d->f->conf.map_listen[i]))
			return true;
	s = socket_of(d, t->endpoint);
	if (s && (s->state == SOCKET_ANSWERS || s->state == SOCKET_STRANGER))
		return s->state == SOCKET_ANSWERS;
	return wiring_map(t->map);
}

/* The endpoint as Postfix writes it: relative to the queue directory where the socket is below it. */
const char *doctor_our_table(const struct doctor *d, const char *map, char *out, size_t size)
{
	const char *listen = d->f->conf.map_listens > 0 ? d->f->conf.map_listen[0] : "unix:tlsmode/map.sock";
	char queue[DOCTOR_PATH_SIZE];
	size_t len;

	doctor_value(d, NULL, "queue_directory", queue, sizeof(queue));
	len = strlen(queue);
	if (strncmp(listen, "unix:", 5) != 0)
		snprintf(out, size, "socketmap:%s:%s", listen, map);
	else if (len > 0 && strncmp(listen + 5, queue, len) == 0 && listen[5 + len] == '/')
		snprintf(out, size, "socketmap:unix:%s:%s", listen + 5 + len + 1, map);
	else
		snprintf(out, size, "socketmap:%s:%s", listen, map);
	return out;
}

const char *doctor_policy_map(const struct doctor *d, enum mode mode, char *out, size_t size)
{
	char map[40];

	snprintf(map, sizeof(map), "%s%s", names_name(mode_names, (int)mode),
		 doctor_at_least(d, 10, 0) ? "-tlsrpt" : "");
	return doctor_our_table(d, map, out, size);
}

void doctor_each_service(struct doctor *d, const char *command, const char *parameter,
			 void (*fn)(struct doctor *d, const struct postconf_service *s, const char *parameter))
{
	for (size_t i = 0; i < postconf_service_count(d->f->postfix); i++) {
		const struct postconf_service *s = postconf_service_at(d->f->postfix, i);

		if (strcmp(s->command, command) == 0 && (strcmp(command, "smtpd") != 0 || wiring_is_front(s)))
			fn(d, s, parameter);
	}
}

const char *doctor_strict_transport(const struct doctor *d)
{
	return wiring_strictest(&d->wiring, d->f) == MODE_VERIFIED ? d->f->conf.verified_transport
								   : d->f->conf.enforced_transport;
}

const struct doctor_table *doctor_table_of(const struct doctor *d, const struct lookup_table *t)
{
	for (size_t i = 0; i < d->f->tables; i++)
		if (strcmp(d->f->table[i].table.whole, t->whole) == 0)
			return &d->f->table[i];
	return NULL;
}
