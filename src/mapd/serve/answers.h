/*
 * answers.h - the answers of one connection in the order of its requests: one that is awaited holds back those behind
 * it; what is ready stands in a buffer until it can be sent.
 *
 * Knows of no events and no limits. Memory is only held for what waits or could not be sent. Called by client.c; one
 * thread.
 */
#ifndef TLSMODE_MAPD_ANSWERS_H
#define TLSMODE_MAPD_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct client_ask; /* a place in the order */

/* Of all connections. */
struct answers_sum {
	size_t waiting; /* places in the order */
	size_t unsent;  /* octets of answers */
};

struct answers {
	struct answers_sum *sum;
	void *owner;
	STAILQ_HEAD(, client_ask) asks;
	size_t waiting; /* of asks */
	size_t unsent;  /* octets: in out, and behind one that is awaited */
	char *out;
	size_t out_len, out_sent, out_size;
};

void answers_init(struct answers *a, struct answers_sum *sum, void *owner);
void answers_fini(struct answers *a); /* what is awaited is abandoned */

/* The answer to the next request: REPLY (copied). */
void answers_add(struct answers *a, const char *reply, size_t len);
/* The answer to the next request is awaited; ABANDON(WORK) at answers_fini(). */
struct client_ask *answers_await(struct answers *a, void (*abandon)(void *work), void *work);
void answers_await_other(struct client_ask *ask, void (*abandon)(void *work), void *work);
/* What was awaited is REPLY (copied). The owner, when it can be sent now: answers_send(); else NULL. */
void *answers_take(struct client_ask *ask, const char *reply, size_t len);

/* Sends what is ready as far as FD takes it. False: the peer is gone. */
bool answers_send(struct answers *a, int fd);

/* How many are awaited or stand behind one that is. */
static inline size_t answers_waiting(const struct answers *a)
{
	return a->waiting;
}

/* Octets of all that could not be sent yet. */
static inline size_t answers_unsent(const struct answers *a)
{
	return a->unsent;
}

/* After answers_send(): FD did not take all. */
static inline bool answers_half_sent(const struct answers *a)
{
	return a->out_len > 0;
}

#endif
