/*
 * test_conf.c - tlsmode.conf: the sample, every default, every kind of mistake with its line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "io/conf/conf.h"

static char dir[] = "/tmp/tlsmode-conf-XXXXXX";
static char file[64];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/c", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void write_to(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static struct conf *load(const char *text, unsigned uses, char *error, size_t size)
{
	write_to(file, text, strlen(text));
	error[0] = '\0';
	return conf_load(file, uses, error, size);
}

/* Every default of tlsmode.conf(5). */
static void check_defaults(const struct conf *c)
{
	assert_string_equal(c->user, "tlsmode");
	assert_string_equal(c->redis.address, "unix:/run/redis/redis-server.sock");
	assert_string_equal(c->redis.prefix, "tlsmode:");
	assert_string_equal(c->redis.username, "");
	assert_string_equal(c->redis.password_file, "");
	assert_string_equal(c->redis.password, "");
	assert_int_equal(c->redis.database, 0);
	assert_false(c->redis.tls);
	assert_int_equal(c->redis.sentinels.count, 0);
	assert_string_equal(c->redis.master, "");
	assert_int_equal(c->settings.when_unknown, UNKNOWN_TEMPFAIL);
	assert_string_equal(c->settings.snapshot, "/var/lib/tlsmode/settings");
	assert_int_equal(c->settings.guard_percent, 50);
	assert_int_equal(c->settings.max_changes, 100000);
	assert_int_equal(c->dns.forward.count, 0);
	assert_string_equal(c->dns.root_hints, "");
	assert_string_equal(c->dns.trust_anchor, "/usr/share/dns/root.key");
	assert_int_equal(c->dns.timeout_s, 6);
	assert_int_equal(c->dns.threads, 1);
	assert_int_equal(c->dns.cache_mb, 128);
	assert_string_equal(c->sts.ca_file, "/etc/ssl/certs/ca-certificates.crt");
	assert_false(c->sts.allow_private);
	assert_int_equal(c->sts.timeout_s, 5);
	assert_int_equal(c->sts.max_fetches, 200);
	assert_int_equal(c->mapd.listen.count, 1);
	assert_string_equal(c->mapd.listen.item[0], "unix:/var/spool/postfix/tlsmode/map.sock");
	assert_int_equal(c->mapd.socket_mode, 0660);
	assert_string_equal(c->mapd.socket_group, "postfix");
	assert_int_equal(c->mapd.deadline_s, 10);
	assert_int_equal(c->mapd.cache_entries, 1000000);
	assert_int_equal(c->mapd.max_clients, 10000);
	assert_int_equal(c->mapd.max_jobs, 2000);
	assert_int_equal(c->mapd.max_pipeline, 64);
	assert_int_equal(c->mapd.max_output, 64);
	assert_true(c->mapd.dane);
	assert_string_equal(c->mapd.min_tls, "1.2");
	assert_false(c->mapd.report_failures);
	assert_string_equal(c->mapd.enforced_transport, "smtp-enforced");
	assert_string_equal(c->mapd.verified_transport, "smtp-verified");
	assert_string_equal(c->milter.listen, "unix:/var/spool/postfix/tlsmode/milter.sock");
	assert_int_equal(c->milter.socket_mode, 0660);
	assert_string_equal(c->milter.socket_group, "postfix");
	assert_int_equal(c->milter.identity, IDENTITY_ENVELOPE);
	assert_string_equal(c->milter.header, "X-TLS-Mode");
	assert_true(c->milter.tag_opportunistic);
	assert_true(c->milter.return_headers);
	assert_int_equal(c->milter.on_mismatch, ACTION_ACCEPT);
	assert_int_equal(c->milter.on_escape, ACTION_ACCEPT);
	assert_int_equal(c->milter.local_transports.count, 9);
	assert_string_equal(c->milter.local_transports.item[0], "local");
	assert_int_equal(c->milter.strict_transports.count, 0);
	assert_int_equal(c->milter.tls_required_no, ACTION_ACCEPT);
	assert_int_equal(c->milter.max_sessions, 10000);
	assert_string_equal(c->metrics_listen, "inet:127.0.0.1:9461");
	assert_int_equal(c->log.target, LOG_TO_SYSLOG);
	assert_int_equal(c->log.level, LOG_LVL_INFO);
}

