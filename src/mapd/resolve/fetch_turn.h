/*
 * fetch_turn.h - whose turn it is to fetch a policy: one fetch per policy domain in this process, one node of many by a
 * lock in Redis.
 *
 * A turn: ask for the lock; look into Redis once more (the last holder may just have finished); ours: fetch, tell all
 * askers, leave the lock; another node's: wait until its result appears (mirror.h on_fact), or the lock's time is over,
 * then look and try again, and fetch without the lock at last (FETCH_PATIENCE_S): a lock delays, it never decides. Redis
 * away: fetch without a lock. What a result means is not decided here. Called by job.c,
 * resolve.c and fact_news.c.
 */
#ifndef TLSMODE_MAPD_FETCH_TURN_H
#define TLSMODE_MAPD_FETCH_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "core/facts_text.h"
#include "core/plan.h"
#include "io/redis/redis.h"
#include "mapd/resolve/backends.h"
#include "mapd/resolve/due.h"

#define FETCH_LOCK_S 10     /* a node that died keeps others waiting for so long */
#define FETCH_PATIENCE_S 15 /* and whoever holds the lock again and again for so long ... */
#define FETCH_SPREAD_S 5    /* ... and up to this longer: not all nodes at once */

struct fetch_turn;
struct fetch_turns;

/* An asker; embedded in the caller's struct and zeroed before its first use. */
struct fetch_asker {
	/* The sts hash as it is now. True: that was the answer, this asker waits no more. */
	bool (*on_shared)(const struct text_field *sts, size_t count, void *arg);
	/* The fetch ended. All askers are told before the lock is left. */
	void (*on_result)(const struct policy_result *result, void *arg);
	void *arg;
	struct fetch_turn *turn; /* NULL: not waiting */
	TAILQ_ENTRY(fetch_asker) entry;
};

struct fetch_turns *fetch_turns_new(struct event_base *base, struct redis *redis, struct due_queue *mono);
void fetch_turns_free(struct fetch_turns **t); /* no asker may be waiting */

/* Joins or starts the turn of the policy domain of F, whose policy host HOST has the addresses of F. Nothing is called
 * from inside. */
void fetch_turn_join(struct fetch_turns *t, struct fetch_asker *asker, const struct facts *f, const char *host,
		     struct backend *backend);
/* Silence; the last one to leave ends the turn and the transfer. Allowed when not waiting. */
void fetch_turn_leave(struct fetch_asker *asker);
/* The transfer is ours and on its way (not another node's). */
bool fetch_turn_is_ours(const struct fetch_asker *asker);
/* Another node changed the sts hash of DOMAIN (NULL: any). */
void fetch_turns_changed(struct fetch_turns *t, const char *domain);

size_t fetch_turns_count(const struct fetch_turns *t);

#endif
