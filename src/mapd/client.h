/*
 * client.h - one connection of server.c: its bytes, its requests, its answers in their order. Private to server.c and
 * client.c.
 */
#ifndef TLSMODE_MAPD_CLIENT_H
#define TLSMODE_MAPD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "mapd/gather.h"
#include "base/ratelimit.h"
#include "mapd/server.h"

#define CLIENT_READ_SIZE 32768

TAILQ_HEAD(client_list, client);

struct client {
	struct server *server;
	int fd;
	struct event read_event, write_event;
	TAILQ_ENTRY(client) all, stalled, ready;
	char *in; /* octets that are no whole request yet, or are held back */
	size_t in_len;
	char *out;
	size_t out_len, out_sent, out_size;
	STAILQ_HEAD(, client_ask) asks;
	size_t ask_count;
	size_t unsent;         /* octets of answers: in out, and behind a request that waits */
	int64_t stalled_at_ms; /* 0: nothing is half done */
	unsigned long requests;
	bool reads, writes; /* its events are added */
	bool ending;        /* nothing more is read; closed after the last answer */
	bool rejected;      /* what came after the last request is not looked at */
	bool is_ready;      /* stands in server->ready */
	size_t gathered;    /* its slot in server->gather, plus one; 0: none */
};

struct server {
	struct event_base *base;
	struct server_limits limits;
	server_request_fn *fn;
	server_ahead_fn *ahead; /* or NULL */
	void *arg;
	struct client_list all;
	struct client_list stalled; /* longest first */
	struct client_list ready;   /* with answers that came outside their own turn */
	struct event *ready_event, *sweep_event;
	struct gather gather;
	unsigned reads; /* of all connections, for gather.c */
	bool together;  /* naming requests ahead helps at present */
	void (*drained)(void *arg);
	void *drained_arg;
	struct server_counts counts;
	struct ratelimit refused_lines, malformed_lines;
	char in[CLIENT_READ_SIZE]; /* every client's reads */
};

void client_new(struct server *s, int fd);
void client_close(struct client *c);

/* Reads what has arrived and answers it. C may be gone after it, as after client_turn(). */
void client_read_turn(struct client *c);
/* LEN octets have arrived (C keeps none from before). C may be gone after it. */
void client_take(struct client *c, const char *bytes, size_t len, int64_t now_ms);
/* Takes a connection as far as it goes: answers that came, requests that were held back, octets that can be sent. */
void client_turn(struct client *c, int64_t now_ms);

/* Too much is unanswered or unsent: its requests stay where they are. */
bool client_held(const struct client *c);

void client_log_dropped(struct client *c, const char *reason, int64_t now_ms);

#endif
