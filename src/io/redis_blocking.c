/*
 * redis_blocking.c - the control tool's connection to Redis: one, waited for (redis.h redis_connect_blocking()).
 */
#include <stdio.h>
#include <string.h>

#include "io/redis.h"
#include "io/redis_address.h"
#include "io/redis_setup.h"
#include "io/redis_tls.h"

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
	if (conf->tls && redis_tls_start(c, conf, error, size) == NULL)
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
