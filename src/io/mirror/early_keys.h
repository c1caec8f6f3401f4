/*
 * early_keys.h - the settings of one question, read from Redis directly: for answers while the mirror is not filled yet.
 *
 * A start with a million settings takes seconds until all are known; the few keys that bear on one sender or one
 * destination take a millisecond. What was read is a table of its own and soon old: for one answer, never kept.
 * Made by the mirror (mirror_early_keys()) for mapd/maps/map_early.c; one thread.
 */
#ifndef TLSMODE_IO_EARLY_KEYS_H
#define TLSMODE_IO_EARLY_KEYS_H

#include "core/settings.h"
#include "io/mirror/complaints.h"
#include "io/redis/redis.h"

struct early_keys;

/* SETTINGS is the receiver's from now on (settings_free()); NULL: Redis went away or would not say. Once, from the
 * loop; O is over then. */
typedef void early_keys_fn(struct settings *settings, void *arg);

/* Begins a reading; the names follow with early_keys_want(), at least one, before the loop goes on. */
struct early_keys *early_keys_new(struct redis *redis, struct complaints *complaints, early_keys_fn *fn, void *arg);
struct early_keys_events {
	/* Each key that was read: the newest that is known of it. */
	void (*found)(enum setting_kind kind, const char *name, const struct setting *value, void *arg);
	/* What is the value of a key that Redis does not have, which may be an accident? False: none. */
	bool (*last)(enum setting_kind kind, const char *name, struct setting *out, void *arg);
};
/* EV is copied, and gets ARG. Without it nobody is told or asked. */
void early_keys_set_events(struct early_keys *e, const struct early_keys_events *ev, void *arg);
void early_keys_want(enum setting_kind kind, const char *name, void *early_keys); /* a settings_name_fn */
void early_keys_abort(struct early_keys **o);                                     /* silence */

#endif
