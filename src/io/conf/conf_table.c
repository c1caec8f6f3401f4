/*
 * conf_table.c - the options of tlsmode.conf: to add one, add a member to struct conf and a row here (HACKING).
 *
 * Called by conf.c only. The order is that of the sample file.
 */
#include "io/conf/conf_table.h"

#include <stdio.h>
#include <string.h>

static const struct name_code when_unknown_names[] = {
    {"tempfail", UNKNOWN_TEMPFAIL},
    {"opportunistic", UNKNOWN_OPPORTUNISTIC},
    {"enforced", UNKNOWN_ENFORCED},
    {NULL, 0},
};
static const struct name_code identity_names[] = {
    {"envelope", IDENTITY_ENVELOPE},
    {"from", IDENTITY_FROM},
    {"auth", IDENTITY_AUTH},
    {NULL, 0},
};
static const struct name_code mismatch_names[] = {
    {"accept", ACTION_ACCEPT},
    {"reject", ACTION_REJECT},
    {"filter", ACTION_FILTER},
    {NULL, 0},
};
static const struct name_code escape_names[] = {
    {"accept", ACTION_ACCEPT},
    {"tempfail", ACTION_TEMPFAIL},
    {"reject", ACTION_REJECT},
    {NULL, 0},
};
static const struct name_code accept_reject_names[] = {
    {"accept", ACTION_ACCEPT},
    {"reject", ACTION_REJECT},
    {NULL, 0},
};
static const struct name_code target_names[] = {
    {"syslog", LOG_TO_SYSLOG},
    {"stderr", LOG_TO_STDERR},
    {NULL, 0},
};
static const struct name_code decide_level_names[] = {
    {"error", LOG_LVL_ERROR}, {"warn", LOG_LVL_WARN}, {"info", LOG_LVL_INFO}, {"debug", LOG_LVL_DEBUG}, {NULL, 0},
};

const char *const conf_sections[] = {"redis", "settings", "dns", "sts", "mapd", "milter", "metrics", "log", NULL};

/* One macro per kind of option; the last argument is the help line, the one before the check or bounds. */
#define BASE(section_, name_, type_, member, fallback_, help_)                                                         \
	.section = section_, .name = name_, .type = type_, .offset = offsetof(struct conf, member),                    \
	.width = sizeof(((struct conf *)0)->member), .fallback = fallback_, .help = help_
#define STRING(s, n, m, f, check_, h)                                                                                  \
	{                                                                                                              \
		BASE(s, n, CONF_STRING, m, f, h), .check = check_                                                      \
	}
#define LIST(s, n, m, f, check_, h)                                                                                    \
	{                                                                                                              \
		BASE(s, n, CONF_LIST, m, f, h), .check = check_                                                        \
	}
#define NUMBER(s, n, m, f, min_, max_, h)                                                                              \
	{                                                                                                              \
		BASE(s, n, CONF_NUMBER, m, f, h), .min = min_, .max = max_                                             \
	}
#define MODE(s, n, m, f, h)                                                                                            \
	{                                                                                                              \
		BASE(s, n, CONF_MODE, m, f, h)                                                                         \
	}
#define BOOL(s, n, m, f, h)                                                                                            \
	{                                                                                                              \
		BASE(s, n, CONF_BOOL, m, f, h)                                                                         \
	}
#define CHOICE(s, n, m, f, choices_, h)                                                                                \
	{                                                                                                              \
		BASE(s, n, CONF_CHOICE, m, f, h), .choices = choices_                                                  \
	}
#define SET(s, n, m, f, choices_, h)                                                                                   \
	{                                                                                                              \
		BASE(s, n, CONF_SET, m, f, h), .choices = choices_                                                     \
	}
#define FILENAME(s, n, m, f, check_, use_, hint_, h)                                                                   \
	{                                                                                                              \
		BASE(s, n, CONF_STRING, m, f, h), .check = check_, .outside = OUTSIDE_FILE, .use = use_, .hint = hint_ \
	}
#define USER(s, n, m, f, h)                                                                                            \
	{                                                                                                              \
		BASE(s, n, CONF_STRING, m, f, h), .outside = OUTSIDE_USER, .use = CONF_USE_USER,                       \
						  .hint = "create the account or name another one"                     \
	}
#define GROUP(s, n, m, f, use_, h)                                                                                     \
	{                                                                                                              \
		BASE(s, n, CONF_STRING, m, f, h), .outside = OUTSIDE_GROUP, .use = use_,                               \
						  .hint = "create the group or name another one"                       \
	}

