/*
 * https_transfer.c - one GET of a policy (RFC 8461 s3.3) with libcurl: what is asked for, what is taken, and the
 * judgement.
 *
 * Not the threads and queues (https_curl.c), not the reading of the body (core/sts_policy).
 *
 * HTTP/1.1 and not 2: it is one small GET on a connection of its own, every policy host speaks it, and its framing is
 * the smaller thing to attack.
 */
#include "config.h"

#include "io/https/https_transfer.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/sbuf.h"
#include "base/xalloc.h"
#include "io/https/https_curl.h"

#define WELL_KNOWN "/.well-known/mta-sts.txt"
#define MEDIA_TYPE "text/plain"
#define CONNECT_LIMIT_MS                                                                                               \
	8000 /* TCP and TLS; libcurl gives the first of several addresses half of it, the next a quarter... */
#define EYEBALLS_MS 200 /* until the other address family is tried too */

/* --- while it runs --- */

static int ctx_index; /* of the transfer in its SSL_CTX */

static void ctx_index_once(void)
{
	ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static void on_tls_event(const SSL *ssl, int where, int what)
{
	struct https_transfer *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (what & 0xff) == SSL_AD_CLOSE_NOTIFY)
		t->notified = true;
}

/* libcurl by itself would take a name out of the CN, "m*" as a wildcard, and a connection cut short as the end of a
 * body. */
static CURLcode strict_tls(CURL *easy, void *ctx_arg, void *arg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct https_transfer *t = arg;
	SSL_CTX *ctx = ctx_arg;
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);

	(void)easy;
	SSL_CTX_set1_cert_store(ctx, t->roots);
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_host(param, t->target.host, 0) != 1)
		return CURLE_OUT_OF_MEMORY;
	pthread_once(&once, ctx_index_once);
	SSL_CTX_set_ex_data(ctx, ctx_index, t);
	SSL_CTX_set_info_callback(ctx, on_tls_event);
	return CURLE_OK;
}

static size_t give_up(struct https_transfer *t, const char *why)
{
	t->refused = why;
	return 0; /* less than was handed over: libcurl ends the transfer */
}

static bool is_header(const char *line, size_t len, const char *start)
{
	size_t start_len = strlen(start);

	return len >= start_len && strncasecmp(line, start, start_len) == 0;
}

/* Interim responses, the head and trailers all come here. */
static size_t on_header(char *line, size_t one, size_t count, void *arg)
{
	struct https_transfer *t = arg;
	size_t len = one * count;

	t->headers += len;
	if (is_header(line, len, "Content-Encoding:"))
		t->encoded = true;
	if (is_header(line, len, "Transfer-Encoding:"))
		t->chunked = true;
	return t->headers > HTTPS_HEADERS_MAX ? give_up(t, "response headers over 64 KiB") : len;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *arg)
{
	struct https_transfer *t = arg;
	size_t len = one * count;

	if (len > STS_BODY_MAX - t->len)
		return give_up(t, "body over 64 KiB");
	t->body = xrealloc(t->body, t->len + len + 1);
	memcpy(t->body + t->len, bytes, len);
	t->len += len;
	return len;
}

/* --- the judgement --- */

