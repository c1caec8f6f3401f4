/*
 * accept_key.h - the operator's word on a mass loss: the key that `tlsmode settings accept` writes (rkeys.h RKEY_ACCEPT).
 *
 * Called by mirror.c; one thread.
 */
#ifndef TLSMODE_IO_ACCEPT_KEY_H
#define TLSMODE_IO_ACCEPT_KEY_H

#include <stdint.h>

#include "io/redis/redis.h"

/* RAW_MS: milliseconds since 1970 by the operator's clock; 0: there is no word. */
typedef void accept_key_fn(int64_t raw_ms, void *arg);

struct accept_key {
	struct redis *redis;
	accept_key_fn *fn;
	void *arg;
};

/* Reads the key; FN is called from the loop, unless Redis goes away. */
void accept_key_ask(struct accept_key *a);
void accept_key_abort(struct accept_key *a); /* silence */

#endif