/* clang-format off */
const struct conf_option conf_options[] = {
	USER("", "user", user, "\"tlsmode\"", "daemons drop to this account when started as root; \"\" does not drop"),

	STRING("redis", "address", redis.address, "\"unix:/run/redis/redis-server.sock\"", conf_check_redis_address,
	    "or \"127.0.0.1:6379\"; IP addresses only, no host names"),
	STRING("redis", "prefix", redis.prefix, "\"tlsmode:\"", conf_check_redis_prefix, "every key of ours begins with it"),
	STRING("redis", "username", redis.username, "\"\"", NULL, "ACL user"),
	FILENAME("redis", "password_file", redis.password_file, "\"\"", conf_check_file_or_none, CONF_USE_REDIS,
	    "the account of option user must be able to read it",
	    "file with the password on its one line; never the password itself"),
	NUMBER("redis", "database", redis.database, "0", 0, 9999, "number of the database"),
	BOOL("redis", "tls", redis.tls, "false", "TLS to Redis; needs a build with hiredis_ssl (Debian 13)"),
	FILENAME("redis", "tls_ca_file", redis.tls_ca_file, "\"\"", conf_check_file_or_none, CONF_USE_REDIS, NULL,
	    "certificates that may have signed the server's; with tls only"),
	FILENAME("redis", "tls_cert_file", redis.tls_cert_file, "\"\"", conf_check_file_or_none, CONF_USE_REDIS, NULL,
	    "our client certificate; with tls only"),
	FILENAME("redis", "tls_key_file", redis.tls_key_file, "\"\"", conf_check_file_or_none, CONF_USE_REDIS, NULL,
	    "its private key; with tls only"),
	STRING("redis", "tls_name", redis.tls_name, "\"\"", NULL,
	    "name that the server's certificate must have; with tls only"),
	LIST("redis", "sentinels", redis.sentinels, "{}", conf_check_sentinel,
	    "{\"10.0.0.1:26379\", ...}; then master names the set and address is not used"),
	STRING("redis", "master", redis.master, "\"\"", conf_check_master, "name of the master that the sentinels watch"),

	CHOICE("settings", "when_unknown", settings.when_unknown, "\"tempfail\"", when_unknown_names,
	    "settings not yet loaded and Redis away"),
	STRING("settings", "snapshot", settings.snapshot, "\"/var/lib/tlsmode/settings\"", conf_check_file_or_none,
	    "last good copy (each daemon its own: NAME.mapd, NAME.milter), used at start while Redis is away; \"\" for none"),
	NUMBER("settings", "guard_percent", settings.guard_percent, "50", 1, 100,
	    "more than this share (of at least 10 settings) gone at once: hold the last known; 100 never holds"),
	NUMBER("settings", "max_changes", settings.max_changes, "100000", 100, 10000000,
	    "changes that wait to be read; beyond it all settings are read anew"),

	LIST("dns", "forward", dns.forward, "{}", conf_check_dns_server,
	    "{\"127.0.0.1\", \"127.0.0.53@5353\"}; empty: resolve from the root ourselves"),
	FILENAME("dns", "root_hints", dns.root_hints, "\"\"", conf_check_file_or_none, CONF_USE_DNS,
	    "\"\" uses the ones built into libunbound", "file; empty: libunbound's own"),
	FILENAME("dns", "trust_anchor", dns.trust_anchor, "\"/usr/share/dns/root.key\"", conf_check_file, CONF_USE_DNS,
	    "Debian's package dns-root-data has it", "DNSSEC trust anchor"),
	NUMBER("dns", "timeout", dns.timeout_s, "6", 1, 60, "seconds, all DNS work of one answer"),
	NUMBER("dns", "threads", dns.threads, "1", 1, CONF_DNS_THREADS_MAX,
	    "that fetch and validate, each on a core of its own; more than 1 where hundreds of domains a second are cold"),
	NUMBER("dns", "cache", dns.cache_mb, "128", 4, 100000, "MB of records and keys that libunbound keeps"),

	FILENAME("sts", "ca_file", sts.ca_file, "\"/etc/ssl/certs/ca-certificates.crt\"", conf_check_file, CONF_USE_STS,
	    "Debian's package ca-certificates has it", "certificates that policy hosts are checked against"),
	BOOL("sts", "allow_private", sts.allow_private, "false",
	    "fetch policies from loopback and private addresses (tests, closed networks)"),
	NUMBER("sts", "timeout", sts.timeout_s, "5", 1, 60,
	    "seconds, whole fetch; then \"no policy\" at once, and the fetch goes on in the background"),
	NUMBER("sts", "max_fetches", sts.max_fetches, "200", 1, 10000,
	    "fetches at once in their first two seconds, and twice as many slow ones"),

	LIST("mapd", "listen", mapd.listen, "{\"unix:/var/spool/postfix/tlsmode/map.sock\"}", conf_check_listen,
	    "reachable from Debian's chrooted services; also \"inet:127.0.0.1:8461\""),
	MODE("mapd", "socket_mode", mapd.socket_mode, "0660", "permissions of its unix sockets"),
	GROUP("mapd", "socket_group", mapd.socket_group, "\"postfix\"", CONF_USE_MAPD,
	    "group of its unix sockets; \"\" leaves it"),
	NUMBER("mapd", "deadline", mapd.deadline_s, "10", 1, 90, "seconds until a lookup is answered"),
	NUMBER("mapd", "cache_entries", mapd.cache_entries, "1000000", 1, 100000000,
	    "answers and next hops kept in memory"),
	NUMBER("mapd", "max_clients", mapd.max_clients, "10000", 1, 1000000, "connections at once"),
	NUMBER("mapd", "max_jobs", mapd.max_jobs, "2000", 1, 1000000, "domains being resolved at once; beyond it TEMP"),
	NUMBER("mapd", "max_pipeline", mapd.max_pipeline, "64", 1, 10000,
	    "unanswered requests of one connection; beyond it the connection is not read"),
	NUMBER("mapd", "max_output", mapd.max_output, "64", 1, 100000,
	    "MB of answers that clients do not take, all together; beyond it those clients are not read"),
	BOOL("mapd", "dane", mapd.dane, "true",
	    "false: Postfix has no DNSSEC resolver; then no dane answers, encrypt where TLSA exists"),
	STRING("mapd", "min_tls", mapd.min_tls, "\"1.2\"", conf_check_min_tls,
	    "protocols=>=TLSv1.2 (Postfix >= 3.6) on encrypt, verify, secure, dane-only, never on dane; "
	    "\"\" emits none"),
	BOOL("mapd", "report_failures", mapd.report_failures, "false",
	    "-tlsrpt maps: \"may policy_type=sts policy_failure=...\" instead of NOTFOUND "
	    "(it would lower a main.cf default of dane)"),
	STRING("mapd", "enforced_transport", mapd.enforced_transport, "\"smtp-enforced\"", conf_check_transport,
	    "master.cf service for mail of enforced senders"),
	STRING("mapd", "verified_transport", mapd.verified_transport, "\"smtp-verified\"", conf_check_transport,
	    "master.cf service for mail of verified senders"),

	STRING("milter", "listen", milter.listen, "\"unix:/var/spool/postfix/tlsmode/milter.sock\"", conf_check_listen,
	    "one socket; also \"inet:127.0.0.1:8462\""),
	MODE("milter", "socket_mode", milter.socket_mode, "0660", "permissions of its unix socket"),
	GROUP("milter", "socket_group", milter.socket_group, "\"postfix\"", CONF_USE_MILTER,
	    "group of its unix socket; \"\" leaves it"),
	SET("milter", "identity", milter.identity, "{\"envelope\"}", identity_names,
	    "several: the strictest mode wins"),
	STRING("milter", "header", milter.header, "\"X-TLS-Mode\"", conf_check_header,
	    "name of the tag; copies that came with a message are removed"),
	BOOL("milter", "tag_opportunistic", milter.tag_opportunistic, "true",
	    "false: no tag on mail of opportunistic senders"),
	BOOL("milter", "return_headers", milter.return_headers, "true",
	    "RET=HDRS on enforced and verified mail: its bounce, which travels opportunistically, has no body"),
	CHOICE("milter", "on_mismatch", milter.on_mismatch, "\"accept\"", mismatch_names,
	    "header or login identity stricter than the envelope's route"),
	CHOICE("milter", "on_escape", milter.on_escape, "\"accept\"", escape_names,
	    "a recipient of a strict message routed by a transport that is neither strict nor local"),
	LIST("milter", "local_transports", milter.local_transports,
	    "{\"local\", \"virtual\", \"lmtp\", \"error\", \"retry\", \"discard\", \"dovecot\", \"maildrop\", \"mailman\"}",
	    conf_check_transport, "transports from which mail does not leave this site; add your own"),
	LIST("milter", "strict_transports", milter.strict_transports, "{}", conf_check_transport_or_all,
	    "transports that keep every mode, beside those of mapd and via; {\"*\"} ends the watch (Sendmail)"),
	CHOICE("milter", "tls_required_no", milter.tls_required_no, "\"accept\"", accept_reject_names,
	    "message with \"TLS-Required: No\" from a strict sender"),
	NUMBER("milter", "max_sessions", milter.max_sessions, "10000", 1, 1000000,
	    "connections of MTAs at once; beyond it the milter is not there for them"),

	STRING("metrics", "listen", metrics_listen, "\"inet:127.0.0.1:9461\"", conf_check_listen_or_none,
	    "/metrics (Prometheus text), /healthz, /readyz; \"\" for none"),

	CHOICE("log", "target", log.target, "\"syslog\"", target_names, "where log lines go"),
	CHOICE("log", "level", log.level, "\"info\"", decide_level_names, "the least that is logged"),
};
/* clang-format on */

const size_t conf_option_count = sizeof(conf_options) / sizeof(conf_options[0]);

const char *conf_option_name(const struct conf_option *o, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", o->section, *o->section != '\0' ? "." : "", o->name);
	return out;
}

const struct conf_option *conf_option_find(const char *section, const char *name)
{
	for (size_t i = 0; i < conf_option_count; i++)
		if (strcmp(conf_options[i].section, section) == 0 && strcmp(conf_options[i].name, name) == 0)
			return &conf_options[i];
	return NULL;
}
