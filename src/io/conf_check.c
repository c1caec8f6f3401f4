/*
 * conf_check.c - is a value of tlsmode.conf one? Forms of addresses and names, values that need each other, and what
 * must be there outside the file. Called by conf.c through the table.
 */
#include "config.h"

#include "io/conf_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "io/listen.h"

static bool conf_check_refuse(char *reason, size_t size, const char *text, const char *expected)
{
	char quoted[80];

	snprintf(reason, size, "%s is not %s", log_quote(quoted, sizeof(quoted), text, strlen(text)), expected);
	return false;
}

static bool all_of(const char *text, size_t max, const char *extra)
{
	size_t len = strlen(text);

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(extra, c)))
			return false;
	}
	return true;
}

bool conf_check_listen(const char *text, char *reason, size_t size)
{
	struct listen_address a;

	return listen_parse(&a, text, reason, size);
}

bool conf_check_listen_or_none(const char *text, char *reason, size_t size)
{
	return *text == '\0' || conf_check_listen(text, reason, size);
}

/* The same forms without "inet:" */
bool conf_check_redis_address(const char *text, char *reason, size_t size)
{
	struct listen_address a;
	char inet[200], why[200];

	if (strncmp(text, "unix:", 5) == 0)
		return listen_parse(&a, text, reason, size);
	snprintf(inet, sizeof(inet), "inet:%s", text);
	if (listen_parse(&a, inet, why, sizeof(why)))
		return true;
	return conf_check_refuse(
	    reason, size, text,
	    "\"unix:/path\" or an IP address with a port such as \"127.0.0.1:6379\" (host names are not looked up)");
}

bool conf_check_sentinel(const char *text, char *reason, size_t size)
{
	char inet[200], why[200];
	struct listen_address a;

	snprintf(inet, sizeof(inet), "inet:%s", text);
	if (listen_parse(&a, inet, why, sizeof(why)))
		return true;
	return conf_check_refuse(
	    reason, size, text,
	    "an IP address with a port such as \"10.0.0.1:26379\" or \"[fd00::1]:26379\" (host names are not "
	    "looked up)");
}

/* As Sentinel takes it in "sentinel monitor NAME" */
bool conf_check_master(const char *text, char *reason, size_t size)
{
	if (*text == '\0' || all_of(text, 200, "._-"))
		return true;
	return conf_check_refuse(reason, size, text,
				 "the name of a master (1 to 200 letters, digits, \".\", \"-\" and \"_\")");
}

bool conf_check_redis_prefix(const char *text, char *reason, size_t size)
{
	if (all_of(text, 64, ":._-{}/"))
		return true;
	return conf_check_refuse(reason, size, text, "a key prefix (1 to 64 letters, digits and \":._-{}/\")");
}

/* ADDRESS ["@" PORT] */
bool conf_check_dns_server(const char *text, char *reason, size_t size)
{
	unsigned char addr[16];
	char host[64];
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);
	long port = at && all_of(at + 1, 5, "") ? strtol(at + 1, NULL, 10) : at ? 0 : 53;

	if (len < sizeof(host) && port > 0 && port < 65536) {
		memcpy(host, text, len);
		host[len] = '\0';
		if (inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1)
			return true;
	}
	return conf_check_refuse(
	    reason, size, text,
	    "an IP address such as \"127.0.0.1\" or \"127.0.0.53@5353\" (host names are not looked up)");
}

bool conf_check_file(const char *text, char *reason, size_t size)
{
	if (text[0] == '/')
		return true;
	return conf_check_refuse(reason, size, text, "an absolute path (daemons work in /)");
}

bool conf_check_file_or_none(const char *text, char *reason, size_t size)
{
	return *text == '\0' || conf_check_file(text, reason, size);
}

bool conf_check_transport(const char *text, char *reason, size_t size)
{
	if (all_of(text, 63, "-_."))
		return true;
	return conf_check_refuse(
	    reason, size, text,
	    "the name of a master.cf service (1 to 63 letters, digits, \"-\", \"_\" and \".\", no next hop)");
}

bool conf_check_transport_or_all(const char *text, char *reason, size_t size)
{
	return strcmp(text, "*") == 0 || conf_check_transport(text, reason, size);
}

