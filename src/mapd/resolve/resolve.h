/*
 * resolve.h - one job per next hop, however many ask: carries the planner's questions to Redis, DNS and HTTPS and the
 * answers back.
 *
 * Keeps the facts it found (packed, at most cache_entries domains, least recently used go first), so that a changed
 * setting is decided anew without a question; fetches every policy it holds anew before its time (refresh.h). No policy
 * is decided here and no line is rendered. One thread; no function is called from inside a call but on_facts from
 * resolve_fact_changed() and, where a background fetch gives way to a new job, from resolve_ask().
 *
 * A job's life: asked -> rounds of plan.h -> ready: all waiters are answered (from the event loop, never from inside
 * resolve_ask()) -> perhaps a policy fetch goes on without waiters -> over: on_facts, facts written to Redis. At the
 * deadline (conf mapd.deadline, dns.timeout for the DNS part) facts_timeout() makes it ready; after sts.timeout
 * facts_policy_overdue().
 */
#ifndef TLSMODE_MAPD_RESOLVE_H
#define TLSMODE_MAPD_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "core/facts.h"
#include "core/nexthop.h"
#include "io/conf/conf.h"
#include "io/dns/dns_ub.h"
#include "io/https/https_curl.h"
#include "io/redis/redis.h"

struct resolver;
struct resolve_wait;

struct resolver_env {
	struct event_base *base;
	const struct conf *conf;
	struct dns *dns; /* the resolver's own from resolver_new() or resolver_reconf() on: it frees them */
	struct https *https;
	struct redis *redis; /* the caller's, for as long as the resolver lives */
	/* Facts of a next hop became better known without a waiter (a fetch that ended late, a refresh) or were
	 * forgotten (FACTS NULL): what was rendered from the old ones is stale. NEXTHOP_KEY as in nexthop.h; with NULL
	 * it means every variant of its domain. */
	void (*on_facts)(const char *nexthop_key, const struct facts *facts, void *arg);
	void *arg;
};

struct resolver *resolver_new(const struct resolver_env *env);
void resolver_free(struct resolver **r); /* aborts all; waiters hear nothing */
/* After a reload: new limits and timeouts, and DNS and HTTPS contexts (the old pointers where nothing changed) for jobs
 * that start from now on; jobs under way end with the old ones, which are freed with their last job. CONF is read
 * during the call only. */
void resolver_reconf(struct resolver *r, const struct conf *conf, struct dns *dns, struct https *https);

enum resolve_answer {
	RESOLVE_KNOWN,   /* OUT has the facts at hand, none past its end; it must be ended with facts_fini() */
	RESOLVE_WAITS,   /* the job of NEXTHOP was joined or started; WAIT is for resolve_wait_on() */
	RESOLVE_REFUSED, /* max_jobs are under way already, none of them only in the background: answer TEMP */
	RESOLVE_CROWDED  /* JOBS_VARIANTS (jobs.h) of its domain are, likewise: answer TEMP */
};
/* What is known of NEXTHOP, by one look-up. What is not asked of DNS is always known: there is nothing to find. */
enum resolve_answer resolve_ask(struct resolver *r, const struct nexthop *nexthop, struct facts *out,
				struct resolve_wait **wait);
/* FACTS is borrowed for the call; never NULL. */
typedef void resolve_fn(const struct facts *facts, void *arg);
/* FN will be called once, from the loop, and W is over with it; it may ask and abort as it likes. To be said before the
 * loop runs again. */
void resolve_wait_on(struct resolve_wait *w, resolve_fn *fn, void *arg);
void resolve_abort(struct resolve_wait **w); /* silence; NULL is allowed */

/* The same without a job: true is RESOLVE_KNOWN. */
bool resolve_known(struct resolver *r, const struct nexthop *nexthop, struct facts *out);
/* Starts a job without waiters that looks anew at what ends next (called on a hit late in a verdict's life); errors do
 * not replace what is still good. Cheap when one runs; nothing for what is not asked of DNS. */
void resolve_prefetch(struct resolver *r, const struct nexthop *nexthop);

/* The facts of NAME in Redis were written or removed (mirror.h on_fact), or all may have been (NAME NULL). What is of
 * use of that name is read again at once; only if it says something new, on_facts (FACTS NULL) is called. An sts hash
 * that is missing says nothing about ours (Redis announces one that ended, was evicted or flushed just like one that
 * somebody removed): it stays in force, and is shared again when it is next asked for. An operator's wish to forget is
 * the field "forgotten" in the sts hash (any value; an EXPIRE of a minute will do): daemons honour it everywhere.
 * With it, and with the field "refresh", goes what they know of the domain's MX and TLSA. A dane hash that somebody
 * wrote or removed is not announced: it is read when the own facts have ended. */
void resolve_fact_changed(struct resolver *r, int rkey_kind, const char *name);

struct resolver_counts {
	size_t jobs, known,
	    fetches; /* jobs under way; domains in memory; policy fetches under way or waiting for another node's */
	size_t policies, policies_dated; /* of the known domains: with a policy in force; with a date for its refresh */
	size_t known_octets;
	unsigned long started, refused, timeouts, fetch_ok, fetch_failed, refreshed, given_up, evicted,
	    policies_evicted, weakened, unread; /* readings of Redis that failed while it was up */
};
void resolver_counts(const struct resolver *r, struct resolver_counts *out);

#endif
