/*
 * sentinel_ear.h - listens to one sentinel for failovers: SUBSCRIBE +switch-master, kept alive.
 *
 * A lost or hung connection is made anew after a growing pause (100 ms to 5 s). Says in the log when it cannot listen.
 */
#ifndef TLSMODE_IO_SENTINEL_EAR_H
#define TLSMODE_IO_SENTINEL_EAR_H

#include <event2/event.h>

#include "io/conf/conf.h"

struct sentinel_ear;

struct sentinel_ear_events {
	/* It listens from here on; what has happened before must be asked for. */
	void (*on_hearing)(struct sentinel_ear *e, void *arg);
	void (*on_deaf)(struct sentinel_ear *e, void *arg);
	/* Our master has moved to ADDRESS (the form of redis.address). */
	void (*on_switch)(struct sentinel_ear *e, const char *address, void *arg);
};

/* ADDRESS and CONF must live as long. EVENTS is copied. */
struct sentinel_ear *sentinel_ear_new(struct event_base *base, const struct conf_redis *conf, const char *address,
				      const struct sentinel_ear_events *events, void *arg);
void sentinel_ear_free(struct sentinel_ear **e); /* silent; not from inside its callbacks */

const char *sentinel_ear_address(const struct sentinel_ear *e);

#endif