static void test_defaults(void **state)
{
	char error[900];
	struct conf *c = load("", 0, error, sizeof(error));

	(void)state;
	assert_non_null(c);
	check_defaults(c);
	conf_free(&c);
	assert_null(c);
	conf_free(&c);
}

static char sample[32768];

static void add_to_sample(const char *text, void *arg)
{
	(void)arg;
	assert_true(strlen(sample) + strlen(text) < sizeof(sample));
	strcat(sample, text);
}

static void test_sample(void **state)
{
	char error[900], kept[32768], path[4096];
	struct conf *c;
	const char *srcdir = getenv("srcdir");
	FILE *f;

	(void)state;
	conf_print_sample(add_to_sample, NULL);
	c = load(sample, 0, error, sizeof(error));
	assert_non_null(c);
	check_defaults(c);
	conf_free(&c);
	snprintf(path, sizeof(path), "%s/etc/tlsmode.conf.sample", srcdir ? srcdir : ".");
	f = fopen(path, "r");
	assert_non_null(f);
	kept[fread(kept, 1, sizeof(kept) - 1, f)] = '\0';
	fclose(f);
	/* after a change of the table: tlsmode-milter --print-sample-config > etc/tlsmode.conf.sample */
	assert_string_equal(kept, sample);
}

static const char full[] =
    "user = \"\"\n"
    "redis { address = \"[::1]:6380\" prefix = 'x:' username = u database = 15 }\n"
    "settings { when_unknown = Enforced snapshot = \"\" guard_percent = 100 max_changes = 100 }\n"
    "dns { forward = {\"127.0.0.1\", # one\n\t\"::1@5353\" /* two */ } timeout = 1 }\n"
    "sts { allow_private = yes timeout = 60 }\n"
    "mapd { listen = {\"unix:/a\", \"inet:[::1]:1\"} listen += {\"inet:127.0.0.1:65535\"} socket_mode = 0600 "
    "socket_group = \"\"\n"
    "  deadline = 90 cache_entries = 10 max_clients = 1 max_jobs = 1 dane = off min_tls = \"\" report_failures = on\n"
    "  enforced_transport = e verified_transport = v }\n"
    "milter { listen = \"inet:127.0.0.1:1\" identity = {envelope, \"from\", auth} header = \"X-Other\" "
    "tag_opportunistic = no\n"
    "  return_headers = false on_mismatch = reject tls_required_no = reject }\n"
    "metrics { listen = \"\" } log { target = stderr level = debug }\n";

static void test_full(void **state)
{
	char error[900];
	struct conf *c = load(full, CONF_FOR_MILTER, error, sizeof(error));

	(void)state;
	if (!c)
		fail_msg("%s", error);
	assert_string_equal(c->user, "");
	assert_string_equal(c->redis.address, "[::1]:6380");
	assert_string_equal(c->redis.prefix, "x:");
	assert_int_equal(c->redis.database, 15);
	assert_int_equal(c->settings.when_unknown, UNKNOWN_ENFORCED);
	assert_int_equal(c->settings.guard_percent, 100);
	assert_int_equal(c->settings.max_changes, 100);
	assert_int_equal(c->dns.forward.count, 2);
	assert_string_equal(c->dns.forward.item[1], "::1@5353");
	assert_true(c->sts.allow_private);
	assert_int_equal(c->mapd.listen.count, 3);
	assert_string_equal(c->mapd.listen.item[2], "inet:127.0.0.1:65535");
	assert_int_equal(c->mapd.socket_mode, 0600);
	assert_int_equal(c->mapd.cache_entries, 10);
	assert_false(c->mapd.dane);
	assert_string_equal(c->mapd.min_tls, "");
	assert_int_equal(c->milter.identity, IDENTITY_ENVELOPE | IDENTITY_FROM | IDENTITY_AUTH);
	assert_string_equal(c->milter.header, "X-Other");
	assert_false(c->milter.tag_opportunistic);
	assert_int_equal(c->milter.on_mismatch, ACTION_REJECT);
	assert_int_equal(c->milter.tls_required_no, ACTION_REJECT);
	assert_string_equal(c->metrics_listen, "");
	assert_int_equal(c->log.target, LOG_TO_STDERR);
	assert_int_equal(c->log.level, LOG_LVL_DEBUG);
	conf_free(&c);
}

