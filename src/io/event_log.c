/*
 * event_log.c - see event_log.h.
 */
#include "io/event_log.h"

#include <string.h>

#include <event2/event.h>

#include "base/log.h"

static void event_log_line(int severity, const char *text)
{
	char quoted[1000];

	log_quote(quoted, sizeof(quoted), text, strlen(text));
	if (severity == EVENT_LOG_ERR)
		log_error("event=libevent text=%s", quoted);
	else if (severity == EVENT_LOG_WARN)
		log_warn("event=libevent text=%s", quoted);
}

void event_log_take(void)
{
	event_set_log_callback(event_log_line);
}
