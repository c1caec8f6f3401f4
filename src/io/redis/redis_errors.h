/*
 * redis_errors.h - error replies in the log: once a minute for each kind of error, with what to do about it.
 *
 * Called by redis.c; one thread.
 */
#ifndef TLSMODE_IO_REDIS_ERRORS_H
#define TLSMODE_IO_REDIS_ERRORS_H

#include <stdint.h>

#include "io/redis/redis_reply.h"

/* All zero at first. */
struct redis_errors {
	char kind[40]; /* the first word of the last one that was logged */
	int64_t at_ms; /* monotonic */
};

/* CONTEXT: what was asked ("write of a fact"). REPLY is an error, or one of the wrong kind. */
void redis_errors_note(struct redis_errors *e, const char *context, const struct redis_reply *reply);

#endif
