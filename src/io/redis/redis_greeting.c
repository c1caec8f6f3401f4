/*
 * redis_greeting.c - AUTH and ROLE (redis_greeting.h).
 */
#include "io/redis/redis_greeting.h"

#include <stdio.h>

int redis_greeting_auth(const struct conf_redis *conf, const char *argv[3])
{
	int n = 0;

	if (!conf->password || conf->password[0] == '\0')
		return 0;
	argv[n++] = "AUTH";
	if (conf->username && conf->username[0] != '\0')
		argv[n++] = conf->username;
	argv[n++] = conf->password;
	return n;
}

bool redis_greeting_is_master(const struct redis_reply *reply, char *why, size_t size)
{
	struct redis_text role;

	if (!redis_reply_head(reply, &role)) {
		redis_reply_why(why, size, "ROLE", reply);
		return false;
	}
	if (redis_text_is(&role, "master"))
		return true;
	snprintf(why, size, "ROLE: no master but a %.20s: its settings may be old and what is written there is lost",
		 role.text);
	return false;
}
