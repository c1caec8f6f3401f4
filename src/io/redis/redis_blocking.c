/*
 * redis_blocking.c - connect, ask, wait (redis_blocking.h).
 */
#include "io/redis/redis_blocking.h"

#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "io/redis/redis_address.h"
#include "io/redis/redis_advice.h"
#include "io/redis/redis_greeting.h"
#include "io/redis/redis_tls.h"
#include "io/redis/sentinel_reply.h"

#define SENTINEL_S 1

/* What is answered with one word: WANTED. */
static bool redis_blocking_ask(redisContext *c, int argc, const char **argv, const char *wanted, char *error,
			       size_t size)
{
	struct redis_reply *reply = redisCommandArgv(c, argc, argv, NULL);
	bool ok = reply && redis_reply_is_status(reply, wanted);

	if (!reply)
		redis_advice_format(error, size, argv[0], c->errstr);
	else if (!ok)
		redis_reply_why(error, size, argv[0], reply);
	if (reply)
		freeReplyObject(reply);
	return ok;
}

/* Connected to ADDRESS, with TLS if configured; nothing said yet. NULL: ERROR. */
static redisContext *open_to(const struct conf_redis *conf, const char *address, unsigned timeout_s, char *error,
			     size_t size)
{
	const struct timeval limit = {timeout_s, 0};
	redisContext *c = redis_address_connect(address, &limit);

	if (!c) {
		snprintf(error, size, "%s: not an address, or no memory", address);
		return NULL;
	}
	if (c->err || redisSetTimeout(c, limit) != REDIS_OK)
		snprintf(error, size, "%s: %s", address, c->errstr);
	else if (!conf->tls || redis_tls_start(c, conf, error, size))
		return c;
	redisFree(c);
	return NULL;
}

/* ---- one sentinel ---- */
static struct redis_reply *question(redisContext *c, const char *master)
{
	const char *words[] = {SENTINEL_QUESTION, master};

	return redisCommandArgv(c, 3, words, NULL);
}

/* The reply, after showing the account to one who asks for it. NULL: WHY. */
static struct redis_reply *ask_sentinel(redisContext *c, const struct conf_redis *conf, char *why, size_t size)
{
	struct redis_reply *reply = question(c, conf->master);
	const char *argv[3];
	int argc = redis_greeting_auth(conf, argv);

	if (reply && sentinel_reply_wants_account(reply) && argc > 0) {
		freeReplyObject(reply);
		if (!redis_blocking_ask(c, argc, argv, "OK", why, size))
			return NULL;
		reply = question(c, conf->master);
	}
	if (!reply)
		redis_advice_format(why, size, NULL, c->errstr);
	return reply;
}

bool redis_blocking_ask_sentinel(const struct conf_redis *conf, const char *sentinel, char out[SENTINEL_ADDRESS_SIZE],
				 char *error, size_t size)
{
	redisContext *c = open_to(conf, sentinel, SENTINEL_S, error, size);
	char why[REDIS_WHY_SIZE];
	struct redis_reply *reply = c ? ask_sentinel(c, conf, why, sizeof(why)) : NULL;
	bool ok;

	out[0] = '\0';
	ok = reply && sentinel_reply_master(reply, conf->master, out, why, sizeof(why));
	if (c && !ok)
		snprintf(error, size, "%s: %s", sentinel, why);
	if (reply)
		freeReplyObject(reply);
	if (c)
		redisFree(c);
	return ok;
}

/* ---- Redis ---- */
static bool select_database(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	char number[16];

	if (conf->database == 0)
		return true;
	snprintf(number, sizeof(number), "%d", conf->database);
	return redis_blocking_ask(c, 2, (const char *[]){"SELECT", number}, "OK", error, size);
}

static bool is_master(redisContext *c, char *error, size_t size)
{
	struct redis_reply *reply = redisCommand(c, "ROLE");
	char why[REDIS_WHY_SIZE];
	bool ok = reply && redis_greeting_is_master(reply, why, sizeof(why));

	if (!ok)
		snprintf(error, size, "%s", reply ? why : c->errstr);
	if (reply)
		freeReplyObject(reply);
	return ok;
}

static bool greet(redisContext *c, const struct conf_redis *conf, char *error, size_t size)
{
	const char *argv[3];
	int argc = redis_greeting_auth(conf, argv);

	if (argc > 0 && !redis_blocking_ask(c, argc, argv, "OK", error, size))
		return false;
	/* without a password this is where NOAUTH shows */
	if (!redis_blocking_ask(c, 1, (const char *[]){"PING"}, "PONG", error, size))
		return false;
	if (conf->sentinels.count > 0 && !is_master(c, error, size))
		return false;
	return select_database(c, conf, error, size);
}

static redisContext *connect_to(const struct conf_redis *conf, const char *address, unsigned timeout_s, char *error,
				size_t size)
{
	redisContext *c = open_to(conf, address, timeout_s, error, size);

	if (!c || greet(c, conf, error, size))
		return c;
	redisFree(c);
	return NULL;
}

/* The next sentinel is asked also when what one names cannot be used: it may not have heard of the failover yet. */
static redisContext *connect_to_master(const struct conf_redis *conf, unsigned timeout_s, char *error, size_t size)
{
	char address[SENTINEL_ADDRESS_SIZE], tried[SENTINEL_ADDRESS_SIZE] = "", why[REDIS_WHY_SIZE];
	redisContext *c = NULL;
	struct sbuf whys;

	sbuf_init(&whys, error, size);
	for (size_t i = 0; i < conf->sentinels.count && !c; i++) {
		const char *sentinel = conf->sentinels.item[i];

		if (!redis_blocking_ask_sentinel(conf, sentinel, address, why, sizeof(why))) {
			sbuf_addf(&whys, "%ssentinel %s", whys.len ? "; " : "", why);
			continue;
		}
		if (strcmp(address, tried) == 0)
			continue;
		memcpy(tried, address, sizeof(tried));
		c = connect_to(conf, address, timeout_s, why, sizeof(why));
		if (!c)
			sbuf_addf(&whys, "%smaster %s by sentinel %s: %s", whys.len ? "; " : "", address, sentinel,
				  why);
	}
	return c;
}

redisContext *redis_blocking_connect(const struct conf_redis *conf, unsigned timeout_s, char *error, size_t size)
{
	if (conf->sentinels.count > 0)
		return connect_to_master(conf, timeout_s, error, size);
	return connect_to(conf, conf->address, timeout_s, error, size);
}
