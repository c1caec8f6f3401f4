/*
 * dns_context.c - a libunbound context as tlsmode wants it. Not the questions and answers: dns_ub.c.
 *
 * Whatever the forwarder says, validation is done here (RFC 4035 s4, s5): a forwarder that strips signatures makes
 * answers of signed zones bogus, not insecure (harden-dnssec-stripped).
 */
#include "io/dns/dns_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "io/dns/dns_closer.h"
#include "io/regular.h"

/* Asked to end the configuration; answered by libunbound itself, without a server (RFC 6761 s6.3). */
#define FIRST_QUESTION "localhost"

/* For names that libunbound answers by itself (RFC 6761) and that closed networks and tests use. */
#define UNSPECIAL_ZONE "test."

static const struct option {
	const char *name;
	const char *value;
} options[] = {
    {"module-config:", "validator iterator"},
    {"edns-buffer-size:", "1232"},
    /* A server that is back, or a zone that is mended, is used again within seconds. */
    {"infra-host-ttl:", "5"}, /* a timeout limit that has grown over minutes is forgotten */
    {"infra-keep-probing:", "yes"},
    {"val-bogus-ttl:", "5"},
    {"cache-max-negative-ttl:", "3600"},
    {"serve-expired:", "no"},
    /* Said although they are the defaults: our verdicts rest on them. */
    {"harden-dnssec-stripped:", "yes"},
    {"harden-glue:", "yes"},
    {"harden-below-nxdomain:", "yes"},
    {"val-permissive-mode:", "no"},
    {"qname-minimisation:", "yes"},
};

/* libunbound's own numbers are for one user: 16 ports, which a few dead servers keep busy. These are for all contexts
 * together. */
static const struct share_option {
	const char *name;
	unsigned share;
} numbers[] = {
    {"infra-cache-numhosts:", 50000},
    {"num-queries-per-thread:", 8192},
    {"outgoing-range:", 2048},
    {"outgoing-num-tcp:", 128},
};

/* The shares of dns.cache, in 32nds. */
static const struct share_option caches[] = {
    {"msg-cache-size:", 8},
    {"rrset-cache-size:", 16},
    {"key-cache-size:", 6},
    {"neg-cache-size:", 2},
};

/* libunbound counts a forwarder's timeouts for all names together. At a timeout of 12 s (or the maximum set, if lower)
 * it holds the forwarder itself for dead and refuses everybody's questions; doubling 376 ms, a few silent names bring
 * it there within 11.6 s without any answer. So it must forget sooner. */
static const struct option forward_options[] = {
    {"infra-cache-max-rtt:", "120000"},
    {"infra-host-ttl:", "10"},
};

static int sentence(char *error, size_t size, const char *what, const char *value, const char *reason)
{
	snprintf(error, size, "%s \"%s\": %s", what, value, reason);
	return -1;
}

static bool is_loopback(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int set_option(struct ub_ctx *ctx, const char *name, const char *value, char *error, size_t size)
{
	int rc = ub_ctx_set_option(ctx, name, value);

	if (rc == 0)
		return 0;
	snprintf(error, size, "libunbound %s does not take the option %s %s (%s)", ub_version(), name, value,
		 ub_strerror(rc));
	return -1;
}

/* Options that this libunbound may be too old for; it works without them, only slower to see a server's return. */
static bool may_lack(const char *name)
{
	return strcmp(name, "infra-keep-probing:") == 0;
}

static int set_options(struct ub_ctx *ctx, const struct option *table, size_t count, char *error, size_t size)
{
	for (size_t i = 0; i < count; i++)
		if (set_option(ctx, table[i].name, table[i].value, error, size) < 0 && !may_lack(table[i].name))
			return -1;
	return 0;
}

/* TABLE's shares, each of so many octets or whatever the option counts. */
static int set_shares(struct ub_ctx *ctx, const struct share_option *table, size_t count, size_t each, size_t contexts,
		      char *error, size_t size)
{
	char value[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(value, sizeof(value), "%zu", table[i].share * each / contexts);
		if (set_option(ctx, table[i].name, value, error, size) < 0)
			return -1;
	}
	return 0;
}

static int set_sizes(struct ub_ctx *ctx, const struct conf_dns *conf, char *error, size_t size)
{
	if (set_shares(ctx, numbers, sizeof(numbers) / sizeof(numbers[0]), 1, conf->threads, error, size) < 0)
		return -1;
	return set_shares(ctx, caches, sizeof(caches) / sizeof(caches[0]), (conf->cache_mb << 20) / 32, conf->threads,
			  error, size);
}

static bool is_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && text[digits] == '\0' && atoi(text) >= 1 && atoi(text) <= 65535;
}

