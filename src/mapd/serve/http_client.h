/*
 * http_client.h - the connections of the small HTTP server (http.c): one request each, GET or HEAD, and its answer.
 *
 * At most HTTP_CLIENTS_MAX at once: for one more the oldest is closed, so that connections that say nothing keep
 * nobody from the metrics, and no descriptors from Postfix. Each has HTTP_LIMIT_S from its beginning to its end, and a
 * request of HTTP_REQUEST_MAX octets. Plain events on the loop's thread.
 */
#ifndef TLSMODE_MAPD_HTTP_CLIENT_H
#define TLSMODE_MAPD_HTTP_CLIENT_H

#include <event2/buffer.h>
#include <event2/event.h>

#define HTTP_CLIENTS_MAX 64
#define HTTP_LIMIT_S 10
#define HTTP_REQUEST_MAX 8192

struct http_answer {
	int code;
	const char *type;      /* of the body */
	struct evbuffer *body; /* empty at first */
};
/* Fills OUT for PATH (without its query). */
typedef void http_page_fn(const char *path, struct http_answer *out, void *arg);

struct http_clients;
struct http_clients *http_clients_new(struct event_base *base, http_page_fn *fn, void *arg);
void http_clients_free(struct http_clients **h);       /* closes all at once */
void http_clients_add(struct http_clients *h, int fd); /* takes a connected socket that does not block */

#endif
