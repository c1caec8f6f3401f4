/*
 * fact_store.h - facts shared through Redis: read both hashes of a next hop, write one, take and leave the fetch lock.
 *
 * Redis away, or busy (redis_is_busy()), is not an error: a read says that it was none, a lock is granted, a write is
 * dropped.
 */
#ifndef TLSMODE_IO_FACT_STORE_H
#define TLSMODE_IO_FACT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts_text.h"
#include "core/nexthop.h"
#include "io/redis/redis.h"

/* STS and DANE fields are borrowed for the call. FACTS_SHARED_READ: both were read, and counts 0 mean that there is no
 * such key. FACTS_SHARED_UNREAD: Redis is up, but busy, too slow (500 ms), or it answers with an error or what is no hash:
 * nobody knows what it has. Counts are 0 then, and with FACTS_SHARED_AWAY. */
typedef void fact_read_fn(enum facts_shared how, const struct text_field *sts, size_t sts_count,
			  const struct text_field *dane, size_t dane_count, void *arg);
struct fact_read;
/* FN is called once, never from inside the call; the read is over with it. fact_read_abort() before that means silence.
 */
struct fact_read *fact_store_read(struct redis *r, struct event_base *base, const struct nexthop *nexthop,
				  fact_read_fn *fn, void *arg);
void fact_read_abort(struct fact_read **read);

/* Replaces the hash and its TTL at once; not waited for. The sts hash is not replaced by one with an earlier fetched_at
 * (a Lua script compares inside Redis: two nodes may finish in any order). */
void fact_store_write_sts(struct redis *r, const char *domain, const struct text_fields *fields, int64_t ttl_s);
void fact_store_write_dane(struct redis *r, const char *nexthop_key, const struct text_fields *fields, int64_t ttl_s);

/* Called once. GOT true: fetch (the lock is ours for TTL_S, or Redis is away); false: another node does. A lock without an
 * end, or with one later than TTL_S from now, is nobody's, and becomes ours. Never from inside the call; the lock object
 * stays until fact_lock_release(). A lock delays, it never decides: who is told false acts anyway after a time. */
typedef void fact_lock_fn(bool got, void *arg);
struct fact_lock;
struct fact_lock *fact_store_lock(struct redis *r, struct event_base *base, const char *domain, unsigned ttl_s,
				  fact_lock_fn *fn, void *arg);
void fact_lock_release(struct fact_lock **lock); /* drops it in Redis when it is ours; aborts when not answered yet */

#endif
