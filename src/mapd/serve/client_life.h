/*
 * client_life.h - one connection as the server sees it: its beginning, its turns, its end.
 *
 * The server says in struct client_env how connections are to live and what becomes of requests, and is told of what
 * happens to each by its OWNER. Private to server.c and client.c.
 */
#ifndef TLSMODE_MAPD_CLIENT_LIFE_H
#define TLSMODE_MAPD_CLIENT_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/ratelimit.h"
#include "mapd/serve/answers.h"
#include "mapd/serve/client.h"
#include "mapd/serve/gather.h"

#define CLIENT_READ_SIZE 32768

/* All connections have one. */
struct client_env {
	struct event_base *base;
	client_request_fn *fn;
	client_ahead_fn *ahead; /* or NULL */
	void *arg;              /* of both */

	size_t max_asks, max_output, max_unsent; /* as in struct server_limits */
	struct gather *gather;
	size_t gather_clients; /* so many connections, and what they send is gathered, if there is AHEAD */

	void (*on_ready)(
	    void *owner); /* answers came outside its own turn: client_turn() is due in this turn of the loop */
	/* A request or our answers are half done since SINCE_MS (wall), 0: no longer. */
	void (*on_half_done)(void *owner, int64_t since_ms);
	void (*on_close)(void *owner); /* the last word */

	/* counted by client.c */
	size_t clients;
	struct answers_sum sum;
	unsigned long malformed;
	struct ratelimit malformed_lines;

	char in[CLIENT_READ_SIZE]; /* every client's reads */
};

/* Takes the socket FD. */
struct client *client_new(struct client_env *env, int fd, void *owner);
void client_close(struct client *c);
/* The same for a connection whose request or answers are half done for too long; logged. */
void client_give_up(struct client *c, int64_t now_ms);

/* In each of these C may go (on_close()). */

/* Reads what has arrived and answers it. */
void client_read_turn(struct client *c);
/* The same, unless it has ended or is held back. */
void client_read_rest(struct client *c);
/* LEN octets that were gathered are handled. */
void client_take(struct client *c, const char *bytes, size_t len, int64_t now_ms);
/* Takes a connection as far as it goes: answers that came, requests that were held back, octets that can be sent. */
void client_turn(struct client *c, int64_t now_ms);
/* Nothing more is read; closed after its last answer. */
void client_end(struct client *c, int64_t now_ms);

#endif
