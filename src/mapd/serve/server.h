/*
 * server.h - socketmap connections: netstrings in, netstrings out, each connection strictly in order.
 *
 * Knows nothing of maps: every request goes to one function, which answers it on the spot or later (client.h). Bytes are
 * read into one buffer of the server; a connection owns memory only for a request that has not wholly arrived and for
 * answers that could not be sent. Plain events with read and write on the loop's thread. Called by main.c (life;
 * it hands server_add() to listeners.c), reload.c and metrics.c.
 *
 * A connection ends when the client closes it (after its answers, when it only closed its writing side), when it sends
 * what is no netstring of at most SOCKMAP_REQUEST_MAX octets, or when it leaves a request or our answers half done for
 * stall_ms.
 */
#ifndef TLSMODE_MAPD_SERVER_H
#define TLSMODE_MAPD_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "mapd/serve/client.h"

struct server;

struct server_limits {
	size_t max_clients;
	size_t max_asks;   /* unanswered requests of one client; beyond them it is not read */
	size_t max_output; /* octets of answers not sent yet, of one client; beyond them it is not read */
	size_t max_unsent; /* the same of all clients; beyond them none is read that has any */
	int64_t stall_ms;
	/* With so many connections all that came in one turn of the loop may be read before any of it is handled
	 * (gather.h). With fewer, each would wait for the others and we for all of them: half the speed, measured. */
	size_t gather_clients;
};
extern const struct server_limits server_default_limits; /* 10000, 64, 256 KiB, 64 MiB, 100 s, 40 */

struct server *server_new(struct event_base *base, const struct server_limits *limits, client_request_fn *fn,
			  void *arg);
/* FN (with the ARG of server_new()) is told of requests that came together. */
void server_set_ahead(struct server *s, client_ahead_fn *fn);
void server_free(struct server **s); /* closes all at once */
/* Holds for what comes from now on; nothing is closed for it. */
void server_set_limits(struct server *s, const struct server_limits *limits);

/* Takes a connected socket (closes it at once when there are max_clients). */
void server_add(struct server *s, int fd);

/* Reads what has arrived, answers it, and closes every connection after its last answer; then calls FN from the
 * loop. */
void server_drain(struct server *s, void (*fn)(void *arg), void *arg);

struct server_counts {
	size_t clients, waiting; /* now: connections, unanswered requests */
	size_t unsent;           /* now: octets of answers */
	unsigned long accepted, refused, malformed, stalled;
};
void server_counts(const struct server *s, struct server_counts *out);

#endif
