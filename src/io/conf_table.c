/*
 * conf_table.c - the options of tlsmode.conf: to add one, add a member to struct conf and a row here (HACKING).
 *
 * Called by conf.c only. The order is that of the sample file.
 */
#include "io/conf_table.h"

#include <stdio.h>

#define AT(member) offsetof(struct conf, member), sizeof(((struct conf *)0)->member)

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
static const struct name_code level_names[] = {
    {"error", LOG_LVL_ERROR},
    {"warn", LOG_LVL_WARN},
    {"info", LOG_LVL_INFO},
    {"debug", LOG_LVL_DEBUG},
    {NULL, 0},
};

const char *const conf_sections[] = {"redis", "settings", "dns", "sts", "mapd", "milter", "metrics", "log", NULL};

/* clang-format off */
const struct conf_option conf_options[] = {
	{"", "user", CONF_STRING, AT(user), "\"tlsmode\"", 0, 0, NULL, NULL, OUTSIDE_USER, CONF_USE_USER,
	    "create the account or name another one", "daemons drop to this account when started as root; \"\" does not drop"},

	{"redis", "address", CONF_STRING, AT(redis.address), "\"unix:/run/redis/redis-server.sock\"", 0, 0, NULL, check_redis_address,
	    OUTSIDE_NOTHING, 0, NULL, "or \"127.0.0.1:6379\"; IP addresses only, no host names"},
	{"redis", "prefix", CONF_STRING, AT(redis.prefix), "\"tlsmode:\"", 0, 0, NULL, check_redis_prefix, OUTSIDE_NOTHING, 0, NULL,
	    "every key of ours begins with it"},
	{"redis", "username", CONF_STRING, AT(redis.username), "\"\"", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL, "ACL user"},
	{"redis", "password_file", CONF_STRING, AT(redis.password_file), "\"\"", 0, 0, NULL, check_file_or_none, OUTSIDE_FILE,
	    CONF_USE_REDIS, "the account of option user must be able to read it", "file with the password on its one line; never the password itself"},
	{"redis", "database", CONF_NUMBER, AT(redis.database), "0", 0, 9999, NULL, NULL, OUTSIDE_NOTHING, 0, NULL, "number of the database"},
	{"redis", "tls", CONF_BOOL, AT(redis.tls), "false", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "TLS to Redis; needs a build with hiredis_ssl (Debian 13)"},
	{"redis", "tls_ca_file", CONF_STRING, AT(redis.tls_ca_file), "\"\"", 0, 0, NULL, check_file_or_none, OUTSIDE_FILE, CONF_USE_REDIS,
	    NULL, "certificates that may have signed the server's; with tls only"},
	{"redis", "tls_cert_file", CONF_STRING, AT(redis.tls_cert_file), "\"\"", 0, 0, NULL, check_file_or_none, OUTSIDE_FILE,
	    CONF_USE_REDIS, NULL, "our client certificate; with tls only"},
	{"redis", "tls_key_file", CONF_STRING, AT(redis.tls_key_file), "\"\"", 0, 0, NULL, check_file_or_none, OUTSIDE_FILE, CONF_USE_REDIS,
	    NULL, "its private key; with tls only"},
	{"redis", "tls_name", CONF_STRING, AT(redis.tls_name), "\"\"", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "name that the server's certificate must have; with tls only"},
	{"redis", "sentinels", CONF_LIST, AT(redis.sentinels), "{}", 0, 0, NULL, check_redis_address, OUTSIDE_NOTHING, 0, NULL,
	    "{\"10.0.0.1:26379\", ...}; then master names the set and address is not used"},
	{"redis", "master", CONF_STRING, AT(redis.master), "\"\"", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "name of the master that the sentinels watch"},

	{"settings", "when_unknown", CONF_CHOICE, AT(settings.when_unknown), "\"tempfail\"", 0, 0, when_unknown_names, NULL, OUTSIDE_NOTHING,
	    0, NULL, "settings not yet loaded and Redis away"},
	{"settings", "snapshot", CONF_STRING, AT(settings.snapshot), "\"/var/lib/tlsmode/settings\"", 0, 0, NULL, check_file_or_none,
	    OUTSIDE_NOTHING, 0, NULL, "last good copy, used at start while Redis is away; \"\" for none"},
	{"settings", "guard_percent", CONF_NUMBER, AT(settings.guard_percent), "50", 1, 100, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "more than this share (of at least 10 settings) gone at once: hold the last known; 100 never holds"},

	{"dns", "forward", CONF_LIST, AT(dns.forward), "{}", 0, 0, NULL, check_dns_server, OUTSIDE_NOTHING, 0, NULL,
	    "{\"127.0.0.1\", \"127.0.0.53@5353\"}; empty: resolve from the root ourselves"},
	{"dns", "root_hints", CONF_STRING, AT(dns.root_hints), "\"\"", 0, 0, NULL, check_file_or_none, OUTSIDE_FILE, CONF_USE_DNS,
	    "\"\" uses the ones built into libunbound", "file; empty: libunbound's own"},
	{"dns", "trust_anchor", CONF_STRING, AT(dns.trust_anchor), "\"/usr/share/dns/root.key\"", 0, 0, NULL, check_file, OUTSIDE_FILE,
	    CONF_USE_DNS, "Debian's package dns-root-data has it", "DNSSEC trust anchor"},
	{"dns", "timeout", CONF_NUMBER, AT(dns.timeout_s), "6", 1, 60, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "seconds, all DNS work of one answer"},

	{"sts", "ca_file", CONF_STRING, AT(sts.ca_file), "\"/etc/ssl/certs/ca-certificates.crt\"", 0, 0, NULL, check_file, OUTSIDE_FILE,
	    CONF_USE_STS, "Debian's package ca-certificates has it", "certificates that policy hosts are checked against"},
	{"sts", "allow_private", CONF_BOOL, AT(sts.allow_private), "false", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "fetch policies from loopback and private addresses (tests, closed networks)"},
	{"sts", "timeout", CONF_NUMBER, AT(sts.timeout_s), "5", 1, 60, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "seconds, whole fetch; then \"no policy\" at once, and the fetch goes on in the background"},

	{"mapd", "listen", CONF_LIST, AT(mapd.listen), "{\"unix:/var/spool/postfix/tlsmode/map.sock\"}", 0, 0, NULL, check_listen,
	    OUTSIDE_NOTHING, 0, NULL, "reachable from Debian's chrooted services; also \"inet:127.0.0.1:8461\""},
	{"mapd", "socket_mode", CONF_MODE, AT(mapd.socket_mode), "0660", 0, 0777, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "permissions of its unix sockets"},
	{"mapd", "socket_group", CONF_STRING, AT(mapd.socket_group), "\"postfix\"", 0, 0, NULL, NULL, OUTSIDE_GROUP, CONF_USE_MAPD,
	    "create the group or name another one", "group of its unix sockets; \"\" leaves it"},
	{"mapd", "deadline", CONF_NUMBER, AT(mapd.deadline_s), "10", 1, 90, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "seconds until a lookup is answered"},
	{"mapd", "cache_entries", CONF_NUMBER, AT(mapd.cache_entries), "1000000", 1, 100000000, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "answers and next hops kept in memory"},
	{"mapd", "max_clients", CONF_NUMBER, AT(mapd.max_clients), "10000", 1, 1000000, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "connections at once"},
	{"mapd", "max_jobs", CONF_NUMBER, AT(mapd.max_jobs), "2000", 1, 1000000, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "domains being resolved at once; beyond it TEMP"},
	{"mapd", "dane", CONF_BOOL, AT(mapd.dane), "true", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "false: Postfix has no DNSSEC resolver; then no dane answers, encrypt where TLSA exists"},
	{"mapd", "min_tls", CONF_STRING, AT(mapd.min_tls), "\"1.2\"", 0, 0, NULL, check_min_tls, OUTSIDE_NOTHING, 0, NULL,
	    "protocols=>=TLSv1.2 (Postfix >= 3.6) on encrypt, verify, secure, dane-only, never on dane; \"\" emits none"},
	{"mapd", "report_failures", CONF_BOOL, AT(mapd.report_failures), "false", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "-tlsrpt maps: \"may policy_type=sts policy_failure=...\" instead of NOTFOUND (it would lower a main.cf default of dane)"},
	{"mapd", "enforced_transport", CONF_STRING, AT(mapd.enforced_transport), "\"smtp-enforced\"", 0, 0, NULL, check_transport,
	    OUTSIDE_NOTHING, 0, NULL, "master.cf service for mail of enforced senders"},
	{"mapd", "verified_transport", CONF_STRING, AT(mapd.verified_transport), "\"smtp-verified\"", 0, 0, NULL, check_transport,
	    OUTSIDE_NOTHING, 0, NULL, "master.cf service for mail of verified senders"},

	{"milter", "listen", CONF_STRING, AT(milter.listen), "\"unix:/var/spool/postfix/tlsmode/milter.sock\"", 0, 0, NULL, check_listen,
	    OUTSIDE_NOTHING, 0, NULL, "one socket; also \"inet:127.0.0.1:8462\""},
	{"milter", "socket_mode", CONF_MODE, AT(milter.socket_mode), "0660", 0, 0777, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "permissions of its unix socket"},
	{"milter", "socket_group", CONF_STRING, AT(milter.socket_group), "\"postfix\"", 0, 0, NULL, NULL, OUTSIDE_GROUP, CONF_USE_MILTER,
	    "create the group or name another one", "group of its unix socket; \"\" leaves it"},
	{"milter", "identity", CONF_SET, AT(milter.identity), "{\"envelope\"}", 0, 0, identity_names, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "several: the strictest mode wins"},
	{"milter", "header", CONF_STRING, AT(milter.header), "\"X-TLS-Mode\"", 0, 0, NULL, check_header, OUTSIDE_NOTHING, 0, NULL,
	    "name of the tag; copies that came with a message are removed"},
	{"milter", "tag_opportunistic", CONF_BOOL, AT(milter.tag_opportunistic), "true", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "false: no tag on mail of opportunistic senders"},
	{"milter", "return_headers", CONF_BOOL, AT(milter.return_headers), "true", 0, 0, NULL, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "RET=HDRS on enforced and verified mail: its bounce, which travels opportunistically, has no body"},
	{"milter", "on_mismatch", CONF_CHOICE, AT(milter.on_mismatch), "\"accept\"", 0, 0, mismatch_names, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "header or login identity stricter than the envelope's route"},
	{"milter", "on_escape", CONF_CHOICE, AT(milter.on_escape), "\"accept\"", 0, 0, escape_names, NULL, OUTSIDE_NOTHING, 0, NULL,
	    "a recipient of a strict message routed by a transport that is neither strict nor local"},
	{"milter", "tls_required_no", CONF_CHOICE, AT(milter.tls_required_no), "\"accept\"", 0, 0, accept_reject_names, NULL,
	    OUTSIDE_NOTHING, 0, NULL, "message with \"TLS-Required: No\" from a strict sender"},

	{"metrics", "listen", CONF_STRING, AT(metrics_listen), "\"inet:127.0.0.1:9461\"", 0, 0, NULL, check_listen_or_none, OUTSIDE_NOTHING,
	    0, NULL, "/metrics (Prometheus text), /healthz, /readyz; \"\" for none"},

	{"log", "target", CONF_CHOICE, AT(log.target), "\"syslog\"", 0, 0, target_names, NULL, OUTSIDE_NOTHING, 0, NULL, "where log lines go"},
	{"log", "level", CONF_CHOICE, AT(log.level), "\"info\"", 0, 0, level_names, NULL, OUTSIDE_NOTHING, 0, NULL, "the least that is logged"},
};
/* clang-format on */

const size_t conf_option_count = sizeof(conf_options) / sizeof(conf_options[0]);

const char *conf_option_name(const struct conf_option *o, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", o->section, *o->section != '\0' ? "." : "", o->name);
	return out;
}
