/*
 * map.h - what every socketmap map stands on: a question, what a map does with it, and the ways to answer it.
 *
 * The maps by name are in maps.c; what each of them does, in map_*.c, of which nothing calls maps.c. One thread.
 */
#ifndef TLSMODE_MAPD_MAP_H
#define TLSMODE_MAPD_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/mode.h"
#include "core/nexthop.h"
#include "core/settings.h"
#include "core/sockmap.h"
#include "mapd/metrics.h"

struct client;
struct client_ask;
struct mapd;
struct map_row;

struct map_query {
	const struct map_row *row;
	struct client *client;  /* whose request is being handled; NULL: it has waited */
	struct client_ask *ask; /* its place in the order of answers, once it has waited */
	const char *key;        /* borrowed, not terminated */
	size_t key_len;
	int64_t now_ms;       /* wall */
	struct settings *own; /* read for this question alone (map_early.h), or NULL; who waits takes them along */
	uint32_t heard;       /* changes announced when they were (mirror_heard()) */
	bool again;           /* they were read once more: it waited too long with the first */
};

/* What a map does. */
struct map_handler {
	/* Answers Q with map_answer(), map_reply() or map_send(), or asks for facts (map_facts.h). */
	void (*handle)(struct mapd *m, struct map_query *q);
	/* Tells of the keys that the settings for Q may have (NULL: it needs none). */
	void (*names)(const struct map_query *q, settings_name_fn *fn, void *arg);
	/* Makes M->reply once the facts are there (NULL: it asks for none). */
	void (*finish)(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		       const struct facts *facts);
};

struct map_row {
	const char *name; /* to the letter */
	size_t len;
	enum map_id id;
	const struct map_handler *handler;
	enum mode mode; /* policy maps */
	bool tlsrpt;
};

/* ---- answers: each question is answered once ---- */

/* Sends M->reply, and counts it. */
void map_reply(struct mapd *m, const struct map_query *q);
/* Makes and sends a short reply. */
void map_answer(struct mapd *m, const struct map_query *q, enum sockmap_status status, const char *text);
/* Sends a whole netstring; map_count() says what it was. */
void map_send(const struct map_query *q, const char *framed, size_t len);
void map_count(struct mapd *m, const struct map_row *row, enum sockmap_status status);

/* Q as its keeper has it until it is answered: with its place in the order of answers, its key copied to KEY (room for
 * key_len octets), and its own settings, which Q has no longer. ABANDON(WORK) is called instead when its client is gone
 * before that. */
struct map_query map_wait(struct map_query *q, char *key, void (*abandon)(void *work), void *work);

#endif
