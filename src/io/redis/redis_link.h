/*
 * redis_link.h - one connection to Redis on the event loop: commands out, replies in order.
 *
 * hiredis formats, parses and carries the bytes (its TLS too); the order of the replies, the loop and the liveness are
 * ours, because hiredis 0.14's asynchronous half has no time limit, loses the PONG of a subscribed connection and
 * asserts on what the peer sends. Knows nothing of AUTH, tracking or reconnecting: that is redis_setup.h and redis.h. A
 * talk with a sentinel (sentinel_talk.h) is a link, too. Nobody else calls it.
 */
#ifndef TLSMODE_IO_REDIS_LINK_H
#define TLSMODE_IO_REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "io/conf/conf.h"
#include "io/redis/redis_reply.h"

struct redis_link;

struct redis_link_events {
	void (*on_open)(struct redis_link *l, void *arg); /* connected, nothing said yet */
	/* A pub/sub message (links made with PUSHES only). */
	void (*on_push)(const struct redis_reply *reply, void *arg);
	/* Once; commands on their way have not been answered (redis_link_take()). Free the link from here or later. */
	void (*on_lost)(struct redis_link *l, const char *why, void *arg);
};

/* Starts connecting to ADDRESS (not kept), with the TLS of CONF, which must live as long. NULL: cannot even begin,
 * ERROR says why. EVENTS is copied. */
struct redis_link *redis_link_new(struct event_base *base, const struct conf_redis *conf, const char *address,
				  bool pushes, const struct redis_link_events *events, void *arg, char *error,
				  size_t size);
/* CONF in the place of the one it began with, which may go now. */
void redis_link_reconf(struct redis_link *l, const struct conf_redis *conf);
void redis_link_free(struct redis_link **l); /* silent; also from inside one of its callbacks */

/* Bytes of the command are copied. FN may be NULL. */
void redis_link_send(struct redis_link *l, redis_reply_fn *fn, void *arg, int argc, const char *const *argv,
		     const size_t *argv_len);
/* The replies to commands of ARG will be read and dropped. */
void redis_link_forget(struct redis_link *l, const void *arg);
/* Takes all who wait for a reply out of L and hands them to FN, in order. */
void redis_link_take(struct redis_link *l, void (*fn)(redis_reply_fn *reply_fn, void *reply_arg, void *arg), void *arg);

#define REDIS_LINK_DEAD_S 2 /* an answer is owed for so long: a hung peer gives no error */

size_t redis_link_waiting(const struct redis_link *l); /* replies that are still to come */

/* The watchdog, called now and then: false when the peer owes us a reply (or the connection) for REDIS_LINK_DEAD_S;
 * asks with PING once nothing was heard for a second, if it may (PING). */
bool redis_link_alive(struct redis_link *l, bool ping);

#endif
