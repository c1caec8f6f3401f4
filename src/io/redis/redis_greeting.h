/*
 * redis_greeting.h - what every connection to a Redis or a sentinel begins with, whoever waits for the answers.
 */
#ifndef TLSMODE_IO_REDIS_GREETING_H
#define TLSMODE_IO_REDIS_GREETING_H

#include <stdbool.h>
#include <stddef.h>

#include "io/conf/conf.h"
#include "io/redis/redis_reply.h"

/* AUTH as configured. 0: no password is set. */
int redis_greeting_auth(const struct conf_redis *conf, const char *argv[3]);

/* The reply to ROLE. False: WHY. */
bool redis_greeting_is_master(const struct redis_reply *reply, char *why, size_t size);

#endif
