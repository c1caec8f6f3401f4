/*
 * mirror_settle.h - when the program may begin to serve: once, when the settings were read, or cannot be for now.
 *
 * While Redis is there its settings are waited for: an old snapshot is for when it is away. Called by mirror.c; one
 * thread.
 */
#ifndef TLSMODE_IO_MIRROR_SETTLE_H
#define TLSMODE_IO_MIRROR_SETTLE_H

#include <stdbool.h>

#include <event2/event.h>

#include "io/redis/redis.h"

struct mirror_settle {
	struct redis *redis;
	void (*fn)(void *arg); /* or NULL */
	void *arg;
	struct event *timer;
	bool done;
};

/* FN(ARG) is called once, from the loop. */
void mirror_settle_init(struct mirror_settle *s, struct event_base *base, struct redis *redis, void (*fn)(void *arg),
			void *arg);
void mirror_settle_fini(struct mirror_settle *s);
/* There is a snapshot: if Redis is not there soon, the program serves with that. */
void mirror_settle_soon(struct mirror_settle *s);
void mirror_settle_now(struct mirror_settle *s);

#endif
