/*
 * dns_feed.h - hands questions to a libunbound context, from a thread of its own.
 *
 * ub_resolve_async() writes to a pipe that libunbound's thread empties one question at a time between its other work:
 * while that validates for a thousand cold domains the writer waits for seconds. The event loop must not. Questions
 * queue here instead, and those that nobody wants any more never get there. For dns_ub.c only.
 */
#ifndef TLSMODE_IO_DNS_FEED_H
#define TLSMODE_IO_DNS_FEED_H

#include <unbound.h>

struct dns_feed;
struct dns_ticket; /* one question, queued or asked */

struct dns_feed *dns_feed_new(struct ub_ctx *ctx);
/* Waits for the thread, and so for libunbound's to take one question. Before CTX is deleted. */
void dns_feed_stop(struct dns_feed *f);
void dns_feed_free(struct dns_feed **f); /* with all tickets; after CTX is deleted */

/* FN comes from ub_process(), once; the ticket is over then. */
struct dns_ticket *dns_feed_ask(struct dns_feed *f, const char *name, int type, ub_callback_type fn, void *arg);
/* FN will not come. From the thread that calls ub_process(), as dns_feed_ask(). */
void dns_feed_drop(struct dns_ticket *t);
/* Why libunbound would not take the question; NULL: it did, or has yet to be asked. */
const char *dns_feed_failure(struct dns_ticket *t);

#endif
