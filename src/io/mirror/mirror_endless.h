/*
 * mirror_endless.h - exceptions without an end are in force, and named once a day: an exception weakens, and should go.
 *
 * Called by mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_ENDLESS_H
#define TLSMODE_IO_MIRROR_ENDLESS_H

#include <event2/event.h>

#include "io/mirror/key_set.h"

struct mirror_endless;

/* EXCEPTIONS are the keys of those without an end; it must live as long. */
struct mirror_endless *mirror_endless_new(struct event_base *base, struct key_set *exceptions);
void mirror_endless_free(struct mirror_endless **e);
/* Names them now, and again in a day. */
void mirror_endless_log(struct mirror_endless *e);

#endif
