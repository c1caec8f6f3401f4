/*
 * http.c - see http.h.
 */
#include "mapd/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/listen.h"
#include "mapd/mapd.h"
#include "mapd/status.h"

#define TIMEOUT_S 10
#define HEADERS_MAX 8192
#define PAUSE_MS 200 /* without a free descriptor */

struct http {
	struct http *next;
	struct mapd *mapd;
	char *listen;
	int fd;
	struct evhttp *evhttp;
	struct evconnlistener *listener; /* evhttp's */
	struct event *pause;
	struct ratelimit lines;
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

/* ---- the listener ---- */

static struct http *all; /* that listen: libevent hands an argument of its own to on_accept_failed() */

static struct http **place_of(const struct evconnlistener *listener)
{
	struct http **at = &all;

	while (*at && (*at)->listener != listener)
		at = &(*at)->next;
	return at;
}

/* The queue cannot be emptied without descriptors: libevent would turn without end, with a line each time. */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = {0, PAUSE_MS * 1000};
	unsigned long suppressed;
	struct http *h = *place_of(listener);
	int error = errno;

	(void)arg;
	if (ratelimit_ok(&h->lines, tick_mono_ms(), &suppressed))
		log_error("event=accept_failed listener=%s reason=\"%s\" suppressed=%lu", h->listen, strerror(error),
			  suppressed);
	evconnlistener_disable(listener);
	event_add(h->pause, &pause);
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(h->listener);
}

static void listen_with(struct http *h, struct event_base *base)
{
	struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(h->evhttp, h->fd);

	h->pause = evtimer_new(base, on_pause_over, h);
	if (!bound || !h->pause)
		abort();
	h->fd = -1; /* evhttp's */
	h->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(h->listener, on_accept_failed);
	h->next = all;
	all = h;
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
	listen_with(h, base);
}

const char *http_listen(const struct http *h)
{
	return h->listen;
}

void http_free(struct http **h)
{
	if (!*h)
		return;
	if ((*h)->listener)
		*place_of((*h)->listener) = (*h)->next;
	if ((*h)->pause)
		event_free((*h)->pause);
	if ((*h)->evhttp)
		evhttp_free((*h)->evhttp);
	if ((*h)->fd >= 0)
		close((*h)->fd);
	free((*h)->listen);
	free(*h);
	*h = NULL;
}
