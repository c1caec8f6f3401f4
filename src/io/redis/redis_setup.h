/*
 * redis_setup.h - what is said on a fresh pair of connections until both work: AUTH, ROLE (with sentinels), SELECT,
 * SUBSCRIBE, CLIENT TRACKING; and what the server says of itself (INFO: version, maxmemory-policy).
 *
 * Called by redis.c once both links are open. One question at a time; the first refusal ends it.
 */
#ifndef TLSMODE_IO_REDIS_SETUP_H
#define TLSMODE_IO_REDIS_SETUP_H

#include "io/redis/redis_advice.h"
#include "io/redis/redis_link.h"

struct redis_setup {
	const struct conf_redis *conf;
	bool facts; /* those of MTA-STS are tracked, too */
	struct redis_link *data, *push;
	/* WHY NULL: the pair is ready. */
	void (*done)(const char *why, void *arg);
	void *arg;

	size_t step;
	char push_id[24];
	char version[32]; /* "" when Redis would not tell */
	char policy[32];  /* maxmemory-policy, likewise */
};

/* The members up to arg are set. Not after the links are gone: redis_link_free() makes it silent. */
void redis_setup_start(struct redis_setup *s);

#endif
