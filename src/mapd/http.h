/*
 * http.h - the small HTTP server of metrics.listen: /metrics, /healthz, /readyz. On the same loop.
 */
#ifndef TLSMODE_MAPD_HTTP_H
#define TLSMODE_MAPD_HTTP_H

#include <stddef.h>

#include <event2/event.h>

struct mapd;
struct http;

/* LISTEN as in the configuration. NULL: ERROR is one sentence. The socket is bound here and answers once http_serve()
 * was called. */
struct http *http_new(struct mapd *m, const char *listen, char *error, size_t size);
void http_serve(struct http *h, struct event_base *base);
const char *http_listen(const struct http *h);
void http_free(struct http **h);

#endif
