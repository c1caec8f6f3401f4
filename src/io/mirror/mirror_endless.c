/*
 * mirror_endless.c - a line each, up to a number of them (mirror_endless.h).
 */
#include "io/mirror/mirror_endless.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xalloc.h"

#define DAY_S 86400
#define LINES_MAX 100

struct mirror_endless {
	struct key_set *exceptions;
	struct event *timer;
	unsigned lines; /* of this walk */
};

static void log_one(struct hmap_node *node, void *arg)
{
	struct mirror_endless *e = arg;

	if (e->lines++ < LINES_MAX)
		log_warn("event=exception_without_end name=%s do=\"give it an end with EXPIRE, or delete it\"",
			 hmap_entry(node, struct key, node)->name);
}

void mirror_endless_log(struct mirror_endless *e)
{
	static const struct timeval day = {DAY_S, 0};
	size_t count = key_set_count(e->exceptions);

	e->lines = 0;
	hmap_each(&e->exceptions->map, log_one, e);
	if (count > LINES_MAX)
		log_warn("event=exceptions_without_end count=%zu see=\"tlsmode status\"", count);
	evtimer_add(e->timer, &day);
}

static void on_day(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_endless_log(arg);
}

struct mirror_endless *mirror_endless_new(struct event_base *base, struct key_set *exceptions)
{
	struct mirror_endless *e = xcalloc(1, sizeof(*e));

	e->exceptions = exceptions;
	e->timer = evtimer_new(base, on_day, e);
	if (!e->timer)
		abort();
	return e;
}

void mirror_endless_free(struct mirror_endless **e)
{
	if (!*e)
		return;
	event_free((*e)->timer);
	free(*e);
	*e = NULL;
}
