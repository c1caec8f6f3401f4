/*
 * redis_address.h - opens a hiredis context for a configured address: "unix:/path", "127.0.0.1:6379", "[::1]:6379".
 *
 * IP addresses and paths only: hiredis would look a host name up, and wait for it.
 */
#ifndef TLSMODE_IO_REDIS_ADDRESS_H
#define TLSMODE_IO_REDIS_ADDRESS_H

#include <hiredis/hiredis.h>

/* TIMEOUT NULL: non-blocking, the connection is on its way. NULL: ADDRESS is none of these forms. Look at ->err. */
redisContext *redis_address_connect(const char *address, const struct timeval *timeout);

#endif
