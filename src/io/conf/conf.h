/*
 * conf.h - /etc/tlsmode/tlsmode.conf (libconfuse): one file for all three programs (tlsmode.conf(5)).
 *
 * conf_load() takes a file whole or not at all. Every string is owned by the struct conf and lives until conf_free().
 */
#ifndef TLSMODE_IO_CONF_H
#define TLSMODE_IO_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/log.h"

struct sbuf;

#define CONF_DEFAULT_FILE "/etc/tlsmode/tlsmode.conf"

#define CONF_DNS_THREADS_MAX 16
#define CONF_NAMES_SIZE 512 /* of a list of transports, with a blank before and after each */

struct conf_list {
	size_t count;
	char **item;
};

enum when_unknown { UNKNOWN_TEMPFAIL, UNKNOWN_OPPORTUNISTIC, UNKNOWN_ENFORCED };
enum conf_action { ACTION_ACCEPT, ACTION_REJECT, ACTION_TEMPFAIL, ACTION_FILTER };
enum conf_identity { IDENTITY_ENVELOPE = 1 << 0, IDENTITY_FROM = 1 << 1, IDENTITY_AUTH = 1 << 2 };

struct conf {
	char *file; /* it was read from; for messages */
	int *line;  /* where each row of conf_table.c was given last, 0: it was not; for messages */
	char *user; /* "" stays who we are */
	struct conf_redis {
		char *address; /* "unix:/path", "127.0.0.1:6379", "[::1]:6379"; not used with sentinels */
		char *prefix;
		char *username;
		char *password_file;
		char *password; /* read from password_file at load, "" without; never logged */
		int database;
		bool tls;
		char *tls_ca_file, *tls_cert_file, *tls_key_file, *tls_name;
		struct conf_list sentinels; /* "10.0.0.1:26379", "[fd00::1]:26379" */
		char *master;               /* set if and only if there are sentinels */
	} redis;
	struct conf_settings {
		enum when_unknown when_unknown;
		char *snapshot; /* "" none */
		unsigned guard_percent;
		size_t max_changes;
	} settings;
	struct conf_dns {
		struct conf_list forward; /* "127.0.0.1", "127.0.0.53@5353" */
		char *root_hints;
		char *trust_anchor;
		unsigned timeout_s;
		unsigned threads; /* 1 to CONF_DNS_THREADS_MAX */
		size_t cache_mb;
	} dns;
	struct conf_sts {
		char *ca_file;
		bool allow_private;
		unsigned timeout_s;
		size_t max_fetches;
	} sts;
	struct conf_mapd {
		struct conf_list listen; /* "unix:/path", "inet:127.0.0.1:8461", "inet:[::1]:8461" */
		mode_t socket_mode;
		char *socket_group;
		unsigned deadline_s;
		size_t cache_entries;
		size_t max_clients;
		size_t max_jobs;
		size_t max_pipeline;
		size_t max_output;
		bool dane;
		char *min_tls; /* "", "1.2" or "1.3" */
		bool report_failures;
		char *enforced_transport;
		char *verified_transport;
	} mapd;
	struct conf_milter {
		char *listen;
		mode_t socket_mode;
		char *socket_group;
		unsigned identity; /* set of enum conf_identity */
		char *header;
		bool tag_opportunistic;
		bool return_headers;
		enum conf_action on_mismatch, on_escape, tls_required_no;
		struct conf_list local_transports, strict_transports;
		size_t max_sessions;
	} milter;
	char *metrics_listen; /* "inet:127.0.0.1:9461" or "" */
	struct conf_log {
		enum log_target target;
		enum log_level level;
	} log;
};

/* Whose files, accounts and groups must be there. The milter must not fail because it cannot read mapd's CA file. */
enum conf_use {
	CONF_USE_USER = 1 << 0,   /* the account exists (only asked when we are root) */
	CONF_USE_REDIS = 1 << 1,  /* password_file and TLS files; without it redis.password is "" */
	CONF_USE_DNS = 1 << 2,    /* trust_anchor, root_hints */
	CONF_USE_STS = 1 << 3,    /* ca_file */
	CONF_USE_MAPD = 1 << 4,   /* mapd.socket_group, when mapd listens on a unix socket */
	CONF_USE_MILTER = 1 << 5, /* milter.socket_group, when the milter listens on a unix socket */
	CONF_USE_SYSLOG = 1 << 6, /* log.target is syslog: a daemon in the background has no standard error */
	CONF_FOR_MAPD = CONF_USE_USER | CONF_USE_REDIS | CONF_USE_DNS | CONF_USE_STS | CONF_USE_MAPD,
	CONF_FOR_MILTER = CONF_USE_USER | CONF_USE_REDIS | CONF_USE_MILTER
};

/* Reads FILE. NULL on any mistake: then ERROR holds one line "FILE:LINE: reason" (or "FILE: reason"). Checks everything
 * that can be checked without opening a socket: unknown options, options given twice, ranges, address forms, socket
 * path length, header syntax, that what USES (set of enum conf_use) needs outside the file is there (naming the
 * option), and refuses what this version does not do. A mistake of the operator: the caller exits with EX_CONFIG (78),
 * or keeps the old configuration on reload. */
struct conf *conf_load(const char *file, unsigned uses, char *error, size_t size);
void conf_free(struct conf **c);

/* ERROR is a mistake in C that only a library could find, with its option as 'sts.ca_file "VALUE"': gets "FILE:LINE: "
 * in front, or "FILE: " when the option was not given. */
void conf_blame(const struct conf *c, char *error, size_t size);

/* Would nothing change? A NULL is "". */
bool conf_list_same(const struct conf_list *a, const struct conf_list *b);
bool conf_redis_same(const struct conf_redis *a, const struct conf_redis *b);

/* The sample file etc/tlsmode.conf.sample, as the programs print it with --print-sample-config: every option with its
 * default and one line of comment, from the same table that reads them. */
void conf_print_sample(void (*put)(const char *text, void *arg), void *arg);

/* What -V says of libconfuse (io/proc.h). */
void conf_library(struct sbuf *out);

#endif
