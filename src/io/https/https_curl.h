/*
 * https_curl.h - one MTA-STS policy body by HTTPS (RFC 8461 s3.3), on a thread of its own.
 *
 * GET https://HOST/.well-known/mta-sts.txt from pinned addresses: no resolver, no proxy, no redirect, no HTTP cache,
 * TLS >= 1.2, certificate by DNS-ID only (no CN), status 200, media type text/plain, at most STS_BODY_MAX octets
 * however they are sent, a whole deadline (HTTPS_LIMIT_S). One fetch per host at a time: a second asker of the same
 * host joins it.
 */
#ifndef TLSMODE_IO_HTTPS_CURL_H
#define TLSMODE_IO_HTTPS_CURL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "core/plan.h"
#include "io/conf/conf.h"

#define HTTPS_LIMIT_S 60 /* RFC 8461 s3.3 suggests a minute */
#define HTTPS_PATIENCE_MS                                                                                              \
	2000 /* what lasts longer makes room and goes on apart: slow hosts do not hold back good ones */

struct https;
struct sbuf;
struct https_fetch;

/* NULL: ERROR is one sentence (unreadable CA file...). CONF is needed during the call only. */
struct https *https_new(struct event_base *base, const struct conf_sts *conf, char *error, size_t size);
void https_free(struct https **h); /* ends the thread; aborts all. May be called from a result */

/* RESULT is borrowed for the call; it comes on BASE's thread, once, never from inside https_fetch(). ADDRESSES are
 * texts of IPv4 and IPv6 addresses; loopback, private, link-local, multicast and other special ones are refused unless
 * conf allows (a fetch without any other fails without a connection). At most eight are tried. */
typedef void https_result_fn(const struct policy_result *result, void *arg);
struct https_fetch *https_fetch(struct https *h, const char *host, const char *const *addresses, size_t count,
				https_result_fn *fn, void *arg);
void https_abort(struct https_fetch **f); /* silence; the transfer ends when nobody else waits for it */

/* For tests: another port than 443, another limit than HTTPS_LIMIT_S, from the next fetch on. */
void https_tune(struct https *h, uint16_t port, unsigned limit_s);

/* True when policies may be fetched from ADDRESS in the default configuration. Pure. */
bool https_address_public(const char *address);

size_t https_pending(const struct https *h);

/* What -V says of libcurl and OpenSSL (io/proc.h). */
void https_library(struct sbuf *out);

#endif
