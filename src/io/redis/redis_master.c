/*
 * redis_master.c - sentinels, and ROLE (redis_master.h).
 */
#include "io/redis/redis_master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "io/redis/redis_advice.h"
#include "io/redis/redis_greeting.h"
#include "io/redis/redis_sentinel.h"

#define ROLE_MS 1000

struct redis_master {
	struct redis_sentinel *sentinel;
	struct redis_master_events ev;
	void *arg;
	struct redis_link *link; /* NULL: there is no pair */
	char address[SENTINEL_ADDRESS_SIZE];
	int64_t role_ms; /* asked for last */
};

static void on_master(const char *address, void *arg)
{
	struct redis_master *m = arg;

	if (!m->link || strcmp(m->address, address) != 0)
		m->ev.on_master(address, m->arg);
}

static void on_unknown(const char *why, void *arg)
{
	struct redis_master *m = arg;

	if (!m->link)
		m->ev.on_lost(why, m->arg);
}

static void on_role(const struct redis_reply *reply, void *arg)
{
	struct redis_master *m = arg;
	char why[REDIS_WHY_SIZE];

	if (reply && !redis_greeting_is_master(reply, why, sizeof(why)))
		m->ev.on_lost(why, m->arg);
}

void redis_master_ask(struct redis_master *m)
{
	redis_sentinel_ask(m->sentinel);
}

void redis_master_joined(struct redis_master *m, const char *address, struct redis_link *link)
{
	snprintf(m->address, sizeof(m->address), "%s", address);
	m->link = link;
}

void redis_master_left(struct redis_master *m)
{
	if (m->link)
		redis_link_forget(m->link, m);
	m->link = NULL;
}

void redis_master_distrust(struct redis_master *m)
{
	redis_sentinel_distrust(m->sentinel);
}

void redis_master_watch(struct redis_master *m, int64_t now_ms)
{
	static const char *const words[] = {"ROLE"};

	if (!m->link || now_ms - m->role_ms < ROLE_MS)
		return;
	m->role_ms = now_ms;
	redis_link_send(m->link, on_role, m, 1, words, NULL);
}

const char *redis_master_teller(const struct redis_master *m)
{
	return redis_sentinel_teller(m->sentinel);
}

struct redis_master *redis_master_new(struct event_base *base, const struct conf_redis *conf,
				      const struct redis_master_events *events, void *arg)
{
	static const struct redis_sentinel_events sentinel_events = {on_master, on_unknown};
	struct redis_master *m = xcalloc(1, sizeof(*m));

	m->ev = *events;
	m->arg = arg;
	m->sentinel = redis_sentinel_new(base, conf, &sentinel_events, m);
	return m;
}

void redis_master_free(struct redis_master **m)
{
	if (!*m)
		return;
	redis_master_left(*m);
	redis_sentinel_free(&(*m)->sentinel);
	free(*m);
	*m = NULL;
}
