/*
 * listeners.c - see listeners.h.
 */
#include "mapd/serve/listeners.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/listen.h"
#include "base/ratelimit.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_MS 200 /* without a free descriptor */

struct listener {
	struct listeners *set;
	struct listen_address address;
	int fd;
	struct event *event;
	struct event *pause;
	dev_t dev; /* of the socket's file */
	ino_t ino;
};

struct set {
	size_t count;
	struct listener **item;
};

struct listeners {
	void (*fn)(int fd, void *arg);
	void *arg;
	struct event_base *base; /* NULL: not serving yet */
	struct set now, next;    /* next shares what it keeps of now */
	struct ratelimit lines;
};

struct listeners *listeners_new(void (*fn)(int fd, void *arg), void *arg)
{
	struct listeners *l = xcalloc(1, sizeof(*l));

	l->fn = fn;
	l->arg = arg;
	return l;
}

static const char *socket_path(const struct listener *li)
{
	return ((const struct sockaddr_un *)(const void *)&li->address.addr)->sun_path;
}

static void listener_free(struct listener *li)
{
	struct stat st;

	if (li->event)
		event_free(li->event);
	if (li->pause)
		event_free(li->pause);
	if (li->address.local && lstat(socket_path(li), &st) == 0 && st.st_dev == li->dev && st.st_ino == li->ino)
		unlink(socket_path(li)); /* fails where we may no longer write: the next start replaces it */
	close(li->fd);
	free(li);
}

static struct listener *listener_new(struct listeners *l, const struct listen_address *a, const struct conf_mapd *conf,
				     char *error, size_t size)
{
	struct listener *li;
	struct stat st;
	int fd = listen_open(a, conf->socket_mode, conf->socket_group, error, size);

	if (fd < 0)
		return NULL;
	li = xcalloc(1, sizeof(*li));
	li->set = l;
	li->address = *a;
	li->fd = fd;
	if (a->local && lstat(socket_path(li), &st) == 0) {
		li->dev = st.st_dev;
		li->ino = st.st_ino;
	}
	return li;
}

static bool set_has(const struct set *set, const struct listener *li)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->item[i] == li)
			return true;
	return false;
}

static struct listener *set_find(const struct set *set, const struct listen_address *a)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->item[i]->address.len == a->len && memcmp(&set->item[i]->address.addr, &a->addr, a->len) == 0)
			return set->item[i];
	return NULL;
}

/* Frees what stands in SET and not in KEEP. */
static void set_free(struct set *set, const struct set *keep)
{
	for (size_t i = 0; i < set->count; i++)
		if (!set_has(keep, set->item[i]))
			listener_free(set->item[i]);
	free(set->item);
	set->item = NULL;
	set->count = 0;
}

/* A kept unix socket gets the mode and group that are wanted now; nothing is touched that is right already. */
static bool adjust(const struct listener *li, const struct conf_mapd *conf, char *error, size_t size)
{
	const struct group *group = conf->socket_group[0] ? getgrnam(conf->socket_group) : NULL;
	struct stat st;

	if (!li->address.local || lstat(socket_path(li), &st) != 0)
		return true;
	if ((st.st_mode & 07777) == conf->socket_mode && (!group || st.st_gid == group->gr_gid))
		return true;
	return listen_permit(&li->address, conf->socket_mode, conf->socket_group, error, size);
}

bool listeners_prepare(struct listeners *l, const struct conf_mapd *conf, char *error, size_t size)
{
	l->next.item = xcalloc(conf->listen.count + 1, sizeof(*l->next.item));
	for (size_t i = 0; i < conf->listen.count; i++) {
		struct listen_address a;
		struct listener *li;

		memset(&a, 0, sizeof(a));
		if (!listen_parse(&a, conf->listen.item[i], error, size))
			goto fail;
		if (set_find(&l->next, &a))
			continue; /* named twice */
		li = set_find(&l->now, &a);
		if (li && !adjust(li, conf, error, size))
			goto fail;
		if (!li && !(li = listener_new(l, &a, conf, error, size)))
			goto fail;
		l->next.item[l->next.count++] = li;
	}
	return true;
fail:
	listeners_rollback(l);
	return false;
}

void listeners_rollback(struct listeners *l)
{
	set_free(&l->next, &l->now);
}

static void listeners_on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listener *li = arg;

	(void)fd;
	(void)what;
	event_add(li->event, NULL);
}

/* The queue cannot be emptied without descriptors: the loop would turn without end. */
static void listeners_take_pause(struct listener *li, int error)
{
	static const struct timeval pause = {0, PAUSE_MS * 1000};
	unsigned long suppressed;

	if (ratelimit_ok(&li->set->lines, tick_wall_ms(), &suppressed))
		log_error("event=accept_failed listener=%s reason=\"%s\" suppressed=%lu", li->address.text,
			  strerror(error), suppressed);
	event_del(li->event);
	event_add(li->pause, &pause);
}

static void listeners_on_connection(evutil_socket_t listen_fd, short what, void *arg)
{
	struct listener *li = arg;
	int on = 1;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				listeners_take_pause(li, errno);
			return;
		}
		if (!li->address.local) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		}
		li->set->fn(fd, li->set->arg);
	}
}

static void listener_serve(struct listener *li)
{
	if (li->event)
		return;
	li->event = event_new(li->set->base, li->fd, EV_READ | EV_PERSIST, listeners_on_connection, li);
	li->pause = event_new(li->set->base, -1, 0, listeners_on_pause_over, li);
	if (!li->event || !li->pause || event_add(li->event, NULL) != 0)
		abort();
}

void listeners_commit(struct listeners *l)
{
	set_free(&l->now, &l->next);
	l->now = l->next;
	l->next.item = NULL;
	l->next.count = 0;
	if (l->base)
		listeners_serve(l, l->base);
}

void listeners_serve(struct listeners *l, struct event_base *base)
{
	l->base = base;
	for (size_t i = 0; i < l->now.count; i++)
		listener_serve(l->now.item[i]);
}

void listeners_close(struct listeners *l)
{
	const struct set none = {0, NULL};

	set_free(&l->now, &none);
}

void listeners_free(struct listeners **l)
{
	if (!*l)
		return;
	listeners_close(*l);
	free(*l);
	*l = NULL;
}

size_t listeners_count(const struct listeners *l)
{
	return l->now.count;
}

const char *listeners_text(const struct listeners *l, size_t i)
{
	return l->now.item[i]->address.text;
}
