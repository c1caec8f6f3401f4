/*
 * redis_tls.h - TLS on a connection to Redis: the peer's certificate must lead to redis.tls_ca_file and carry
 * redis.tls_name (else the address we connect to).
 *
 * hiredis_ssl carries the bytes (Debian 13; without it redis.tls = true is an error that says so); the SSL object is
 * made here, because hiredis checks no name.
 */
#ifndef TLSMODE_IO_REDIS_TLS_H
#define TLSMODE_IO_REDIS_TLS_H

#include <stddef.h>

#include <hiredis/hiredis.h>

#include "io/conf/conf.h"

struct sbuf;
struct ssl_st;

/* Starts TLS on the connected C; a non-blocking one goes on with its next reads and writes. NULL: ERROR says why. What
 * is returned is C's. */
struct ssl_st *redis_tls_start(redisContext *c, const struct conf_redis *conf, char *error, size_t size);

/* What is wrong with the peer's certificate, or NULL. */
const char *redis_tls_why(const struct ssl_st *session);

/* Why TLS as configured can never work, or NULL: to be said before anything is connected. */
const char *redis_tls_unavailable(const struct conf_redis *conf);

/* What -V says of hiredis: its version, with TLS or without. */
void redis_tls_library(struct sbuf *out);

#endif
