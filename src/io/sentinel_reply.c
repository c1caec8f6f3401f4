/*
 * sentinel_reply.c - what a sentinel answers to the question where the master is (sentinel_reply.h).
 */
#include "io/sentinel_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static bool is_pair(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING && reply->element[1]->type == REDIS_REPLY_STRING;
}

bool sentinel_reply_master(const redisReply *reply, const char *master, char out[SENTINEL_ADDRESS_SIZE], char *why,
			   size_t size)
{
	const redisReply *host, *port;
	const char *reason;
	char quoted[100];

	out[0] = '\0';
	if (reply->type == REDIS_REPLY_NIL) {
		snprintf(why, size, "knows no master \"%s\": compare redis.master with \"sentinel monitor\"", master);
		return false;
	}
	if (!is_pair(reply)) {
		snprintf(why, size, "a reply of the wrong kind");
		return false;
	}
	host = reply->element[0];
	port = reply->element[1];
	if (sentinel_address(out, host->str, host->len, port->str, port->len, &reason))
		return true;
	snprintf(why, size, "announces %s port %.10s: %s; set its resolve-hostnames and announce-hostnames to no",
		 log_quote(quoted, sizeof(quoted), host->str, host->len), port->str, reason);
	return false;
}
