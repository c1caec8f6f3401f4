/*
 * redis_refused.h - commands that will not be answered: who waits for a reply hears NULL, from the loop.
 *
 * Pure bookkeeping: the loop is the caller's (redis.c); one thread.
 */
#ifndef TLSMODE_IO_REDIS_REFUSED_H
#define TLSMODE_IO_REDIS_REFUSED_H

#include <stdbool.h>
#include <stddef.h>

#include "io/redis/redis_reply.h"

/* All zero at first. */
struct redis_refused {
	struct redis_refused_one *list;
	size_t count, size;
	size_t at; /* told so far, of those being told */
};

void redis_refused_fini(struct redis_refused *r); /* nobody is told */
void redis_refused_add(struct redis_refused *r, redis_reply_fn *fn, void *arg);
/* ARG is not told: also not in the middle of redis_refused_tell(). */
void redis_refused_forget(struct redis_refused *r, const void *arg);
/* Tells all that there are; who is added meanwhile is told the next time. *GONE becomes true when R ends meanwhile. */
void redis_refused_tell(struct redis_refused *r, const bool *gone);

#endif
