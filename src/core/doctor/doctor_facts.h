/*
 * doctor_facts.h - everything known of an installation: what the doctor's rules judge.
 *
 * doctor_ask() fills in what to look at (sockets, tables, files), the control tool looks (ctl/probe.h), the
 * rules read. Flat and bounded; strings are cut to their room, tables own their entries.
 */
#ifndef TLSMODE_CORE_DOCTOR_FACTS_H
#define TLSMODE_CORE_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/doctor/lookup_table.h"
#include "core/mode.h"
#include "core/doctor/postconf.h"
#include "core/doctor/postfix_version.h"
#include "core/settings.h"

#define DOCTOR_WHY_SIZE 240
#define DOCTOR_PATH_SIZE 256
#define DOCTOR_NAMES_SIZE 400 /* "a.example, b.example and 7 more" */
#define DOCTOR_SOCKETS_MAX 64
#define DOCTOR_TABLES_MAX 64
#define DOCTOR_ENTRIES_MAX 2000000 /* of one table */
#define DOCTOR_TRUST_MAX 32
#define DOCTOR_FILES_MAX 8
#define DOCTOR_SERVERS_MAX 3 /* as many as the C library reads */
#define DOCTOR_VIAS_MAX 64

/* ---- the daemons' configuration, as far as Postfix must agree with it ---- */
struct doctor_conf {
	const char *enforced_transport, *verified_transport;
	bool dane;
	const char *min_tls;
	const char *header;        /* the tag's name */
	bool routes_by_header;     /* identities beyond the envelope */
	bool guards;               /* the milter refuses something */
	const char *map_listen[4]; /* "unix:/path", "inet:address:port" */
	size_t map_listens;
	const char *milter_listen;
};

/* ---- sockets, each as the services that use it would open it ---- */
enum socket_state {
	SOCKET_UNKNOWN, /* not looked at: see why */
	SOCKET_ANSWERS,
	SOCKET_MISSING, /* no such file */
	SOCKET_DENIED,  /* not for the postfix user */
	SOCKET_REFUSED, /* nobody listens */
	SOCKET_SILENT,  /* no answer in time */
	SOCKET_STRANGER /* somebody else listens there */
};

struct doctor_socket {
	char endpoint[TABLE_ENDPOINT_SIZE]; /* "unix:tlsmode/map.sock", relative to the queue directory */
	bool milter;                        /* a milter; else a socketmap */
	bool chrooted;                      /* opened from inside the queue directory */
	char user[64], parameter[128];      /* one service and parameter that names it */
	enum socket_state state;
	char why[DOCTOR_WHY_SIZE];
	char settings[24]; /* what tlsmode-mapd says of its settings: "live", "snapshot", "unknown", ... */
};

/* ---- tables that may name a transport ---- */
struct doctor_entry {
	char *key, *value; /* heap */
};

enum table_state { TABLE_UNREAD, TABLE_LISTED, TABLE_UNLISTABLE, TABLE_UNREADABLE };

struct doctor_table {
	struct lookup_table table;
	char parameter[64]; /* one that names it */
	enum table_state state;
	char why[DOCTOR_WHY_SIZE];
	struct doctor_entry *entry; /* heap */
	size_t entries, room;
	bool cut; /* there were more than DOCTOR_ENTRIES_MAX */
};

/* ---- certification authorities ---- */
struct doctor_trust {
	char file[DOCTOR_PATH_SIZE]; /* smtp_tls_CAfile: opened before the chroot, as root */
	char path[DOCTOR_PATH_SIZE]; /* smtp_tls_CApath: read inside it, as the postfix user */
	bool chrooted, appended;     /* tls_append_default_CA */
	bool file_ok, path_ok, default_ok;
	char why[DOCTOR_WHY_SIZE]; /* of the first that is not */
};

/* ---- DNS, as the C library of Postfix's smtp(8) would ask it ---- */
enum server_state { SERVER_UNASKED, SERVER_AD, SERVER_NO_AD, SERVER_FAILED, SERVER_SILENT };

struct doctor_resolver {
	bool wanted;                 /* some service reads this file */
	char file[DOCTOR_PATH_SIZE]; /* resolv.conf */
	bool missing;                /* then 127.0.0.1 is asked */
	bool trust_ad;
	size_t servers;
	struct doctor_server {
		char address[64];
		bool loopback;
		enum server_state state;
	} server[DOCTOR_SERVERS_MAX];
};

/* A file of the machine and its copy in the chroot. */
struct doctor_copy {
	char name[64]; /* "etc/resolv.conf" */
	bool missing, differs;
};

/* ---- Redis ---- */
struct doctor_names {
	size_t count;
	char text[DOCTOR_NAMES_SIZE]; /* the first of them */
};

struct doctor_via {
	char name[SETTING_VIA_MAX + 1];
	bool used[MODE_COUNT];
	char who[SETTING_NAME_SIZE]; /* a key that names it */
};

struct doctor_redis {
	bool known; /* the settings could be read */
	char why[DOCTOR_WHY_SIZE];
	char address[128];              /* where they were read: with sentinels, the master's; "" nowhere */
	struct doctor_names deaf;       /* sentinels that name no master, or another one; with the reason */
	char policy[32], maxmemory[32]; /* "" unknown */
	struct doctor_names senders[MODE_COUNT];
	struct doctor_names endless; /* exceptions without an end */
	struct doctor_names ending;  /* sender and rcpt settings with one */
	struct doctor_names bad;     /* with values nobody understands */
	struct doctor_via via[DOCTOR_VIAS_MAX];
	size_t vias;
	bool vias_cut;
};

struct doctor_facts {
	const char *config_dir; /* of -c; NULL: postconf's own */
	const struct postconf *postfix;
	struct postfix_version version;
	struct doctor_conf conf;
	bool as_root; /* else the postfix user's view could not be had */
	struct doctor_socket socket[DOCTOR_SOCKETS_MAX];
	size_t sockets;
	struct doctor_table table[DOCTOR_TABLES_MAX];
	size_t tables;
	struct doctor_trust trust[DOCTOR_TRUST_MAX];
	size_t trusts;
	struct doctor_resolver resolver[2]; /* [0] the machine's, [1] the chroot's */
	struct doctor_copy copy[DOCTOR_FILES_MAX];
	size_t copies;
	struct doctor_redis redis;
	struct doctor_names unused; /* parameters that postconf(1) says nobody reads: spelling mistakes */
	bool cut;                   /* something above had not room enough */
};

/* Appends NAME to a bounded list of names. */
void doctor_names_add(struct doctor_names *list, const char *name);

/* Adds an entry (copied) to a table. */
void doctor_table_add(struct doctor_table *t, const char *key, size_t key_len, const char *value, size_t value_len);
/* Frees what the facts own. */
void doctor_facts_fini(struct doctor_facts *f);

#endif