#define LONG_PATH                                                                                                      \
	"unix:/"                                                                                                       \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaa"

/* TEXT, and what the error must begin with after "FILE" and hold further on. */
/* nine names of 60 octets: more than 510 with their blanks */
#define SIXTY "a23456789012345678901234567890123456789012345678901234567890"
#define LONG_NAMES SIXTY "," SIXTY "," SIXTY "," SIXTY "," SIXTY "," SIXTY "," SIXTY "," SIXTY "," SIXTY

static const struct {
	const char *text, *begins, *holds;
} mistakes[] = {
    {"user = \"a\"\nfoo = 1\n", ":2: ", "no such option 'foo'"},
    {"# c\n\n/* x\n y */\nfoo = 1\n", ":5: ", "no such option 'foo'"},
    {"redis {\n\tadress = \"x\"\n}\n", ":2: ", "no such option 'adress' in section redis"},
    {"rediss {\n}\n", ":1: ", "no such option 'rediss'"},
    {"user = \"a\" # c\nuser = \"b\"\n", ":2: user: ", "given twice, first in line 1"},
    {"redis { database = 1 }\nredis { database = 2 }\n", ":2: redis.database: ", "given twice"},
    {"mapd { listen = {\"unix:/a\"}\nlisten = {\"unix:/b\"} }\n", ":2: mapd.listen: ", "given twice"},
    {"\nredis { database = 1\n", ":2: ", "the brace that opens here is not closed"},
    {"mapd { listen = {\n\"unix:/a\"\n", ":1: ", "the brace that opens here is not closed"},
    {"redis {\n\"{\"\n", ":1: ", "the brace that opens here is not closed"},
    {"redis { }\n}\n", ":2: ", "unexpected closing brace"},
    {"\nuser = \"a\n", ":2: ", "the string that begins here has no end"},
    {"user = 'a\n", ":1: ", "the string that begins here has no end"},
    {"\n\n/* a\n", ":3: ", "the comment that begins here has no end"},
    {"user \"a\"\n", ":1: ", "missing equal sign after option 'user'"},
    {"user = {\"a\"}\n", ":1: ", "unexpected token"},
    {"redis { database = -1 }", ":1: redis.database: ", "-1 is not a number from 0 to 9999"},
    {"redis { database = 1x }", ":1: redis.database: ", "is not a number"},
    {"redis { database = 99999999999999999999 }", ":1: redis.database: ", "is not a number"},
    {"redis { database = \"\" }", ":1: redis.database: ", "is not a number"},
    {"redis { database = 0x10 }", ":1: redis.database: ", "is not a number"},
    {"settings { guard_percent = 0 }", ":1: settings.guard_percent: ", "1 to 100"},
    {"settings { guard_percent = 101 }", ":1: settings.guard_percent: ", "1 to 100"},
    {"settings { when_unknown = \"maybe\" }",
     ":1: settings.when_unknown: ", "one of tempfail, opportunistic, enforced"},
    {"settings { snapshot = \"here\" }", ":1: settings.snapshot: ", "absolute path"},
    {"redis { address = \"redis.example:6379\" }", ":1: redis.address: ", "host names are not looked up"},
    {"redis { address = \"127.0.0.1\" }", ":1: redis.address: ", "127.0.0.1:6379"},
    {"redis { address = \"127.0.0.1:0\" }", ":1: redis.address: ", "port"},
    {"redis { address = \"127.0.0.1:65536\" }", ":1: redis.address: ", "port"},
    {"redis { address = \"unix:run/x\" }", ":1: redis.address: ", "absolute path"},
    {"redis { address = \"::1:6379\" }", ":1: redis.address: ", "port"},
    {"redis { prefix = \"\" }", ":1: redis.prefix: ", "key prefix"},
    {"redis { prefix = \"a*\" }", ":1: redis.prefix: ", "key prefix"},
    {"redis {\n sentinels = {\"10.0.0.1:26379\"}\n}", ":2: redis.sentinels: ", "redis.master must say which"},
    {"redis {\n\n sentinels = {\"10.0.0.1:26379\",\n\"s.example:26379\"}\n master = \"m\" }",
     ":4: redis.sentinels: ", "host names are not looked up"},
    {"redis { sentinels = {\"10.0.0.1\"} }", ":1: redis.sentinels: ", "10.0.0.1:26379"},
    {"redis { sentinels = {\"fd00::1:26379\"} }", ":1: redis.sentinels: ", "[fd00::1]:26379"},
    {"redis { sentinels = {\"unix:/run/s.sock\"} }", ":1: redis.sentinels: ", "IP address"},
    {"redis { sentinels = {\"10.0.0.1:0\"} }", ":1: redis.sentinels: ", "port"},
    {"redis { sentinels = {\"\"} }", ":1: redis.sentinels: ", "IP address"},
    {"redis { master = \"m\" }", ":1: redis.master: ", "sentinels only"},
    {"redis { sentinels = {}\n master = \"m\" }", ":2: redis.master: ", "sentinels only"},
    {"redis { sentinels = {\"10.0.0.1:26379\"}\n master = \"my set\" }", ":2: redis.master: ", "name of a master"},
    {"redis { tls_ca_file = \"/x\" }", ":1: redis.tls_ca_file: ", "redis.tls = true only"},
    {"dns { forward = {\"127.0.0.1\",\n\"localhost\"} }", ":2: dns.forward: ", "host names are not looked up"},
    {"dns { forward = {\"127.0.0.1@0\"} }", ":1: dns.forward: ", "not an IP address"},
    {"dns { forward = {\"127.0.0.1@\"} }", ":1: dns.forward: ", "not an IP address"},
    {"dns { trust_anchor = \"\" }", ":1: dns.trust_anchor: ", "absolute path"},
    {"dns { timeout = 0 }", ":1: dns.timeout: ", "1 to 60"},
    {"dns { threads = 17 }", ":1: dns.threads: ", "1 to 16"},
    {"sts { allow_private = maybe }", ":1: sts.allow_private: ", "true or false"},
    {"mapd {\n # listen = {}\n listen = { }\n}", ":3: mapd.listen: ", "at least one socket"},
    {"mapd { listen = {\"/a\"} }", ":1: mapd.listen: ", "neither"},
    {"mapd {\n\n listen = {\"" LONG_PATH "\"} }", ":3: mapd.listen: ", "too long"},
    {"mapd { listen = {\"inet:localhost:1\"} }", ":1: mapd.listen: ", "host names are not looked up"},
    {"mapd { socket_mode = 0999 }", ":1: mapd.socket_mode: ", "octal file mode"},
    {"mapd { socket_mode = 7777 }", ":1: mapd.socket_mode: ", "octal file mode"},
    {"mapd { socket_mode = 6 }", ":1: mapd.socket_mode: ", "octal file mode"},
    {"mapd { min_tls = \"1.1\" }", ":1: mapd.min_tls: ", "\"1.2\""},
    {"mapd { enforced_transport = \"smtp:[x]\" }", ":1: mapd.enforced_transport: ", "master.cf service"},
    {"mapd { verified_transport = \"\" }", ":1: mapd.verified_transport: ", "master.cf service"},
    {"milter { identity = {} }", ":1: milter.identity: ", "at least one identity"},
    {"milter { identity = {envelope, helo} }", ":1: milter.identity: ", "one of envelope, from, auth"},
    {"milter { header = \"X TLS\" }", ":1: milter.header: ", "header field name"},
    {"milter { header = \"X:\" }", ":1: milter.header: ", "header field name"},
    {"milter { header = \"X\\nBcc\" }", ":1: milter.header: ", "header field name"},
    {"milter { header = \"from\" }", ":1: milter.header: ", "removed from every message"},
    {"milter { on_escape = reject on_mismatch = filter }", ":1: milter.on_escape: ", "on_mismatch = \"filter\""},
    {"milter { on_escape = tempfail strict_transports = {relay, \"*\"} }", ":1: milter.on_escape: ", "nothing escapes"},
    {"milter { on_escape = discard }", ":1: milter.on_escape: ", "one of accept, tempfail, reject"},
    {"milter { local_transports = {\"*\"} }", ":1: milter.local_transports: ", "master.cf service"},
    {"milter { strict_transports = {\"smtp:[x]\"} }", ":1: milter.strict_transports: ", "master.cf service"},
    {"milter { strict_transports = {" LONG_NAMES "} }", ":1: milter.strict_transports: ", "510 octets"},
    {"milter { local_transports = {" LONG_NAMES "} }", ":1: milter.local_transports: ", "510 octets"},
    {"milter { on_mismatch = tempfail }", ":1: milter.on_mismatch: ", "one of accept, reject, filter"},
    {"metrics { listen = \"0.0.0.0\" }", ":1: metrics.listen: ", "neither"},
    {"log { level = loud }", ":1: log.level: ", "one of error, warn, info, debug"},
    {"log { target = file }", ":1: log.target: ", "one of syslog, stderr"},
    {"include(\"/etc/passwd\")", ":1: ", "no such option 'include'"},
};

