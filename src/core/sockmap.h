/*
 * sockmap.h - Postfix's socketmap: request "MAP SP KEY", reply "OK SP text" | "NOTFOUND SP" | "TEMP SP reason"
 * (socketmap_table(5)). Replies are at most 100,000 octets. PERM and an empty OK are never sent (doc/design.md).
 */
#ifndef TLSMODE_CORE_SOCKMAP_H
#define TLSMODE_CORE_SOCKMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"

#define SOCKMAP_REQUEST_MAX 10100 /* key of 10,000 octets and the map name */
#define SOCKMAP_REPLY_MAX 100000

enum sockmap_status { SOCKMAP_OK, SOCKMAP_NOTFOUND, SOCKMAP_TEMP };

struct sockmap_request {
	const char *map;
	size_t map_len;
	const char *key; /* may be empty */
	size_t key_len;
};

/* Splits PAYLOAD at its first space; false when there is none or the map name is empty. Borrows from PAYLOAD. */
bool sockmap_parse(struct sockmap_request *out, const char *payload, size_t len);

/* Appends the reply payload (no netstring around it). Control characters in TEXT become '?'. An OK without text
 * becomes TEMP, a text too long for SOCKMAP_REPLY_MAX becomes TEMP with that reason: never a truncated policy. */
void sockmap_reply(struct sbuf *out, enum sockmap_status status, const char *text);

#endif
