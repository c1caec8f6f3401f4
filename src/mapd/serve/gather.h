/*
 * gather.h - what many connections sent in one turn of the loop is read first and handled together.
 *
 * So that what their answers need can be fetched from memory for all at once: with a million names a look-up waits for
 * memory longer than for anything else. Each connection's own order stays. Knows of owners, octets and two functions,
 * and is only used where the one who is told ahead says that it helps. Called by client.c; made by server.c.
 */
#ifndef TLSMODE_MAPD_GATHER_H
#define TLSMODE_MAPD_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#define GATHER_MAX 64
#define GATHER_READ 2048   /* octets of one connection: who sends more at once is handled at once */
#define GATHER_TOGETHER 16 /* are told ahead at once */

struct gather_octets {
	const char *bytes;
	size_t len;
};

struct gather_events {
	/* The octets of OWNER are to be handled, now. NOW_MS: wall. */
	void (*on_turn)(void *owner, const char *bytes, size_t len, int64_t now_ms);
	/* These (2 to GATHER_TOGETHER) are handled next; COUNT 0: that is over. False: it is of no use at present. */
	bool (*on_ahead)(const struct gather_octets *octets, size_t count, void *arg);
};

struct gather {
	const struct gather_events *on;
	void *arg;
	struct event *event; /* after the reads of this turn */
	unsigned reads;
	bool helps; /* at present */
	size_t count;
	struct {
		void *owner; /* NULL: gone meanwhile */
		size_t len;
		char bytes[GATHER_READ];
	} slot[GATHER_MAX];
};

/* EVENTS is borrowed. */
void gather_init(struct gather *g, struct event_base *base, const struct gather_events *events, void *arg);
void gather_fini(struct gather *g);

/* Where the next connection's octets go, GATHER_READ of them; NULL: it is to be handled at once. */
char *gather_room(struct gather *g);
/* LEN octets of OWNER stand there, until on_turn() or gather_forget(), which wants what this returns (never 0). */
size_t gather_add(struct gather *g, void *owner, size_t len);
/* The owner is going: what it sent is forgotten. */
void gather_forget(struct gather *g, size_t place);
/* Handles all that was gathered, now. */
void gather_flush(struct gather *g);

/* To be told ahead is of use, as far as it is known. */
static inline bool gather_helps(const struct gather *g)
{
	return g->helps;
}

#endif
