/*
 * sentinel_reply.h - the question to a sentinel and its reply, asked on the loop or waited for.
 */
#ifndef TLSMODE_IO_SENTINEL_REPLY_H
#define TLSMODE_IO_SENTINEL_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/sentinel.h"
#include "io/redis/redis_reply.h"

#define SENTINEL_QUESTION "SENTINEL", "GET-MASTER-ADDR-BY-NAME" /* and the master's name */

/* False: OUT is "", WHY says what is wrong and what to do. */
bool sentinel_reply_master(const struct redis_reply *reply, const char *master, char out[SENTINEL_ADDRESS_SIZE],
			   char *why, size_t size);

/* Is it an error that asks for an account? */
bool sentinel_reply_wants_account(const struct redis_reply *reply);

#endif
