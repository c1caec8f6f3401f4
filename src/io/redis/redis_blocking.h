/*
 * redis_blocking.h - a connection to Redis that is waited for: the control tool's.
 *
 * With sentinels: each is asked in turn, and what it names is tried, until a master is found. No event loop.
 */
#ifndef TLSMODE_IO_REDIS_BLOCKING_H
#define TLSMODE_IO_REDIS_BLOCKING_H

#include <stdbool.h>
#include <stddef.h>

#include <hiredis/hiredis.h>

#include "core/sentinel.h"
#include "io/conf/conf.h"

/* Connects (with sentinels: to the master), AUTH, SELECT. NULL: ERROR. The caller ends it with redisFree(). */
redisContext *redis_blocking_connect(const struct conf_redis *conf, unsigned timeout_s, char *error, size_t size);

/* Where one sentinel says that the master is, waiting at most a second. False: ERROR. */
bool redis_blocking_ask_sentinel(const struct conf_redis *conf, const char *sentinel, char out[SENTINEL_ADDRESS_SIZE],
				 char *error, size_t size);

#endif
