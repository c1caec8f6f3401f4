/*
 * listen.h - listening sockets from their configured form: "unix:/path" with mode and group, "inet:127.0.0.1:8461".
 */
#ifndef TLSMODE_IO_LISTEN_H
#define TLSMODE_IO_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* One octet less than the kernel takes: libmilter's own limit, so that one rule serves both daemons. */
#define LISTEN_PATH_MAX 106

struct listen_address {
	struct sockaddr_storage addr;
	socklen_t len;
	bool local;     /* a unix socket */
	char text[128]; /* as configured */
};

/* Parses TEXT ("unix:/path" or "inet:ADDRESS:PORT", IPv6 in brackets; IP addresses only). False: ERROR says why. Pure.
 */
bool listen_parse(struct listen_address *out, const char *text, char *error, size_t size);

/* Binds and listens, non-blocking and close-on-exec. A unix socket replaces a stale one (nobody answers there) and
 * never a live one or a file; it is made under umask so that nobody can connect before MODE and GROUP ("" none) are
 * set. -1: ERROR is one sentence that names the address. */
int listen_open(const struct listen_address *a, mode_t mode, const char *group, char *error, size_t size);

/* The two halves of it around a bind() that somebody else makes (libmilter): what is stale goes away and nobody is
 * there; then the socket made under umask 0777 gets its mode and group. Both do nothing for TCP, except that a port in
 * use is found. False: ERROR as above. */
bool listen_prepare(const struct listen_address *a, char *error, size_t size);
bool listen_permit(const struct listen_address *a, mode_t mode, const char *group, char *error, size_t size);

/* Connects to such an address, blocking, for the control tool. -1: ERROR. */
int listen_connect(const struct listen_address *a, unsigned timeout_s, char *error, size_t size);

#endif
