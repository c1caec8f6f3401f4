/*
 * maps.h - the socketmap maps by name (tlsmode-mapd(8)): one table, a row each.
 *
 * A new map is an enum map_id (metrics.h) with its name (metrics.c) and a row in maps.c; for what no map does yet, a
 * struct map_handler, too (map_handlers.h). The server calls maps_request() for every request, because main.c tells it
 * to; nothing else knows of this file.
 */
#ifndef TLSMODE_MAPD_MAPS_H
#define TLSMODE_MAPD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct netstring;

/* A client_request_fn; ARG is the struct mapd. */
void maps_request(struct client *client, const char *payload, size_t len, int64_t now_ms, void *arg);

/* A client_ahead_fn. */
bool maps_ahead(const struct netstring *requests, size_t count, void *arg);

#endif
