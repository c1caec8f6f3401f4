/*
 * accept_key.c - one GET (accept_key.h). A key of another type is no word.
 */
#include "io/mirror/accept_key.h"

#include <stdlib.h>

#include "base/sbuf.h"
#include "core/rkeys.h"
#include "io/redis/redis_advice.h"
#include "io/redis/redis_reply.h"

static void on_get(const struct redis_reply *reply, void *arg)
{
	struct accept_key *a = arg;
	char why[REDIS_WHY_SIZE];
	struct redis_text raw;

	if (!reply)
		return;
	if (redis_reply_string(reply, &raw)) {
		a->fn(strtoll(raw.text, NULL, 10), a->arg);
	} else if (redis_reply_is_nil(reply) || redis_reply_is_error(reply, "WRONGTYPE")) {
		a->fn(0, a->arg);
	} else {
		redis_reply_why(why, sizeof(why), "GET", reply);
		redis_drop(a->redis, why);
	}
}

void accept_key_ask(struct accept_key *a)
{
	char text[RKEY_SIZE];
	struct sbuf key;

	sbuf_init(&key, text, sizeof(text));
	rkeys_format(&key, redis_prefix(a->redis), RKEY_ACCEPT, "settings");
	redis_command(a->redis, on_get, a, 2, (const char *[]){"GET", text}, NULL);
}

void accept_key_abort(struct accept_key *a)
{
	redis_forget(a->redis, a);
}