static void check_error(const char *text, const char *error, const char *begins, const char *holds)
{
	size_t len = strlen(file);

	if (strncmp(error, file, len) != 0 || strncmp(error + len, begins, strlen(begins)) != 0 ||
	    !strstr(error, holds) || strchr(error, '\n'))
		fail_msg("for <%s> got <%s>, expected <FILE%s...%s>", text, error, begins, holds);
}

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char error[900];
		struct conf *c = load(mistakes[i].text, 0, error, sizeof(error));

		if (c)
			fail_msg("accepted: <%s>", mistakes[i].text);
		check_error(mistakes[i].text, error, mistakes[i].begins, mistakes[i].holds);
	}
}

/* Outside of the file: only what the caller uses is looked at. */
static const struct {
	const char *text;
	unsigned uses;
	const char *begins, *holds;
} outside[] = {
    {"\ndns { trust_anchor = \"/nowhere/root.key\" }", CONF_USE_DNS, ":2: dns.trust_anchor: ", "dns-root-data"},
    {"dns { root_hints = \"/nowhere/hints\" }", CONF_USE_DNS, ":1: dns.root_hints: ", "No such file"},
    {"dns { root_hints = \"/tmp\" }", CONF_USE_DNS, ":1: dns.root_hints: ", "Is a directory"},
    {"sts { ca_file = \"/nowhere/ca\" }", CONF_USE_STS, ":1: sts.ca_file: ", "cannot read /nowhere/ca"},
    {"redis { password_file = \"/nowhere/pw\" }", CONF_USE_REDIS,
     ":1: redis.password_file: ", "cannot read /nowhere/pw"},
    {"redis { password_file = \"/dev/null\" }", CONF_USE_REDIS, ":1: redis.password_file: ", "not a regular file"},
    {"mapd { socket_group = \"no-such-group\" }", CONF_USE_MAPD, ":1: mapd.socket_group: ", "no such group"},
    {"milter {\n socket_group = \"no-such-group\" }", CONF_USE_MILTER, ":2: milter.socket_group: ", "no such group"},
    {"log {\n target = stderr }", CONF_USE_SYSLOG, ":2: log.target: ", "needs -f"},
};

