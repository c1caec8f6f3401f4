/*
 * listen.c - listening sockets from their configured form, and the way to connect to one.
 *
 * Called by mapd (socketmap, metrics), the milter (around libmilter's own bind) and the control tool. No names are
 * looked up.
 */
#include "io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"

#define BACKLOG 1024

/* ---- the form ---- */

static bool listen_complain(char *error, size_t size, const char *text, const char *reason)
{
	char quoted[160];

	snprintf(error, size, "%s %s", log_quote(quoted, sizeof(quoted), text, strlen(text)), reason);
	return false;
}

static bool parse_unix(struct listen_address *out, const char *path)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)&out->addr;

	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, strlen(path) + 1);
	out->len = sizeof(*sun);
	out->local = true;
	return true;
}

/* 1 to 65535, digits only; 0: it is none */
static unsigned parse_port(const char *text)
{
	size_t len = strlen(text);
	unsigned long port;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return 0;
	port = strtoul(text, NULL, 10);
	return port <= 65535 ? (unsigned)port : 0;
}

/* ADDRESS ":" PORT / "[" ADDRESS6 "]" ":" PORT */
static bool parse_inet(struct listen_address *out, const char *text)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&out->addr;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&out->addr;
	char host[INET6_ADDRSTRLEN + 1];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	unsigned port = colon ? parse_port(colon + 1) : 0;
	bool six = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (six) {
		text++;
		len -= 2;
	}
	if (port == 0 || len == 0 || len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (six) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons((uint16_t)port);
		out->len = sizeof(*sin6);
		return inet_pton(AF_INET6, host, &sin6->sin6_addr) == 1;
	}
	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)port);
	out->len = sizeof(*sin);
	return inet_pton(AF_INET, host, &sin->sin_addr) == 1;
}

bool listen_parse(struct listen_address *out, const char *text, char *error, size_t size)
{
	memset(out, 0, sizeof(*out));
	if (strncmp(text, "unix:", 5) == 0) {
		if (text[5] != '/')
			return listen_complain(error, size, text, "must have an absolute path after \"unix:\"");
		if (strlen(text + 5) > LISTEN_PATH_MAX) {
			snprintf(error, size,
				 "the socket path \"%.40s...\" is too long: %zu octets, at most %d are possible; "
				 "choose a shorter one",
				 text + 5, strlen(text + 5), LISTEN_PATH_MAX);
			return false;
		}
		snprintf(out->text, sizeof(out->text), "%s", text);
		return parse_unix(out, text + 5);
	}
	if (strncmp(text, "inet:", 5) != 0)
		return listen_complain(error, size, text, "is neither \"unix:/path\" nor \"inet:ADDRESS:PORT\"");
	if (strlen(text) >= sizeof(out->text) || !parse_inet(out, text + 5))
		return listen_complain(error, size, text,
				       "must have an IP address and a port such as \"inet:127.0.0.1:8461\" or "
				       "\"inet:[::1]:8461\" (host names are not looked up)");
	snprintf(out->text, sizeof(out->text), "%s", text);
	return true;
}

/* ---- opening ---- */

static bool listen_system_error(char *error, size_t size, const struct listen_address *a, const char *what)
{
	if (errno == EADDRINUSE)
		snprintf(error, size, "%s: another process listens there already", a->text);
	else
		snprintf(error, size, "%s: %s: %s", a->text, what, strerror(errno));
	return false;
}

static const char *path_of(const struct listen_address *a)
{
	return ((const struct sockaddr_un *)&a->addr)->sun_path;
}

static int new_socket(const struct listen_address *a, int flags)
{
	int one = 1;
	int fd = socket(a->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd >= 0 && !a->local)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && a->addr.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return fd;
}

/* Nobody answers at a stale socket; a full backlog or a missing permission is somebody. */
static bool is_live(const struct listen_address *a)
{
	int fd = new_socket(a, SOCK_NONBLOCK);
	bool live = fd < 0 || connect(fd, (const struct sockaddr *)&a->addr, a->len) == 0 || errno != ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return live;
}

static bool remove_stale(const struct listen_address *a, char *error, size_t size)
{
	struct stat st;

	if (lstat(path_of(a), &st) != 0)
		return errno == ENOENT || listen_system_error(error, size, a, "cannot look at the path");
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(error, size, "%s: the path exists and is not a socket; remove it or choose another one",
			 a->text);
		return false;
	}
	if (is_live(a)) {
		errno = EADDRINUSE;
		return listen_system_error(error, size, a, "");
	}
	return unlink(path_of(a)) == 0 || errno == ENOENT ||
	       listen_system_error(error, size, a, "cannot remove the stale socket");
}

static int bind_and_listen(const struct listen_address *a, char *error, size_t size)
{
	mode_t mask = umask(0777);
	int fd = new_socket(a, SOCK_NONBLOCK);
	bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&a->addr, a->len) == 0 && listen(fd, BACKLOG) == 0;

	if (!ok)
		listen_system_error(error, size, a, "cannot listen");
	umask(mask);
	if (!ok && fd >= 0)
		close(fd);
	return ok ? fd : -1;
}

bool listen_prepare(const struct listen_address *a, char *error, size_t size)
{
	int fd;

	if (a->local)
		return remove_stale(a, error, size);
	fd = bind_and_listen(a, error, size);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool listen_permit(const struct listen_address *a, mode_t mode, const char *group, char *error, size_t size)
{
	struct group *g = NULL;

	if (!a->local)
		return true;
	if (*group != '\0' && !(g = getgrnam(group))) {
		snprintf(error, size, "%s: no such group: %s", a->text, group);
		return false;
	}
	if (g && lchown(path_of(a), (uid_t)-1, g->gr_gid) != 0) {
		snprintf(error, size,
			 "%s: cannot give the socket to group %s: %s (start as root, or be a member of it)", a->text,
			 group, strerror(errno));
		return false;
	}
	/* whoever owns the directory must not lead us to another file */
	return fchmodat(AT_FDCWD, path_of(a), mode, AT_SYMLINK_NOFOLLOW) == 0 ||
	       listen_system_error(error, size, a, "cannot set the permissions");
}

int listen_open(const struct listen_address *a, mode_t mode, const char *group, char *error, size_t size)
{
	int fd;

	if (a->local && !remove_stale(a, error, size))
		return -1;
	fd = bind_and_listen(a, error, size);
	if (fd < 0 || listen_permit(a, mode, group, error, size))
		return fd;
	close(fd);
	if (a->local)
		unlink(path_of(a));
	return -1;
}

/* ---- connecting ---- */

static bool wait_connected(int fd, unsigned timeout_s)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int64_t deadline = tick_mono_ms() + (int64_t)timeout_s * 1000;
	socklen_t len = sizeof(int);
	int n, soerr = 0;

	do {
		int64_t left = deadline - tick_mono_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		return false;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &len);
	errno = soerr;
	return soerr == 0;
}

int listen_connect(const struct listen_address *a, unsigned timeout_s, char *error, size_t size)
{
	struct timeval tv = {.tv_sec = (time_t)timeout_s};
	int one = 1;
	int fd = new_socket(a, SOCK_NONBLOCK);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)&a->addr, a->len) != 0 &&
		       (errno != EINPROGRESS || !wait_connected(fd, timeout_s)))) {
		listen_system_error(error, size, a, "cannot connect");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (!a->local)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}
