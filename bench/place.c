/*
 * place.c - see place.h.
 */
#include "place.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
};

void die(const char *what)
{
	perror(what);
	exit(1);
}

static socklen_t read_place(const char *place, union address *a)
{
	const char *colon = strrchr(place, ':');
	char host[64];

	memset(a, 0, sizeof(*a));
	if (place[0] == '/') {
		a->un.sun_family = AF_UNIX;
		snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s", place);
		return sizeof(a->un);
	}
	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - place) : 0, place);
	a->in.sin_family = AF_INET;
	a->in.sin_port = colon ? htons((uint16_t)atoi(colon + 1)) : 0;
	if (inet_pton(AF_INET, host, &a->in.sin_addr) != 1) {
		fprintf(stderr, "%s: neither a path nor ADDRESS:PORT\n", place);
		exit(64);
	}
	return sizeof(a->in);
}

static int open_socket(const union address *a)
{
	int on = 1, fd = socket(a->any.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	if (a->any.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int place_connect(const char *place)
{
	union address a;
	socklen_t len = read_place(place, &a);
	int fd = open_socket(&a);

	if (connect(fd, &a.any, len) != 0)
		die(place);
	return fd;
}

int place_listen(const char *place)
{
	union address a;
	socklen_t len = read_place(place, &a);
	int on = 1, fd = open_socket(&a);

	if (a.any.sa_family == AF_UNIX)
		unlink(place);
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a.any, len) != 0 || listen(fd, BACKLOG) != 0)
		die(place);
	return fd;
}
