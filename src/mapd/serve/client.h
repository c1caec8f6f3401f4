/*
 * client.h - one connection as those see it who answer its requests: on the spot (client_answer) or later (client_wait,
 * client_ask_answer). What it is to the server is in client_life.h.
 *
 * A request that waits holds back only the answers of its own connection. Called by map.c and maps.c; one thread.
 */
#ifndef TLSMODE_MAPD_CLIENT_H
#define TLSMODE_MAPD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/netstring.h"

struct client;
struct client_ask; /* a request that is not answered yet */

/* One request. PAYLOAD is borrowed for the call. NOW_MS is the wall clock at the start of the loop's turn. */
typedef void client_request_fn(struct client *c, const char *payload, size_t len, int64_t now_ms, void *arg);

/* Whole requests that are handled next, 2 to CLIENT_TOGETHER: they may be looked at, not answered. COUNT 0: that is
 * over. False: it is of no use at present. */
#define CLIENT_TOGETHER 16
typedef bool client_ahead_fn(const struct netstring *requests, size_t count, void *arg);

/* Answers the request being handled with REPLY, a whole netstring (copied). Only from within the request function. */
void client_answer(struct client *c, const char *reply, size_t len);

/* The request being handled is answered later. ABANDON(WORK) is called instead when its client is gone before that. */
struct client_ask *client_wait(struct client *c, void (*abandon)(void *work), void *work);
/* A waits for something else now: ABANDON(WORK) instead of what client_wait() was given. */
void client_ask_wait_on(struct client_ask *a, void (*abandon)(void *work), void *work);
/* Ends A; from outside the request function. */
void client_ask_answer(struct client_ask *a, const char *reply, size_t len);

/* The request being handled is none: its connection is closed after the answers before it, and REASON is logged. */
void client_reject(struct client *c, const char *reason);

#endif
