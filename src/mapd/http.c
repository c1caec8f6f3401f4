/*
 * http.c - see http.h: the listener and the pages. What a connection does is in http_client.c.
 */
#include "mapd/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/listen.h"
#include "mapd/http_client.h"
#include "mapd/mapd.h"
#include "mapd/status.h"

#define ACCEPTS_PER_TURN 16
#define PAUSE_MS 200 /* without a free descriptor */

struct http {
	struct mapd *mapd;
	char *listen;
	int fd;
	struct event *readable, *pause;
	struct http_clients *clients; /* NULL: not serving yet */
	struct ratelimit lines;
};

/* ---- pages ---- */

static void show_metrics(struct mapd *m, struct http_answer *out)
{
	metrics_gather(m);
	metrics_format(&m->metrics, out->body);
	out->type = "text/plain; version=0.0.4; charset=utf-8";
}

static void show_health(struct mapd *m, struct http_answer *out)
{
	(void)m;
	evbuffer_add_printf(out->body, "ok\n");
}

static void show_ready(struct mapd *m, struct http_answer *out)
{
	const char *reason = status_not_ready(m);

	out->code = reason ? 503 : 200;
	evbuffer_add_printf(out->body, "%s\n", reason ? reason : "ready");
}

static const struct {
	const char *path;
	void (*show)(struct mapd *m, struct http_answer *out);
} pages[] = {{"/metrics", show_metrics}, {"/healthz", show_health}, {"/readyz", show_ready}};

static void show_page(const char *path, struct http_answer *out, void *arg)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0) {
			pages[i].show(arg, out);
			return;
		}
	out->code = 404;
	evbuffer_add_printf(out->body, "there are /metrics, /healthz and /readyz\n");
}

/* ---- the listener ---- */

static void http_on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	(void)fd;
	(void)what;
	event_add(h->readable, NULL);
}

/* The queue cannot be emptied without descriptors: the loop would turn without end. */
static void http_take_pause(struct http *h, int error)
{
	static const struct timeval pause = {0, PAUSE_MS * 1000};
	unsigned long suppressed;

	if (ratelimit_ok(&h->lines, tick_mono_ms(), &suppressed))
		log_error("event=accept_failed listener=%s reason=\"%s\" suppressed=%lu", h->listen, strerror(error),
			  suppressed);
	event_del(h->readable);
	event_add(h->pause, &pause);
}

static void http_on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	struct http *h = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			http_clients_add(h->clients, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			http_take_pause(h, errno);
		return;
	}
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
	h->clients = http_clients_new(base, show_page, h->mapd);
	h->readable = event_new(base, h->fd, EV_READ | EV_PERSIST, http_on_connection, h);
	h->pause = evtimer_new(base, http_on_pause_over, h);
	if (!h->readable || !h->pause || event_add(h->readable, NULL) != 0)
		abort();
}

const char *http_listen(const struct http *h)
{
	return h->listen;
}

void http_free(struct http **h)
{
	if (!*h)
		return;
	if ((*h)->readable)
		event_free((*h)->readable);
	if ((*h)->pause)
		event_free((*h)->pause);
	http_clients_free(&(*h)->clients);
	close((*h)->fd);
	free((*h)->listen);
	free(*h);
	*h = NULL;
}