/* RFC 5322 s2.2; and not a field that every message has: we remove the copies that come in. */
bool conf_check_header(const char *text, char *reason, size_t size)
{
	static const char *const taken[] = {"From",
					    "To",
					    "Cc",
					    "Bcc",
					    "Subject",
					    "Date",
					    "Message-ID",
					    "Sender",
					    "Reply-To",
					    "Received",
					    "Return-Path",
					    "In-Reply-To",
					    "References",
					    "MIME-Version",
					    "Content-Type",
					    "Content-Transfer-Encoding",
					    "DKIM-Signature",
					    "TLS-Required",
					    "Authentication-Results",
					    NULL};
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < 33 || text[i] > 126 || text[i] == ':')
			len = 0;
	if (len < 1 || len > 64)
		return conf_check_refuse(
		    reason, size, text, "a header field name (1 to 64 printable ASCII characters, no space, no colon)");
	for (size_t i = 0; taken[i]; i++)
		if (strcasecmp(text, taken[i]) == 0)
			return conf_check_refuse(
			    reason, size, text, "a field of our own: copies of it would be removed from every message");
	return true;
}

bool conf_check_min_tls(const char *text, char *reason, size_t size)
{
	if (*text == '\0' || strcmp(text, "1.2") == 0 || strcmp(text, "1.3") == 0)
		return true;
	return conf_check_refuse(reason, size, text, "\"\", \"1.2\" or \"1.3\"");
}

static const struct conf_option *at_fault(const char *section, const char *name, char *reason, size_t size,
					  const char *text)
{
	snprintf(reason, size, "%s", text);
	return conf_option_find(section, name);
}

#ifdef HAVE_HIREDIS_SSL
#define NO_REDIS_TLS NULL
#else
#define NO_REDIS_TLS                                                                                                   \
	"this build has no TLS to Redis: it was made without hiredis_ssl (Debian 13 has it); use a unix socket or a "  \
	"local tunnel"
#endif

static const struct conf_option *check_redis_together(const struct conf_redis *r, char *reason, size_t size)
{
	const struct {
		const char *name, *value;
	} only_tls[] = {{"tls_ca_file", r->tls_ca_file},
			{"tls_cert_file", r->tls_cert_file},
			{"tls_key_file", r->tls_key_file},
			{"tls_name", r->tls_name}};

	if (r->tls && NO_REDIS_TLS)
		return at_fault("redis", "tls", reason, size, NO_REDIS_TLS);
	for (size_t i = 0; !r->tls && i < sizeof(only_tls) / sizeof(only_tls[0]); i++)
		if (*only_tls[i].value != '\0')
			return at_fault("redis", only_tls[i].name, reason, size, "is used with redis.tls = true only");
	if ((*r->tls_cert_file != '\0') != (*r->tls_key_file != '\0'))
		return at_fault("redis", "tls_cert_file", reason, size,
				"tls_cert_file and tls_key_file need each other");
	if (r->sentinels.count > 0 && *r->master == '\0')
		return at_fault("redis", "sentinels", reason, size,
				"redis.master must say which master: the name in the sentinels' \"sentinel monitor\"");
	if (r->sentinels.count == 0 && *r->master != '\0')
		return at_fault("redis", "master", reason, size, "is used with redis.sentinels only");
	return NULL;
}

static bool names_fit(const struct conf_list *names)
{
	size_t len = 2; /* a blank before the first, NUL after the last */

	for (size_t i = 0; i < names->count; i++)
		len += strlen(names->item[i]) + 1;
	return len <= CONF_NAMES_SIZE;
}

static const struct conf_option *check_milter_together(const struct conf_milter *m, char *reason, size_t size)
{
	const struct conf_list *strict = &m->strict_transports;

	if (m->identity == 0)
		return at_fault("milter", "identity", reason, size, "at least one identity is needed");
	if (!names_fit(&m->local_transports))
		return at_fault("milter", "local_transports", reason, size, "too many names: 510 octets at most");
	if (!names_fit(strict))
		return at_fault("milter", "strict_transports", reason, size, "too many names: 510 octets at most");
	if (m->on_escape == ACTION_ACCEPT)
		return NULL;
	if (m->on_mismatch == ACTION_FILTER)
		return at_fault("milter", "on_escape", reason, size,
				"only \"accept\" goes with on_mismatch = \"filter\": the tag routes the mail then, "
				"not the recipient's transport");
	for (size_t i = 0; i < strict->count; i++)
		if (strcmp(strict->item[i], "*") == 0)
			return at_fault("milter", "on_escape", reason, size,
					"only \"accept\" goes with strict_transports = {\"*\"}: nothing escapes then");
	return NULL;
}

const struct conf_option *conf_check_together(const struct conf *conf, char *reason, size_t size)
{
	const struct conf_option *o = check_redis_together(&conf->redis, reason, size);

	if (o)
		return o;
	if (conf->mapd.listen.count == 0)
		return at_fault("mapd", "listen", reason, size, "at least one socket is needed");
	return check_milter_together(&conf->milter, reason, size);
}
