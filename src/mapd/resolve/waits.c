/*
 * waits.c - see waits.h.
 */
#include "mapd/resolve/waits.h"

#include <stdlib.h>

#include "base/xalloc.h"

struct resolve_wait {
	TAILQ_ENTRY(resolve_wait) entry;
	struct waits *list; /* it stands in */
	waits_fn *fn;
	void *arg;
};

struct resolve_wait *waits_add(struct waits *waits)
{
	struct resolve_wait *w = xmalloc(sizeof(*w));

	*w = (struct resolve_wait){.list = waits};
	TAILQ_INSERT_TAIL(waits, w, entry);
	return w;
}

void waits_set(struct resolve_wait *w, waits_fn *fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
}

void waits_leave(struct resolve_wait **w)
{
	TAILQ_REMOVE((*w)->list, *w, entry);
	free(*w);
	*w = NULL;
}

void waits_tell(struct waits *waits, const struct facts *facts)
{
	struct waits now = TAILQ_HEAD_INITIALIZER(now);
	struct resolve_wait *w;

	TAILQ_CONCAT(&now, waits, entry);
	TAILQ_FOREACH(w, &now, entry)
	w->list = &now;
	while ((w = TAILQ_FIRST(&now))) {
		struct resolve_wait told = *w;

		waits_leave(&w);
		told.fn(facts, told.arg);
	}
}

void waits_drop(struct waits *waits)
{
	struct resolve_wait *w;

	while ((w = TAILQ_FIRST(waits)))
		waits_leave(&w);
}
