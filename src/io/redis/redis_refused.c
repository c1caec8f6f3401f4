/*
 * redis_refused.c - a list (redis_refused.h).
 */
#include "io/redis/redis_refused.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define SIZE_FIRST 64

struct redis_refused_one {
	redis_reply_fn *fn; /* NULL: forgotten */
	void *arg;
};

void redis_refused_add(struct redis_refused *r, redis_reply_fn *fn, void *arg)
{
	if (r->count == r->size) {
		r->size = r->size ? r->size * 2 : SIZE_FIRST;
		r->list = xrealloc(r->list, r->size * sizeof(*r->list));
	}
	r->list[r->count++] = (struct redis_refused_one){fn, arg};
}

void redis_refused_forget(struct redis_refused *r, const void *arg)
{
	for (size_t i = r->at; i < r->count; i++)
		if (r->list[i].arg == arg)
			r->list[i].fn = NULL;
}

void redis_refused_tell(struct redis_refused *r, const bool *gone)
{
	size_t end = r->count;

	while (r->at < end) {
		struct redis_refused_one one = r->list[r->at++];

		if (one.fn)
			one.fn(NULL, one.arg);
		if (*gone)
			return;
	}
	r->count -= end;
	r->at = 0;
	if (r->count > 0)
		memmove(r->list, r->list + end, r->count * sizeof(*r->list));
}

void redis_refused_fini(struct redis_refused *r)
{
	free(r->list);
	*r = (struct redis_refused){0};
}
