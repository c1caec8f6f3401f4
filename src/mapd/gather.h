/*
 * gather.h - what many connections sent in one turn of the loop is read first and handled together.
 *
 * So that what their answers need can be fetched from memory for all at once (server.h, server_set_ahead()): with a
 * million names a look-up waits for memory longer than for anything else. Each connection's own order stays. Private to
 * server.c and client.c; only where the program behind the server says that it helps.
 */
#ifndef TLSMODE_MAPD_GATHER_H
#define TLSMODE_MAPD_GATHER_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#define GATHER_MAX 64
#define GATHER_READ 2048 /* octets of one connection: who sends more at once is handled at once */

struct client;
struct server;

struct gather {
	struct event *event; /* after the reads of this turn */
	size_t count;
	struct {
		struct client *client; /* NULL: closed meanwhile */
		size_t len;
		char bytes[GATHER_READ];
	} slot[GATHER_MAX];
};

void gather_init(struct server *s);
void gather_fini(struct server *s);

/* Where the next connection's octets go, GATHER_READ of them; NULL: it is to be handled at once. */
char *gather_room(struct server *s);
/* LEN octets of C stand there. */
void gather_add(struct server *s, struct client *c, size_t len);
/* C closes: what it sent is forgotten. */
void gather_forget(struct server *s, struct client *c);
/* Handles all that was gathered, now. */
void gather_flush(struct server *s);

#endif
