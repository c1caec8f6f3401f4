/*
 * http.h - a small HTTP server: one listener, one function that makes the pages (http_client.h). On the loop's thread.
 */
#ifndef TLSMODE_MAPD_HTTP_H
#define TLSMODE_MAPD_HTTP_H

#include <stddef.h>

#include <sys/types.h>

#include <event2/event.h>

#include "mapd/serve/http_client.h"

struct http;

/* LISTEN as in the configuration, MODE for a unix socket; pages are made by FN with ARG. NULL: ERROR is one sentence. The
 * socket is bound here and answers once http_serve() was called. */
struct http *http_new(const char *listen, mode_t mode, http_page_fn *fn, void *arg, char *error, size_t size);
void http_serve(struct http *h, struct event_base *base);
const char *http_listen(const struct http *h);
void http_free(struct http **h);

#endif
