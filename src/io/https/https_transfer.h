/*
 * https_transfer.h - one GET of a policy as a curl easy handle: what is asked for, what is taken, and the judgement.
 *
 * For https_worker.c only, which owns the thread. Everything a transfer touches belongs to one thread at a time.
 */
#ifndef TLSMODE_IO_HTTPS_TRANSFER_H
#define TLSMODE_IO_HTTPS_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>
#include <openssl/x509.h>

#include "core/domain.h"
#include "core/plan.h"
#include "core/sts_policy.h"

#define HTTPS_ADDRESSES_MAX 8
#define HTTPS_HEADERS_MAX 65536 /* octets of all response headers together; libcurl 7.88 has no limit of its own */

struct https_target {
	char host[DOMAIN_SIZE];
	uint16_t port;
	size_t count;
	char address[HTTPS_ADDRESSES_MAX][46];
};

struct https_transfer {
	struct https_target target;
	unsigned limit_s; /* the whole transfer */
	CURL *easy;
	CURLSH *pinned; /* a name cache of its own: the pinned addresses serve this transfer and no other */
	struct curl_slist *resolve;
	X509_STORE *roots; /* borrowed */
	char curl_error[CURL_ERROR_SIZE];
	const char *refused; /* why the response was given up in the middle, or NULL */
	bool encoded;        /* a Content-Encoding, which we never asked for: what came is not text */
	bool chunked;
	bool notified; /* the server said close_notify */
	size_t headers;
	size_t len;
	char *body; /* LEN octets, at most STS_BODY_MAX; or NULL */

	enum fetch_failure failure; /* the judgement; FETCH_OK: body, len */
	char why[200];
};

/* Makes the easy handle for target and limit_s. False: judged as failed already. */
bool https_transfer_start(struct https_transfer *t, X509_STORE *roots);
/* The transfer ended with RC: sets failure and why, and lets go of the easy handle. */
void https_transfer_end(struct https_transfer *t, CURLcode rc);
/* Ends it without a judgement. The easy handle must be out of the multi handle; the body stays. */
void https_transfer_fini(struct https_transfer *t);

#endif
