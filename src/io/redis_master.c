/*
 * redis_master.c - the pair of redis.c goes to the master that sentinels name, and leaves one that is none any more.
 */
#include <stdio.h>
#include <string.h>

#include "io/redis_priv.h"

#define ROLE_MS 1000

static void on_master(const char *address, void *arg)
{
	struct redis *r = arg;
	char why[120];

	if (r->data && strcmp(r->address, address) == 0)
		return;
	if (r->data) {
		snprintf(why, sizeof(why), "the master has moved to %s", address);
		r->pause_ms = REDIS_PAUSE_MIN_MS;
		redis_lost(r, why);
	}
	evtimer_del(r->retry);
	redis_open_links(r, address);
}

static void on_unknown(const char *why, void *arg)
{
	struct redis *r = arg;

	if (!r->data)
		redis_lost(r, why);
}

void redis_master_start(struct redis *r)
{
	static const struct redis_sentinel_events events = {on_master, on_unknown};

	redis_sentinel_free(&r->sentinel);
	if (r->conf->sentinels.count > 0)
		r->sentinel = redis_sentinel_new(r->base, r->conf, &events, r);
}

/* A master that was demoted while nobody told us (REPLICAOF by hand, a sentinel that could not reach us). */
static void on_role(const struct redis_reply *reply, void *arg)
{
	struct redis *r = arg;
	char why[REDIS_WHY_SIZE];

	if (reply && !redis_role_is_master(reply, why, sizeof(why)))
		redis_lost(r, why);
}

void redis_master_watch(struct redis *r, int64_t now)
{
	static const char *const words[] = {"ROLE"};

	if (!r->sentinel || !r->up || now - r->role_ms < ROLE_MS)
		return;
	r->role_ms = now;
	redis_link_send(r->data, on_role, r, 1, words, NULL);
}