/* "127.0.0.1", "127.0.0.53@5353", "::1@53" */
static int set_forwarder(struct ub_ctx *ctx, const char *text, char *error, size_t size)
{
	struct in6_addr ignored;
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "@");
	int rc;

	if (len >= sizeof(address) || (text[len] == '@' && !is_port(text + len + 1)))
		return sentence(error, size, "dns.forward", text, "not an IP address, or ADDRESS@PORT");
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, &ignored) != 1 && inet_pton(AF_INET6, address, &ignored) != 1)
		return sentence(error, size, "dns.forward", text, "not an IP address, or ADDRESS@PORT");
	rc = ub_ctx_set_fwd(ctx, text);
	if (rc != 0)
		return sentence(error, size, "dns.forward", text, ub_strerror(rc));
	return is_loopback(address) ? set_option(ctx, "do-not-query-localhost:", "no", error, size) : 0;
}

static int set_forwarders(struct ub_ctx *ctx, const struct conf_list *forward, char *error, size_t size)
{
	for (size_t i = 0; i < forward->count; i++)
		if (set_forwarder(ctx, forward->item[i], error, size) < 0)
			return -1;
	if (forward->count == 0)
		return 0;
	return set_options(ctx, forward_options, sizeof(forward_options) / sizeof(forward_options[0]), error, size);
}

static FILE *open_file(const char *what, const char *path, char *error, size_t size)
{
	const char *why;
	FILE *f = regular_open(path, &why);

	if (!f)
		sentence(error, size, what, path, why);
	return f;
}

/* Calls FN for every word of a zone file's lines, without comments, until it says true. Returns whether it did. */
static bool any_word(FILE *f, bool (*fn)(const char *word))
{
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (!found && getline(&line, &room, f) >= 0) {
		char *save = NULL;

		line[strcspn(line, ";")] = '\0';
		for (char *w = strtok_r(line, " \t\r\n()\"", &save); w && !found;
		     w = strtok_r(NULL, " \t\r\n()\"", &save))
			found = fn(w);
	}
	free(line);
	return found;
}

/* A private root may stand on loopback; with the public one, nobody's delegation shall lead us there. */
static int set_root_hints(struct ub_ctx *ctx, const char *path, char *error, size_t size)
{
	FILE *f;
	bool loopback;

	if (!path || *path == '\0')
		return 0;
	f = open_file("dns.root_hints", path, error, size);
	if (!f)
		return -1;
	loopback = any_word(f, is_loopback);
	fclose(f);
	if (loopback && set_option(ctx, "do-not-query-localhost:", "no", error, size) < 0)
		return -1;
	return set_option(ctx, "root-hints:", path, error, size);
}

static bool is_anchor_type(const char *word)
{
	return strcasecmp(word, "DS") == 0 || strcasecmp(word, "DNSKEY") == 0;
}

/* libunbound takes a file without any key and then calls every answer insecure: DANE would be off without a word. */
static int set_anchor(struct ub_ctx *ctx, const char *path, char *error, size_t size)
{
	FILE *f;
	bool has_key;
	int rc;

	if (!path || *path == '\0')
		return sentence(error, size, "dns.trust_anchor", "", "without a trust anchor nothing can be validated");
	f = open_file("dns.trust_anchor", path, error, size);
	if (!f)
		return -1;
	has_key = any_word(f, is_anchor_type);
	fclose(f);
	if (!has_key)
		return sentence(error, size, "dns.trust_anchor", path, "no DS or DNSKEY record in it");
	rc = ub_ctx_add_ta_file(ctx, path);
	return rc == 0 ? 0 : sentence(error, size, "dns.trust_anchor", path, ub_strerror(rc));
}

