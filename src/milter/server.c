/*
 * server.c - libmilter as a server. libmilter binds by itself and ends only by cutting its sessions; both are put right
 * here.
 *
 * libmilter's own signal thread takes HUP, INT and TERM only when no other thread does; the main thread, which the
 * kernel prefers, handles them (main.c).
 */
#include "milter/server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "base/log.h"
#include "io/listen.h"

#define BACKLOG 1024 /* libmilter's own is so short that a burst of connections at start would be refused */

static struct listen_address address;
static int listener = -1; /* libmilter's */
static int ended = -1;

/* libmilter's form: "inet:PORT@[ADDRESS]", "inet6:PORT@[ADDRESS]", "unix:/path" */
static void libmilter_form(char *out, size_t size, const struct listen_address *a)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&a->addr;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&a->addr;
	char host[INET6_ADDRSTRLEN];

	if (a->local) {
		snprintf(out, size, "%s", a->text);
	} else if (a->addr.ss_family == AF_INET) {
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		snprintf(out, size, "inet:%u@[%s]", ntohs(sin->sin_port), host);
	} else {
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		snprintf(out, size, "inet6:%u@[%s]", ntohs(sin6->sin6_port), host);
	}
}

static bool is_listener(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

bool server_open(const struct conf_milter *conf, char *error, size_t size)
{
	char form[200];
	mode_t mask;
	int free_fd, result;

	if (!listen_parse(&address, conf->listen, error, size) || !listen_prepare(&address, error, size))
		return false;
	libmilter_form(form, sizeof(form), &address);
	/* one thread as yet: libmilter's socket gets the lowest free number, which it does not tell */
	free_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (free_fd >= 0)
		close(free_fd);
	errno = 0;
	mask = umask(0777);
	result = smfi_setconn(form) == MI_SUCCESS && smfi_setbacklog(BACKLOG) == MI_SUCCESS &&
		 smfi_opensocket(false) == MI_SUCCESS;
	umask(mask);
	if (!result || !is_listener(free_fd)) {
		snprintf(error, size, "%s: cannot listen: %s", conf->listen,
			 errno != 0 ? strerror(errno) : "libmilter refused");
		return false;
	}
	listener = free_fd;
	return listen_permit(&address, conf->socket_mode, conf->socket_group, error, size);
}

static void *run(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	smfi_main();
	if (write(ended, &one, sizeof(one)) < 0)
		log_error("event=stopped status=failed reason=\"cannot tell the main thread\"");
	return NULL;
}

int server_start(void)
{
	pthread_t thread;

	ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ended < 0 || pthread_create(&thread, NULL, run, NULL) != 0)
		return -1;
	pthread_detach(thread);
	return ended;
}

/* libmilter goes on to poll the number of its listener; behind it stands a socket now that nobody can reach.
 * Connections that come to the old one while it is still polled are reset at once. */
void server_close(void)
{
	struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (address.local)
		unlink(((const struct sockaddr_un *)&address.addr)->sun_path);
	/* autobind: a name that the kernel invents */
	if (fd >= 0 && bind(fd, (const struct sockaddr *)&nowhere, sizeof(nowhere.sun_family)) == 0 &&
	    listen(fd, 1) == 0)
		dup3(fd, listener, O_CLOEXEC);
	if (fd >= 0)
		close(fd);
}
