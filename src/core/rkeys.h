/*
 * rkeys.h - the names of our keys in Redis (doc/design.md, "Settings in Redis").
 */
#ifndef TLSMODE_CORE_RKEYS_H
#define TLSMODE_CORE_RKEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"
#include "core/settings.h"

enum rkey_kind {
	RKEY_SENDER, /* tlsmode:sender:DOMAIN */
	RKEY_RCPT,   /* tlsmode:rcpt:DEST */
	RKEY_EXCEPT, /* tlsmode:except:DEST */
	RKEY_STS,    /* tlsmode:sts:DOMAIN, a fact */
	RKEY_DANE,   /* tlsmode:dane:NEXTHOP, a fact */
	RKEY_LOCK,   /* tlsmode:lock:DOMAIN, one node fetches */
	RKEY_ACCEPT, /* tlsmode:accept:settings: when an operator let a mass change take effect, unix ms */
	RKEY_OTHER
};

#define RKEY_SIZE 600 /* octets of the longest key, with the NUL; prefix at most 64 */

/* Appends the key. */
void rkeys_format(struct sbuf *out, const char *prefix, enum rkey_kind kind, const char *name);

/* The kind of KEY and where its name begins (borrowed); RKEY_OTHER when it is not ours. */
enum rkey_kind rkeys_parse(const char *prefix, const char *key, size_t len, const char **name, size_t *name_len);

/* The keys of a kind of setting, and back: false when KIND's keys are no settings. */
enum rkey_kind rkeys_of_setting(enum setting_kind kind);
bool rkeys_is_setting(enum rkey_kind kind, enum setting_kind *out);

/* Appends a glob for SCAN that matches settings and no facts; special characters of PREFIX are escaped. */
void rkeys_settings_glob(struct sbuf *out, const char *prefix);

#endif
