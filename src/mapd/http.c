/*
 * http.c - see http.h.
 */
#include "mapd/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "base/xalloc.h"
#include "io/listen.h"
#include "mapd/mapd.h"
#include "mapd/status.h"

#define TIMEOUT_S 10
#define HEADERS_MAX 8192

struct http {
	struct mapd *mapd;
	char *listen;
	int fd;
	struct evhttp *evhttp;
};

static void answer(struct evhttp_request *request, int code, const char *type, struct evbuffer *body)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	evhttp_send_reply(request, code, NULL, body);
	evbuffer_free(body);
}

static void answer_text(struct evhttp_request *request, int code, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	evbuffer_add_printf(body, "%s\n", text);
	answer(request, code, "text/plain; charset=utf-8", body);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	struct mapd *m = arg;
	struct evbuffer *body = evbuffer_new();

	metrics_gather(m);
	metrics_format(&m->metrics, body);
	answer(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body);
}

static void on_healthz(struct evhttp_request *request, void *arg)
{
	(void)arg;
	answer_text(request, HTTP_OK, "ok");
}

static void on_readyz(struct evhttp_request *request, void *arg)
{
	const char *reason = status_not_ready(arg);

	answer_text(request, reason ? HTTP_SERVUNAVAIL : HTTP_OK, reason ? reason : "ready");
}

static void on_other(struct evhttp_request *request, void *arg)
{
	(void)arg;
	answer_text(request, HTTP_NOTFOUND, "there are /metrics, /healthz and /readyz");
}

struct http *http_new(struct mapd *m, const char *listen, char *error, size_t size)
{
	struct listen_address address;
	struct http *h;
	int fd;

	if (!listen_parse(&address, listen, error, size))
		return NULL;
	fd = listen_open(&address, m->conf->mapd.socket_mode, "", error, size);
	if (fd < 0)
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->mapd = m;
	h->listen = xstrdup(listen);
	h->fd = fd;
	return h;
}

void http_serve(struct http *h, struct event_base *base)
{
	h->evhttp = evhttp_new(base);
	if (!h->evhttp)
		abort();
	evhttp_set_timeout(h->evhttp, TIMEOUT_S);
	evhttp_set_max_headers_size(h->evhttp, HEADERS_MAX);
	evhttp_set_max_body_size(h->evhttp, 0);
	evhttp_set_allowed_methods(h->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(h->evhttp, "/metrics", on_metrics, h->mapd);
	evhttp_set_cb(h->evhttp, "/healthz", on_healthz, h->mapd);
	evhttp_set_cb(h->evhttp, "/readyz", on_readyz, h->mapd);
	evhttp_set_gencb(h->evhttp, on_other, NULL);
	if (evhttp_accept_socket(h->evhttp, h->fd) != 0)
		abort();
	h->fd = -1; /* evhttp's */
}

const char *http_listen(const struct http *h)
{
	return h->listen;
}

void http_free(struct http **h)
{
	if (!*h)
		return;
	if ((*h)->evhttp)
		evhttp_free((*h)->evhttp);
	if ((*h)->fd >= 0)
		close((*h)->fd);
	free((*h)->listen);
	free(*h);
	*h = NULL;
}
