/*
 * redis.h - the connection pair to Redis on the event loop: one for commands, one for invalidation messages.
 *
 * RESP2, hiredis 0.14 and 1.x. Keeps itself connected: AUTH, SELECT, the invalidation channel, CLIENT TRACKING with
 * BCAST on our prefixes, REDIRECT and NOLOOP, its own PING watchdog; losing either connection means losing both, and a
 * new pair with a growing pause (100 ms to 2 s). Never blocks: addresses are IP and unix paths only. One thread.
 * SIGPIPE is ignored from redis_new() on (hiredis writes with write(2)).
 *
 * With sentinels (redis_sentinel.h) the pair goes to the master that they name and ROLE confirms, is asked every second
 * whether it still is one, and goes at once where a failover leads.
 */
#ifndef TLSMODE_IO_REDIS_H
#define TLSMODE_IO_REDIS_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "io/conf/conf.h"
#include "io/redis/redis_reply.h"

struct redis;
struct sbuf;

struct redis_events {
	bool facts; /* on_changed also for tlsmode:sts:* */
	/* Both connections work and tracking is on: read everything anew from here. */
	void (*on_up)(void *arg);
	/* They do not. WHY is for people. Also called when the first attempt fails. Commands on their way have got a
	 * NULL reply. */
	void (*on_down)(const char *why, void *arg);
	/* These keys changed, or (none) all may have: FLUSHALL, FLUSHDB. All keys of one message come in one call. */
	void (*on_changed)(struct redis_list *keys, void *arg);
};

/* Starts connecting. CONF must live as long; EVENTS is copied. */
struct redis *redis_new(struct event_base *base, const struct conf_redis *conf, const struct redis_events *events,
			void *arg);
void redis_free(struct redis **r); /* no callback from here on, and none afterwards */
/* A reloaded configuration: a new pair when it differs from the old one, which must still be there. */
void redis_reconf(struct redis *r, const struct conf_redis *conf);
/* Gives the pair up (a reply that should never have been) and tries again after a pause; on_down comes from the loop.
 */
void redis_drop(struct redis *r, const char *why);
bool redis_is_up(const struct redis *r);
const char *redis_prefix(const struct redis *r);
/* For status; what is lent lives until R changes. "" is unknown. */
struct redis_about {
	const char
	    *address;       /* where the pair goes or last went: redis.address, or the master's as a sentinel said it */
	const char *teller; /* that sentinel's */
	const char *version, *maxmemory_policy, *last_error;
	unsigned long reconnects;
};
void redis_describe(const struct redis *r, struct redis_about *out);

/* Logs an error reply in CONTEXT ("writing a fact"), or one of the wrong kind, once a minute for each kind of error;
 * with what to do about it. */
void redis_note_error(struct redis *r, const char *context, const struct redis_reply *reply);

/* FN hears NULL when the connection was lost or REDIS is away; an error reply is handed over as it is. Called once,
 * never from inside redis_command(). */
void redis_command(struct redis *r, redis_reply_fn *fn, void *arg, int argc, const char *const *argv,
		   const size_t *argv_len);
/* More than MAX commands (0: no bound) wait for their replies: Redis does not keep up, and what can be left out should
 * be. Commands are taken all the same; the bound is for who asks here. */
void redis_set_busy(struct redis *r, size_t max);
bool redis_is_busy(struct redis *r);
/* No callback for ARG any more. */
void redis_forget(struct redis *r, void *arg);

/* What -V says of libevent and hiredis (io/proc.h). */
void redis_library(struct sbuf *out);

#endif
