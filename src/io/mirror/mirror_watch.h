/*
 * mirror_watch.h - what Redis tells the mirror: up, down, and which of our keys have changed. Owns the connection.
 *
 * Called by mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_WATCH_H
#define TLSMODE_IO_MIRROR_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "core/settings.h"
#include "io/conf/conf.h"
#include "io/redis/redis.h"

struct mirror_watch;

struct mirror_watch_events {
	void (*on_up)(void *arg); /* what changed before is read from here on */
	void (*on_down)(void *arg);
	/* RAW (LEN octets, borrowed) is the name as it stands in the key. */
	void (*on_setting)(enum setting_kind kind, const char *raw, size_t len, void *arg);
	/* As in mirror.h; NULL: Redis is not asked to announce any. */
	void (*on_fact)(int rkey_kind, const char *name, void *arg);
	void (*on_word)(void *arg);  /* the operator's (accept_key.h) */
	void (*on_flush)(void *arg); /* all keys may have changed */
};

struct mirror_watch *mirror_watch_new(struct event_base *base, const struct conf_redis *conf,
				      const struct mirror_watch_events *ev, void *arg);
void mirror_watch_free(struct mirror_watch **w);
struct redis *mirror_watch_redis(struct mirror_watch *w);

#endif
