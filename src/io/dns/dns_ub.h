/*
 * dns_ub.h - validated DNS answers through libunbound: threads of its own (ub_ctx_async), their pipes in our
 * loop.
 *
 * Validates in process against the trust anchor; a forwarder's AD bit is never believed. Bogus answers carry data: the
 * flag decides. Each question has its own deadline.
 */
#ifndef TLSMODE_IO_DNS_UB_H
#define TLSMODE_IO_DNS_UB_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "core/rr.h"
#include "io/conf/conf.h"

struct dns;
struct sbuf;
struct dns_query;

/* NULL: ERROR is one sentence (bad anchor, bad forwarder...): options are tried with a first look-up, of a name that
 * needs no server. BASE NULL: for dns_ask_blocking() only, which needs no more than one thread. CONF is needed during
 * the call only. */
struct dns *dns_new(struct event_base *base, const struct conf_dns *conf, char *error, size_t size);
/* Every query on its way is aborted. Takes up to 100 ms of work: it is done on a thread of its own, which exit(3) waits
 * for. May be called from an answer. */
void dns_free(struct dns **d);

/* ABOUT, a domain: what is asked about the same one goes to the same of conf threads, and shares its caches. ANSWER is
 * borrowed for the call. Comes once, never from inside dns_ask(); the query is over when FN is called. NAME
 * is canonical (domain.h). A question without answer within conf timeout is RR_ERROR. */
typedef void dns_answer_fn(const struct rr_answer *answer, void *arg);
struct dns_query *dns_ask(struct dns *d, const char *about, const char *name, enum rr_type type, dns_answer_fn *fn,
			  void *arg);
void dns_abort(struct dns_query **q); /* silence */

/* The same without a loop (tests/io/dns/dns_probe.c): FN is called before it returns. */
void dns_ask_blocking(struct dns *d, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg);

size_t dns_pending(const struct dns *d);

/* What -V says of libunbound (io/proc.h). */
void dns_library(struct sbuf *out);

#endif