static void test_outside(void **state)
{
	char error[900];
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		c = load(outside[i].text, outside[i].uses, error, sizeof(error));
		if (c)
			fail_msg("accepted: <%s>", outside[i].text);
		check_error(outside[i].text, error, outside[i].begins, outside[i].holds);
		c = load(outside[i].text,
			 (CONF_FOR_MAPD | CONF_FOR_MILTER) &
			     ~(outside[i].uses | CONF_USE_USER | CONF_USE_MAPD | CONF_USE_MILTER),
			 error, sizeof(error));
		if (!c)
			fail_msg("for <%s> what others use was asked for: %s", outside[i].text, error);
		conf_free(&c);
	}
	/* no unix socket, no group */
	c = load("mapd { listen = {\"inet:127.0.0.1:1\"} socket_group = \"no-such-group\" }", CONF_USE_MAPD, error,
		 sizeof(error));
	assert_non_null(c);
	conf_free(&c);
}

static void test_user(void **state)
{
	char error[900];
	struct conf *c = load("user = \"no-such-user\"", CONF_USE_USER, error, sizeof(error));

	(void)state;
	if (geteuid() != 0) {
		assert_non_null(c);
		conf_free(&c);
		return;
	}
	assert_null(c);
	check_error("user", error, ":1: user: ", "no such account");
}

