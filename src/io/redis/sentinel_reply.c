/*
 * sentinel_reply.c - what a sentinel answers to the question where the master is (sentinel_reply.h).
 */
#include "io/redis/sentinel_reply.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

bool sentinel_reply_master(const struct redis_reply *reply, const char *master, char out[SENTINEL_ADDRESS_SIZE],
			   char *why, size_t size)
{
	struct redis_text host, port;
	struct redis_list words;
	const char *reason;
	char quoted[100], quoted_port[24];

	out[0] = '\0';
	if (redis_reply_is_nil(reply)) {
		snprintf(why, size, "knows no master \"%s\": compare redis.master with \"sentinel monitor\"", master);
		return false;
	}
	if (!redis_reply_list(reply, &words) || words.left != 2) {
		redis_reply_why(why, size, "SENTINEL", reply);
		return false;
	}
	redis_pair_next(&words, &host, &port);
	if (sentinel_address(out, host.text, host.len, port.text, port.len, &reason))
		return true;
	snprintf(why, size, "announces %s port %s: %s; set its resolve-hostnames and announce-hostnames to no",
		 log_quote(quoted, sizeof(quoted), host.text, host.len),
		 log_quote(quoted_port, sizeof(quoted_port), port.text, port.len), reason);
	return false;
}

bool sentinel_reply_wants_account(const struct redis_reply *reply)
{
	return redis_reply_is_error(reply, "NOAUTH") || redis_reply_is_error(reply, "NOPERM");
}
