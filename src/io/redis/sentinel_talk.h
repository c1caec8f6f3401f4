/*
 * sentinel_talk.h - one conversation with one sentinel: connection (TLS as for Redis), one command, its reply.
 *
 * redis.username and its password are shown only to a sentinel that asks for them (NOAUTH, NOPERM): most have no
 * accounts, and those would refuse AUTH. Used by redis_sentinel.c, which asks, and sentinel_ear.c, which listens.
 */
#ifndef TLSMODE_IO_SENTINEL_TALK_H
#define TLSMODE_IO_SENTINEL_TALK_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>
#include "io/conf/conf.h"
#include "io/redis/redis_reply.h"

struct sentinel_talk;

struct sentinel_talk_events {
	void (*on_reply)(const struct redis_reply *reply, void *arg); /* borrowed; no error */
	void (*on_push)(const struct redis_reply *reply, void *arg);  /* a pub/sub message */
	/* Nothing more will come. */
	void (*on_failed)(const char *why, void *arg);
};

/* Says the ARGC words (kept, not copied) to the sentinel at ADDRESS. CONF must live as long, EVENTS is copied. The talk
 * may be freed inside any of its callbacks. NULL: cannot even begin, ERROR says why. */
struct sentinel_talk *sentinel_talk_new(struct event_base *base, const struct conf_redis *conf, const char *address,
					int argc, const char *const *argv, const struct sentinel_talk_events *events,
					void *arg, char *error, size_t size);
void sentinel_talk_free(struct sentinel_talk **t); /* silent */

bool sentinel_talk_alive(struct sentinel_talk *t); /* as redis_link_alive(), with PING */

#endif
