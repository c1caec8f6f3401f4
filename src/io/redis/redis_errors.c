/*
 * redis_errors.c - one line (redis_errors.h).
 */
#include "io/redis/redis_errors.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/redis/redis_advice.h"

#define EVERY_MS 60000

static bool is_said(struct redis_errors *e, const char *text)
{
	int64_t now = tick_mono_ms();
	char kind[sizeof(e->kind)];

	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(text, " "), text);
	if (strcmp(kind, e->kind) == 0 && now - e->at_ms < EVERY_MS)
		return true;
	memcpy(e->kind, kind, sizeof(kind));
	e->at_ms = now;
	return false;
}

void redis_errors_note(struct redis_errors *e, const char *context, const struct redis_reply *reply)
{
	char text[REDIS_WHY_SIZE], quoted[REDIS_WHY_SIZE + 40], hint[160] = "";
	const char *advice = "";
	struct redis_text error;

	if (redis_reply_error(reply, &error)) {
		snprintf(text, sizeof(text), "%s", error.text);
		advice = redis_advice(text);
	} else {
		redis_reply_why(text, sizeof(text), NULL, reply);
	}
	if (is_said(e, text))
		return;
	if (advice[0] != '\0')
		snprintf(hint, sizeof(hint), " do=\"%s\"", advice);
	log_warn("event=redis_error in=\"%s\" error=%s%s", context,
		 log_quote(quoted, sizeof(quoted), text, strlen(text)), hint);
}
