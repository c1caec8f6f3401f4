/*
 * cmd_settings.c - tlsmode settings accept: what Redis holds now is what the operator wants, however much of it is
 * gone.
 *
 * Writes a time under the tracked prefix: every node whose last exact state is older takes the change (rkeys.h,
 * mirror.h).
 */
#include <stdio.h>

#include "base/tick.h"
#include "core/rkeys.h"
#include "ctl/commands.h"

#define ACCEPT_TTL "86400" /* seconds: nodes that were down for a day ask again */

int cmd_settings_accept(struct ctl *ctl, int argc, char **args)
{
	char key[RKEY_SIZE], now[32];
	const char *argv[] = {"SET", key, now, "EX", ACCEPT_TTL};
	struct sbuf b;
	struct redis_reply *reply;
	bool taken;

	(void)argc;
	(void)args;
	sbuf_init(&b, key, sizeof(key));
	rkeys_format(&b, ctl->conf->redis.prefix, RKEY_ACCEPT, "settings");
	snprintf(now, sizeof(now), "%lld", (long long)tick_wall_ms());
	reply = ctl_command(ctl, 5, argv);
	if (!reply)
		return EX_TEMPFAIL;
	taken = redis_reply_is_status(reply, "OK");
	if (!taken)
		ctl_wrong(5, argv, reply);
	freeReplyObject(reply);
	if (!taken)
		return EX_TEMPFAIL;
	if (ctl->json)
		ctl_print_json(json_pack("{s:b}", "accepted", 1));
	else
		puts("accepted: every node now takes the settings as Redis has them");
	return EX_OK;
}
