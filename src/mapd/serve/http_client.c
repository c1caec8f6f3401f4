/*
 * http_client.c - see http_client.h. RFC 9112; every answer ends its connection.
 */
#include "mapd/serve/http_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/xalloc.h"

struct http_client {
	TAILQ_ENTRY(http_client) link;
	struct http_clients *all;
	int fd;
	struct event *readable, *writable, *limit;
	char in[HTTP_REQUEST_MAX + 1];
	size_t len;
	struct evbuffer *out;
};

struct http_clients {
	struct event_base *base;
	http_page_fn *fn;
	void *arg;
	TAILQ_HEAD(, http_client) list; /* the oldest first */
	size_t count;
};

static void client_free(struct http_client *c)
{
	TAILQ_REMOVE(&c->all->list, c, link);
	c->all->count--;
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->limit);
	evbuffer_free(c->out);
	close(c->fd);
	free(c);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_free(arg);
}

/* ---- answers ---- */

static void http_client_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	int n = evbuffer_write(c->out, fd);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || evbuffer_get_length(c->out) == 0)
		client_free(c);
}

static const char *phrase(int code)
{
	static const struct {
		int code;
		const char *phrase;
	} phrases[] = {{200, "OK"},
		       {400, "Bad Request"},
		       {404, "Not Found"},
		       {405, "Method Not Allowed"},
		       {431, "Request Header Fields Too Large"},
		       {503, "Service Unavailable"}};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].code == code)
			return phrases[i].phrase;
	return "";
}

/* HEAD: the same without the body. */
static void answer(struct http_client *c, const struct http_answer *a, bool head)
{
	evbuffer_add_printf(
	    c->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n", a->code,
	    phrase(a->code), a->type, evbuffer_get_length(a->body), a->code == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!head)
		evbuffer_add_buffer(c->out, a->body);
	event_del(c->readable);
	event_add(c->writable, NULL);
}

static void refuse(struct http_client *c, int code)
{
	struct http_answer a = {code, "text/plain; charset=utf-8", evbuffer_new()};

	evbuffer_add_printf(a.body, "%s\n", phrase(code));
	answer(c, &a, false);
	evbuffer_free(a.body);
}

static void show(struct http_client *c, char *path, bool head)
{
	struct http_answer a = {200, "text/plain; charset=utf-8", evbuffer_new()};

	path[strcspn(path, "?")] = '\0';
	c->all->fn(path, &a, c->all->arg);
	answer(c, &a, head);
	evbuffer_free(a.body);
}

/* ---- requests ---- */

/* "GET /metrics HTTP/1.1"; header fields do not matter. */
static void handle(struct http_client *c)
{
	char *method = c->in, *path, *version;

	c->in[strcspn(c->in, "\r\n")] = '\0';
	path = strchr(method, ' ');
	version = path ? strchr(path + 1, ' ') : NULL;
	if (!version || strncmp(version + 1, "HTTP/1.", 7) != 0) {
		refuse(c, 400);
		return;
	}
	*path++ = *version = '\0';
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		show(c, path, method[0] == 'H');
	else
		refuse(c, 405);
}

static void http_client_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct http_client *c = arg;
	ssize_t n = recv(fd, c->in + c->len, HTTP_REQUEST_MAX - c->len, 0);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(c);
		return;
	}
	c->len += (size_t)n;
	c->in[c->len] = '\0';
	if (memchr(c->in, '\0', c->len))
		refuse(c, 400);
	else if (strstr(c->in, "\r\n\r\n") || strstr(c->in, "\n\n"))
		handle(c);
	else if (c->len == HTTP_REQUEST_MAX)
		refuse(c, 431);
}

/* ---- connections ---- */

void http_clients_add(struct http_clients *h, int fd)
{
	static const struct timeval limit = {HTTP_LIMIT_S, 0};
	struct http_client *c = xcalloc(1, sizeof(*c));

	if (h->count == HTTP_CLIENTS_MAX)
		client_free(TAILQ_FIRST(&h->list));
	c->all = h;
	c->fd = fd;
	c->out = evbuffer_new();
	c->readable = event_new(h->base, fd, EV_READ | EV_PERSIST, http_client_on_readable, c);
	c->writable = event_new(h->base, fd, EV_WRITE | EV_PERSIST, http_client_on_writable, c);
	c->limit = evtimer_new(h->base, on_limit, c);
	if (!c->out || !c->readable || !c->writable || !c->limit)
		abort();
	TAILQ_INSERT_TAIL(&h->list, c, link);
	h->count++;
	event_add(c->readable, NULL);
	event_add(c->limit, &limit);
}

struct http_clients *http_clients_new(struct event_base *base, http_page_fn *fn, void *arg)
{
	struct http_clients *h = xcalloc(1, sizeof(*h));

	h->base = base;
	h->fn = fn;
	h->arg = arg;
	TAILQ_INIT(&h->list);
	return h;
}

void http_clients_free(struct http_clients **h)
{
	struct http_client *c;

	if (!*h)
		return;
	while ((c = TAILQ_FIRST(&(*h)->list)))
		client_free(c);
	free(*h);
	*h = NULL;
}
