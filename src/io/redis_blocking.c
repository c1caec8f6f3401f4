/*
 * redis_blocking.c - the control tool's connection to Redis: one, waited for (redis.h redis_connect_blocking()).
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "io/redis.h"
#include "io/redis_address.h"
#include "io/redis_setup.h"

#ifdef HAVE_HIREDIS_SSL
#include <hiredis/hiredis_ssl.h>
#endif

static bool ask(redisContext *c, int argc, const char **argv, char *error, size_t size)
{
	redisReply *reply = redisCommandArgv(c, argc, argv, NULL);
	bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
	const char *why = reply == NULL ? c->errstr : ok ? "" : reply->str;
	const char *hint = redis_advice(why);

	if (!ok)
		snprintf(error, size, "%s: %s%s%s", argv[0], why, hint[0] ? "; " : "", hint);
	if (reply != NULL)
		freeReplyObject(reply);
	return ok;
}

#ifdef HAVE_HIREDIS_SSL
static bool secure(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	redisSSLContextError err = REDIS_SSL_CTX_NONE;
	redisSSLContext *ssl;
	bool ok;

#define OR_NULL(s) ((s) != NULL && *(s) != '\0' ? (s) : NULL)
	redisInitOpenSSL();
	ssl = redisCreateSSLContext(OR_NULL(conf->tls_ca_file), NULL, OR_NULL(conf->tls_cert_file),
	    OR_NULL(conf->tls_key_file), OR_NULL(conf->tls_name), &err);
	ok = ssl != NULL && redisInitiateSSLWithContext(c, ssl) == REDIS_OK;
	if (!ok)
		snprintf(error, size, "TLS: %s", ssl == NULL ? redisSSLContextGetError(err) : c->errstr);
	if (ssl != NULL)
		redisFreeSSLContext(ssl); /* the connection holds its own reference to the SSL_CTX */
	return ok;
}
#else
static bool secure(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	(void)c, (void)conf;
	snprintf(error, size, "redis.tls = true, but this build has no hiredis_ssl (Debian 13 has it)");
	return false;
}
#endif

static bool greet(redisContext *c, const struct conf_redis *conf, unsigned timeout_s, char *error, size_t size)
{
	const struct timeval limit = {timeout_s, 0};
	const char *argv[3];
	char number[16];
	int argc;

	if (c->err) {
		snprintf(error, size, "%s: %s", conf->address, c->errstr);
		return false;
	}
	if (redisSetTimeout(c, limit) != REDIS_OK) {
		snprintf(error, size, "%s: %s", conf->address, c->errstr);
		return false;
	}
	if (conf->tls && !secure(c, conf, error, size))
		return false;
	argc = redis_auth_args(conf, argv);
	if (argc > 0 && !ask(c, argc, argv, error, size))
		return false;
	/* without a password this is where NOAUTH shows */
	if (!ask(c, 1, (const char *[]){"PING"}, error, size))
		return false;
	if (conf->database == 0)
		return true;
	snprintf(number, sizeof(number), "%d", conf->database);
	return ask(c, 2, (const char *[]){"SELECT", number}, error, size);
}

redisContext *redis_connect_blocking(const struct conf_redis *conf, unsigned timeout_s, char *error, size_t size)
{
	const struct timeval limit = {timeout_s, 0};
	redisContext *c = redis_address_connect(conf->address, &limit);

	if (c == NULL) {
		snprintf(error, size, "%s: not an address, or no memory", conf->address);
		return NULL;
	}
	if (greet(c, conf, timeout_s, error, size))
		return c;
	redisFree(c);
	return NULL;
}
