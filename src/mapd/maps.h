/*
 * maps.h - the socketmap maps by name (tlsmode-mapd(8)): one table, a row each.
 *
 * A new map is an enum map_id (metrics.h) with its name (metrics.c) and a row in maps.c. server.c hands every
 * request to maps_request().
 */
#ifndef TLSMODE_MAPD_MAPS_H
#define TLSMODE_MAPD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/mode.h"
#include "core/nexthop.h"
#include "core/settings.h"
#include "mapd/metrics.h"
#include "mapd/server.h"

struct mapd;

struct map_query {
	const struct map_row *row;
	struct client *client;
	struct client_ask *ask; /* the client waits already; NULL: it is answered on the spot */
	const char *key;        /* borrowed, not terminated */
	size_t key_len;
	int64_t now_ms; /* wall */
};

struct map_row {
	const char *name; /* to the letter */
	enum map_id id;
	/* Answers Q with map_answer() or map_reply(), or asks for facts with map_ask_facts(). */
	void (*handle)(struct mapd *m, const struct map_query *q);
	/* Tells of the keys that the settings for Q may have (NULL: it needs none). */
	void (*names)(const struct map_query *q, settings_name_fn *fn, void *arg);
	/* Makes M->reply once the facts are there; Q->client is NULL. */
	void (*finish)(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		       const struct facts *facts);
	enum mode mode; /* policy maps */
	bool tlsrpt;
};

/* A server_request_fn; ARG is the struct mapd. */
void maps_request(struct client *client, const char *payload, size_t len, int64_t now_ms, void *arg);

/* A server_ahead_fn. */
bool maps_ahead(const struct netstring *requests, size_t count, void *arg);

/* Sends a whole netstring, which is not counted. */
void map_send(const struct map_query *q, const char *framed, size_t len);
/* Sends M->reply. */
void map_reply(struct mapd *m, const struct map_query *q);
/* Makes and sends a short reply. */
void map_answer(struct mapd *m, const struct map_query *q, enum sockmap_status status, const char *text);
void map_count(struct mapd *m, const struct map_row *row, enum sockmap_status status);

/* map_facts.c: finishes Q with the facts of NEXTHOP, at once when they are at hand or none can be had, else later. */
void map_ask_facts(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop);

/* map_early.c: True: Q waits for the settings that bear on it, which are read while the mirror is being filled. */
bool map_ask_settings(struct mapd *m, const struct map_query *q);

/* map_policy.c */
void map_policy_names(const struct map_query *q, settings_name_fn *fn, void *arg);
void map_policy(struct mapd *m, const struct map_query *q);
void map_policy_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		       const struct facts *facts);
void map_sts(struct mapd *m, const struct map_query *q);
void map_sts_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		    const struct facts *facts);
void map_refusal(struct mapd *m, const struct map_query *q);

/* map_sender.c */
void map_transport_names(const struct map_query *q, settings_name_fn *fn, void *arg);
void map_mode_names(const struct map_query *q, settings_name_fn *fn, void *arg);
void map_transport(struct mapd *m, const struct map_query *q);
void map_mode(struct mapd *m, const struct map_query *q);
/* While no settings are known: what settings.when_unknown says in their place. */
void map_sender_unknown(const struct mapd *m, struct sender_setting *s);

/* map_explain.c */
void map_explain_names(const struct map_query *q, settings_name_fn *fn, void *arg);
void map_explain(struct mapd *m, const struct map_query *q);
void map_explain_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
			const struct facts *facts);

/* status.c */
void map_status(struct mapd *m, const struct map_query *q);

#endif
