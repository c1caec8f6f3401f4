/*
 * mirror_clock.h - settings end by our own clock, on the dot; and a step of that clock is noticed.
 *
 * Called by mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_CLOCK_H
#define TLSMODE_IO_MIRROR_CLOCK_H

#include <stdbool.h>

#include <event2/event.h>

#include "io/mirror/expiry.h"

struct mirror_clock;

struct mirror_clock_events {
	void (*on_end)(enum setting_kind kind, const char *name, void *arg); /* taken out of the ends before */
	void (*on_ended)(void *arg);                                         /* after a turn of them */
	/* The ends we computed are wrong. False: they cannot be read again now, and are in force as they are. */
	bool (*on_step)(void *arg);
};

/* ENDS must live as long. */
struct mirror_clock *mirror_clock_new(struct event_base *base, struct expiry *ends,
				      const struct mirror_clock_events *ev, void *arg);
void mirror_clock_free(struct mirror_clock **c);
/* The first end may have moved. */
void mirror_clock_arm(struct mirror_clock *c);

#endif
