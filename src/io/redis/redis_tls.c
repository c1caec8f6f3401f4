/*
 * redis_tls.c - TLS on a connection to Redis (redis_tls.h).
 */
#include "config.h"

#include "io/redis/redis_tls.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"

#define TEXT_OF(number) #number
#define DOTTED(a, b, c) "hiredis " TEXT_OF(a) "." TEXT_OF(b) "." TEXT_OF(c)
#define HIREDIS_VERSION DOTTED(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH)

#ifdef HAVE_HIREDIS_SSL

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static bool is_set(const char *text)
{
	return text && text[0] != '\0';
}

static const char *load_files(SSL_CTX *ctx, const struct conf_redis *conf)
{
	if (is_set(conf->tls_ca_file) && SSL_CTX_load_verify_locations(ctx, conf->tls_ca_file, NULL) != 1)
		return "redis.tls_ca_file";
	if (!is_set(conf->tls_ca_file) && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return "the system's certificates";
	if (is_set(conf->tls_cert_file) && SSL_CTX_use_certificate_chain_file(ctx, conf->tls_cert_file) != 1)
		return "redis.tls_cert_file";
	if (is_set(conf->tls_key_file) && SSL_CTX_use_PrivateKey_file(ctx, conf->tls_key_file, SSL_FILETYPE_PEM) != 1)
		return "redis.tls_key_file";
	return NULL;
}

/* The name that the certificate must carry; an address when no name is configured. */
static bool demand_name(SSL *ssl, const redisContext *c, const struct conf_redis *conf)
{
	if (is_set(conf->tls_name))
		return SSL_set_tlsext_host_name(ssl, conf->tls_name) == 1 && SSL_set1_host(ssl, conf->tls_name) == 1;
	return c->tcp.host && X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), c->tcp.host) == 1;
}

static SSL *make_ssl(const redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const char *bad;
	SSL *ssl;

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	bad = load_files(ctx, conf);
	ssl = !bad ? SSL_new(ctx) : NULL;
	SSL_CTX_free(ctx);
	if (bad)
		snprintf(error, size, "TLS: %s cannot be used: %s", bad,
			 ERR_reason_error_string(ERR_peek_last_error()));
	if (ssl && !demand_name(ssl, c, conf)) {
		snprintf(error, size, "TLS: set redis.tls_name to the name in the server's certificate");
		SSL_free(ssl);
		ssl = NULL;
	}
	return ssl;
}

struct ssl_st *redis_tls_start(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	SSL *ssl;

	snprintf(error, size, "TLS: no memory");
	ERR_clear_error();
	ssl = make_ssl(c, conf, error, size);
	if (!ssl || redisInitiateSSL(c, ssl) == REDIS_OK)
		return ssl;
	snprintf(error, size, "TLS: %s", redis_tls_why(ssl) ? redis_tls_why(ssl) : c->errstr);
	SSL_free(ssl);
	return NULL;
}

const char *redis_tls_why(const struct ssl_st *session)
{
	long result = SSL_get_verify_result(session);

	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

const char *redis_tls_unavailable(const struct conf_redis *conf)
{
	(void)conf;
	return NULL;
}

void redis_tls_library(struct sbuf *out)
{
	sbuf_addf(out, HIREDIS_VERSION " with TLS (%s)", OpenSSL_version(OPENSSL_VERSION));
}

#else

#define NO_TLS                                                                                                         \
	"redis.tls = true, but this build has no hiredis_ssl (Debian 13 has it): set tls = false, or use a unix "      \
	"socket or a tunnel"

struct ssl_st *redis_tls_start(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	(void)c;
	(void)conf;
	snprintf(error, size, NO_TLS);
	return NULL;
}

const char *redis_tls_why(const struct ssl_st *session)
{
	(void)session;
	return NULL;
}

const char *redis_tls_unavailable(const struct conf_redis *conf)
{
	return conf->tls ? NO_TLS : NULL;
}

void redis_tls_library(struct sbuf *out)
{
	sbuf_add(out, HIREDIS_VERSION " without TLS");
}

#endif
