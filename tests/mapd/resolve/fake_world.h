/*
 * fake_world.h - DNS, HTTPS and Redis adapters with the real ones' names, scripted by a test; and a clock that the test
 * moves.
 *
 * Answers come from the event loop, never from inside a call, and once, as the headers of src/io promise; a call that
 * breaks a promise from the other side (an answer taken twice, something not aborted) fails the test. One world per
 * process.
 */
#ifndef TLSMODE_TESTS_FAKE_WORLD_H
#define TLSMODE_TESTS_FAKE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "core/facts.h"
#include "core/plan.h"
#include "core/rr.h"
#include "io/dns/dns_ub.h"
#include "io/https/https_curl.h"
#include "io/redis/redis.h"

#define WORLD_START INT64_C(1800000000) /* unix seconds */

struct event_base *world_begin(void);
void world_end(void); /* fails when something is still on its way */

void world_run(void);        /* the loop, until nothing more happens by itself */
void world_pass(int64_t ms); /* time passes at once; then the loop */
int64_t world_now(void);     /* seconds */

struct dns *world_dns(void); /* a new context */
struct https *world_https(void);
struct redis *world_redis(void);
size_t world_contexts(void); /* DNS and HTTPS contexts not freed yet */

/* DNS: what is not scripted is NXDOMAIN, secure, 300 s. A script lasts until it is replaced. */
void world_mx(const char *name, bool secure, uint32_t ttl, const char *host);
void world_address(const char *name, bool secure, uint32_t ttl);
void world_tlsa(const char *host, uint32_t ttl);
void world_sts_txt(const char *domain, const char *id, uint32_t ttl); /* ID NULL: none any more */
void world_dns_status(const char *name, enum rr_type type, enum rr_status status);
void world_dns_silent(const char *name, enum rr_type type);  /* no answer, ever */
size_t world_dns_asked(const char *name, enum rr_type type); /* how often; NULL: all names and types */
size_t world_dns_open(void);                                 /* on their way now */

/* HTTPS: an unscripted host refuses. HOLD: the transfer hangs until world_release(). */
void world_policy(const char *host, const char *mode, unsigned max_age, const char *mx);
void world_policy_fails(const char *host, enum fetch_failure failure, const char *why);
void world_hold(const char *host);
void world_release(const char *host);
size_t world_fetches(const char *host); /* begun; NULL: of all hosts */
size_t world_fetches_open(void);

/* Redis. */
extern bool world_redis_away;   /* not connected */
extern bool world_redis_unread; /* connected, but too slow to be read */
extern bool world_redis_silent; /* a read never ends */
void world_hash(const char *key,
		const char *const *names_and_values);           /* "sts:d" or "dane:d"; ends with NULL; NULL: removed */
const char *world_hash_get(const char *key, const char *field); /* NULL: not there */
int64_t world_hash_ttl(const char *key);
size_t world_reads(void);
size_t world_writes(void);
void world_lock_of_other(const char *domain, bool held);
bool world_lock_is_ours(const char *domain);
size_t world_lock_asks(void);

#endif
