/*
 * http.c - see http.h: the listener. What a connection does is in http_client.c.
 */
#include "mapd/serve/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/ratelimit.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/listen.h"

#define ACCEPTS_PER_TURN 16
#define PAUSE_MS 200 /* without a free descriptor */

struct http {
	http_page_fn *fn;
	void *arg;
	char *listen;
	int fd;
	struct event *readable, *pause;
	struct http_clients *clients; /* NULL: not serving yet */
	struct ratelimit lines;
};

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

struct http *http_new(const char *listen, mode_t mode, http_page_fn *fn, void *arg, char *error, size_t size)
{
	struct listen_address address;
	struct http *h;
	int fd;

	if (!listen_parse(&address, listen, error, size))
		return NULL;
	fd = listen_open(&address, mode, "", error, size);
	if (fd < 0)
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->fn = fn;
	h->arg = arg;
	h->listen = xstrdup(listen);
	h->fd = fd;
	return h;
}

void http_serve(struct http *h, struct event_base *base)
{
	h->clients = http_clients_new(base, h->fn, h->arg);
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
