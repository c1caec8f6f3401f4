/*
 * conf_check.c - is a value of tlsmode.conf one? Forms of addresses and names. Called through the table; knows nothing of
 * it. Not here: values that need each other (conf_together.c), what must be there outside the file (conf_outside.c).
 */
#include "io/conf/conf_table.h"

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