static void test_tls(void **state)
{
	char error[900];
	struct conf *c = load("redis {\n tls = true }", 0, error, sizeof(error));

	(void)state;
#ifdef HAVE_HIREDIS_SSL
	assert_non_null(c);
	conf_free(&c);
#else
	assert_null(c);
	check_error("tls", error, ":2: redis.tls: ", "hiredis_ssl");
#endif
}

static const struct {
	const char *bytes;
	size_t len;
	const char *password; /* NULL: refused */
} passwords[] = {
    {"secret\n", 7, "secret"}, {"secret", 6, "secret"}, {"secret\r\n", 8, "secret"},
    {" a b \n", 6, " a b "},   {"", 0, NULL},           {"\n", 1, NULL},
    {"a\nb\n", 4, NULL},       {"a\0b", 3, NULL},
};

static void test_password(void **state)
{
	char path[128], text[300], error[900];

	(void)state;
	snprintf(path, sizeof(path), "%s/pw", dir);
	snprintf(text, sizeof(text), "redis { password_file = \"%s\" }", path);
	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
		struct conf *c;

		write_to(path, passwords[i].bytes, passwords[i].len);
		c = load(text, CONF_USE_REDIS, error, sizeof(error));
		if ((!c) != (!passwords[i].password))
			fail_msg("row %zu: %s", i, error);
		if (c)
			assert_string_equal(c->redis.password, passwords[i].password);
		else
			assert_null(strstr(error, "secret"));
		conf_free(&c);
		c = load(text, 0, error, sizeof(error));
		assert_non_null(c);
		assert_string_equal(c->redis.password, "");
		conf_free(&c);
	}
	unlink(path);
}

static void test_files(void **state)
{
	char error[900], big[300], odd[] = "user = \"a\"\n\0user";
	FILE *f;

	(void)state;
	assert_null(conf_load("/nowhere/tlsmode.conf", 0, error, sizeof(error)));
	assert_string_equal(error, "/nowhere/tlsmode.conf: cannot read the configuration: No such file or directory");
	assert_null(conf_load(dir, 0, error, sizeof(error)));
	assert_non_null(strstr(error, "directory"));
	write_to(file, odd, sizeof(odd) - 1);
	assert_null(conf_load(file, 0, error, sizeof(error)));
	assert_non_null(strstr(error, "NUL"));
	memset(big, '#', sizeof(big));
	f = fopen(file, "w");
	for (int i = 0; i < 4000; i++)
		fwrite(big, 1, sizeof(big), f);
	fclose(f);
	assert_null(conf_load(file, 0, error, sizeof(error)));
	assert_non_null(strstr(error, "longer than 1 MB"));
	/* an error buffer that is too small */
	write_to(file, "foo = 1", 7);
	assert_null(conf_load(file, 0, error, 8));
	assert_true(strlen(error) < 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults), cmocka_unit_test(test_sample),   cmocka_unit_test(test_full),
	    cmocka_unit_test(test_mistakes), cmocka_unit_test(test_outside),  cmocka_unit_test(test_user),
	    cmocka_unit_test(test_tls),      cmocka_unit_test(test_password), cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("conf", tests, make_dir, remove_dir);
}
