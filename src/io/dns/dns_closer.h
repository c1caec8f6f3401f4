/*
 * dns_closer.h - deletes libunbound contexts on a thread of its own: that takes up to 100 ms of work each.
 *
 * For dns_ub.c; the lock for dns_context.c, too.
 */
#ifndef TLSMODE_IO_DNS_CLOSER_H
#define TLSMODE_IO_DNS_CLOSER_H

#include <stddef.h>

#include <unbound.h>

/* What is done on that thread before the contexts are deleted, and after. */
struct dns_ending {
	void (*before)(void *arg);
	void (*after)(void *arg);
	void *arg;
};

/* COUNT contexts, at most CONF_DNS_THREADS_MAX. exit(3) waits for such threads. CTX and ENDING are borrowed for the
 * call. */
void dns_contexts_delete(struct ub_ctx *const *ctx, size_t count, const struct dns_ending *ending);

/* libunbound has things of the whole process (its log, locks made with the first context and ended with the last) and
 * guards none of them: contexts are made and deleted one at a time, under this lock. Who makes one waits for a deletion
 * under way, 100 ms or so: at a start or a reload. */
void dns_contexts_lock(void);
void dns_contexts_unlock(void);

#endif