static bool __attribute__((format(printf, 3, 4)))
judge(struct https_transfer *t, enum fetch_failure failure, const char *why, ...)
{
	va_list ap;

	t->failure = failure;
	va_start(ap, why);
	vsnprintf(t->why, sizeof(t->why), why, ap);
	va_end(ap);
	for (char *p = t->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~') /* it may hold what the server sent */
			*p = '?';
	return false;
}

/* RFC 8461 s3.2: "text/plain"; the type in any case, parameters ignored. */
static bool is_text_plain(const char *type)
{
	size_t len = sizeof(MEDIA_TYPE) - 1;

	if (strncasecmp(type, MEDIA_TYPE, len) != 0)
		return false;
	type += len;
	return *(type + strspn(type, " \t")) == '\0' || *(type + strspn(type, " \t")) == ';';
}

/* A body without length ends with the connection; only close_notify tells the end from a cut (RFC 9110 s8.6, RFC 9112
 * s9.8). */
static bool may_be_cut(const struct https_transfer *t)
{
	curl_off_t length = -1;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length < 0 && !t->chunked && !t->notified;
}

static bool judge_response(struct https_transfer *t)
{
	char *type = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return judge(t, FETCH_FAILED, "HTTP status %ld", status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	if (!type)
		return judge(t, FETCH_FAILED, "no Content-Type");
	if (!is_text_plain(type))
		return judge(t, FETCH_FAILED, "Content-Type %.60s, not text/plain", type);
	if (t->encoded)
		return judge(t, FETCH_FAILED, "body has a Content-Encoding");
	return true;
}

static bool judge_error(struct https_transfer *t, CURLcode rc)
{
	long verify = X509_V_OK, status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	if (rc == CURLE_PEER_FAILED_VERIFICATION)
		return judge(t, FETCH_WEBPKI, "certificate: %s",
			     verify == X509_V_OK ? t->curl_error : X509_verify_cert_error_string(verify));
	/* A wrong status with an endless body is a wrong status. */
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (t->refused && status >= 200 && !judge_response(t))
		return false;
	if (t->refused)
		return judge(t, FETCH_FAILED, "%s", t->refused);
	return judge(t, FETCH_FAILED, "%s", t->curl_error[0] != '\0' ? t->curl_error : curl_easy_strerror(rc));
}

void https_transfer_end(struct https_transfer *t, CURLcode rc)
{
	if (rc != CURLE_OK)
		judge_error(t, rc);
	else if (judge_response(t) && may_be_cut(t))
		judge(t, FETCH_FAILED, "connection cut: nothing tells whether the body is complete");
	https_transfer_fini(t);
}

/* --- making it --- */

/* "host:443:192.0.2.1,[2001:db8::1]" */
static void pin(struct https_transfer *t)
{
	char line[DOMAIN_SIZE + 16 + HTTPS_ADDRESSES_MAX * 50];
	const struct https_target *to = &t->target;
	int len = snprintf(line, sizeof(line), "%s:%u:", to->host, to->port);

	for (size_t i = 0; i < to->count; i++)
		len += snprintf(line + len, sizeof(line) - (size_t)len, strchr(to->address[i], ':') ? "%s[%s]" : "%s%s",
				i == 0 ? "" : ",", to->address[i]);
	t->resolve = curl_slist_append(NULL, line);
}

static void set_request(struct https_transfer *t)
{
	char url[DOMAIN_SIZE + 64];
	CURL *e = t->easy;

	snprintf(url, sizeof(url), "https://%s:%u" WELL_KNOWN, t->target.host, t->target.port);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, t->limit_s * 1000L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_LIMIT_MS);
	curl_easy_setopt(e, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, (long)EYEBALLS_MS);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_RESOLVE, t->resolve);
	curl_easy_setopt(e, CURLOPT_SHARE, t->pinned);
}

static CURLcode set_tls(struct https_transfer *t)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	/* The roots were read once, into a store that strict_tls() puts in. */
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, t);
	return curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, strict_tls);
}

static void set_callbacks(struct https_transfer *t)
{
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
}

bool https_transfer_start(struct https_transfer *t, X509_STORE *roots)
{
	t->roots = roots;
	t->easy = curl_easy_init();
	t->pinned = curl_share_init();
	pin(t);
	if (!t->easy || !t->pinned || !t->resolve) {
		https_transfer_fini(t);
		return judge(t, FETCH_FAILED, "libcurl has no memory");
	}
	curl_share_setopt(t->pinned, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	set_callbacks(t);
	set_request(t);
	if (set_tls(t) != CURLE_OK) {
		https_transfer_fini(t);
		return judge(t, FETCH_FAILED, "libcurl does not use OpenSSL");
	}
	return true;
}

void https_transfer_fini(struct https_transfer *t)
{
	if (t->easy)
		curl_easy_cleanup(t->easy);
	if (t->pinned)
		curl_share_cleanup(t->pinned);
	curl_slist_free_all(t->resolve);
	t->easy = NULL;
	t->pinned = NULL;
	t->resolve = NULL;
}

void https_library(struct sbuf *out)
{
	sbuf_addf(out, "libcurl %s (built with %s), %s", curl_version_info(CURLVERSION_NOW)->version, LIBCURL_VERSION,
		  OpenSSL_version(OPENSSL_VERSION));
}