static void on_first(void *arg, int err, struct ub_result *result)
{
	*(int *)arg = err;
	ub_resolve_free(result);
}

/* Everything said so far takes effect now, and the thread starts. Zones can be removed only last. */
static int start(struct ub_ctx *ctx)
{
	int first = 0, rc;
	sigset_t all, before;

	sigfillset(&all);
	rc = ub_ctx_zone_remove(ctx, UNSPECIAL_ZONE);
	if (rc != 0)
		return rc;
	pthread_sigmask(SIG_SETMASK, &all, &before); /* libunbound's thread is no place for our signal handlers */
	rc = ub_resolve_async(ctx, FIRST_QUESTION, 1, 1, &first, on_first, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		rc = ub_wait(ctx);
	return rc != 0 ? rc : first;
}

/* What libunbound only warns of: it would call everything below such an anchor insecure. */
static int refuse_ignored_anchor(const struct conf_dns *conf, const char *logged, char *error, size_t size)
{
	if (!strstr(logged, "no supported algorithms"))
		return 0;
	return sentence(error, size, "dns.trust_anchor", conf->trust_anchor,
			"a key in it is of an algorithm libunbound does not know");
}

/* The first error in what libunbound logged, without its "[time] libunbound[pid:0] error: ". */
static void start_failed(int rc, const struct conf_dns *conf, char *logged, char *error, size_t size)
{
	char *text = strstr(logged, "error: ");
	bool hints;

	text = !text ? logged : text + strlen("error: ");
	text[strcspn(text, "\n")] = '\0';
	hints = strstr(text, "root hints");
	snprintf(error, size, "libunbound does not start with dns.%s \"%s\": %s%s%s",
		 hints ? "root_hints" : "trust_anchor", hints ? conf->root_hints : conf->trust_anchor, ub_strerror(rc),
		 *text == '\0' ? "" : ": ", text);
}

static int configure(struct ub_ctx *ctx, const struct conf_dns *conf, char *error, size_t size)
{
	if (set_options(ctx, options, sizeof(options) / sizeof(options[0]), error, size) < 0 ||
	    set_sizes(ctx, conf, error, size) < 0)
		return -1;
	if (set_forwarders(ctx, &conf->forward, error, size) < 0 ||
	    set_root_hints(ctx, conf->root_hints, error, size) < 0)
		return -1;
	return set_anchor(ctx, conf->trust_anchor, error, size);
}

/* LOGGED is where LOG's text stands once it is flushed. */
static int try_out(struct ub_ctx *ctx, const struct conf_dns *conf, FILE *log, char **logged, char *error, size_t size)
{
	int rc = start(ctx);

	fflush(log);
	if (rc == 0)
		return refuse_ignored_anchor(conf, *logged, error, size);
	start_failed(rc, conf, *logged, error, size);
	return -1;
}

static struct ub_ctx *make(const struct conf_dns *conf, char *error, size_t size)
{
	struct ub_ctx *ctx = ub_ctx_create();
	char *logged = NULL;
	size_t logged_len = 0;
	FILE *log = open_memstream(&logged, &logged_len);
	int rc = -1;

	if (!ctx || !log) {
		snprintf(error, size, "libunbound cannot make a context: %s", strerror(errno));
	} else {
		ub_ctx_debugout(ctx, log); /* it would write its errors to standard error */
		ub_ctx_async(ctx, 1);
		rc = configure(ctx, conf, error, size);
		if (rc == 0)
			rc = try_out(ctx, conf, log, &logged, error, size);
		ub_ctx_debugout(ctx, NULL);
	}
	if (log)
		fclose(log);
	free(logged);
	if (rc != 0) {
		ub_ctx_delete(ctx);
		return NULL;
	}
	return ctx;
}

struct ub_ctx *dns_context_new(const struct conf_dns *conf, char *error, size_t size)
{
	struct ub_ctx *ctx;

	dns_contexts_lock();
	ctx = make(conf, error, size);
	dns_contexts_unlock();
	return ctx;
}
