/*
 * probe_sockets.c - the sockets of the daemons, opened as Postfix's services open them (probe.h).
 *
 * A socketmap is asked for its status; a milter is greeted (SMFIC_OPTNEG) and left (SMFIC_QUIT).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/tick.h"
#include "ctl/probe.h"

#define DEADLINE_MS 10000

struct attempt {
	enum socket_state state;
	char why[DOCTOR_WHY_SIZE];
	char settings[24];
};

static void fail(struct attempt *a, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		a->state = SOCKET_MISSING;
		return;
	case EACCES:
	case EPERM:
		a->state = SOCKET_DENIED;
		break;
	case ECONNREFUSED:
		a->state = SOCKET_REFUSED;
		return;
	default:
		a->state = SOCKET_SILENT;
	}
	snprintf(a->why, sizeof(a->why), "%s", strerror(error));
}

static int connect_local(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENOENT;
		return -1;
	}
	strcpy(address.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return -1;
}

/* text = host ":" port, or a milter's port "@" host */
static bool split_inet(const char *text, char host[256], char port[32])
{
	const char *at = strchr(text, '@'), *colon = strrchr(text, ':');

	if (at) {
		snprintf(port, 32, "%.*s", (int)(at - text), text);
		snprintf(host, 256, "%s", at + 1);
		return true;
	}
	if (!colon)
		return false;
	snprintf(host, 256, "%.*s", (int)(colon - text), text);
	snprintf(port, 32, "%.31s", colon + 1);
	if (host[0] == '[' && strlen(host) > 2) {
		memmove(host, host + 1, strlen(host));
		host[strlen(host) - 1] = '\0';
	}
	return true;
}

static int connect_inet(const char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *a;
	char host[256], port[32];
	int fd = -1, error = EHOSTUNREACH;

	if (!split_inet(text, host, port) || getaddrinfo(host, port, &hints, &list) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	for (a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			error = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	errno = error;
	return fd;
}

static int connect_endpoint(const char *endpoint)
{
	const char *rest = strchr(endpoint, ':');

	if (!rest) {
		errno = ENOENT;
		return -1;
	}
	return strncmp(endpoint, "inet", 4) == 0 ? connect_inet(rest + 1) : connect_local(rest + 1);
}

/* Sends REQUEST and reads until ENOUGH says so, or the end, or the deadline. */
static size_t converse(int fd, const void *request, size_t len, char *answer, size_t room,
		       bool (*enough)(const char *answer, size_t len))
{
	struct pollfd p = {fd, POLLIN, 0};
	int64_t until = tick_mono_ms() + DEADLINE_MS;
	size_t have = 0;

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return 0;
	while (have < room && !enough(answer, have)) {
		int64_t left = until - tick_mono_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			break;
		n = read(fd, answer + have, room - have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

static bool is_netstring(const char *answer, size_t len)
{
	const char *colon = memchr(answer, ':', len);
	unsigned long size = colon ? strtoul(answer, NULL, 10) : 0;

	return colon && len >= (size_t)(colon - answer) + size + 2;
}

/* answer = length ":OK " JSON "," */
static void read_status(struct attempt *a, char *answer)
{
	const char *json = strchr(answer, '{');
	json_t *root = json ? json_loads(json, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
	const char *program = json_string_value(json_object_get(root, "program"));
	const char *state = json_string_value(json_object_get(json_object_get(root, "settings"), "state"));

	a->state = SOCKET_STRANGER;
	if (program && strcmp(program, "tlsmode-mapd") == 0) {
		a->state = SOCKET_ANSWERS;
		snprintf(a->settings, sizeof(a->settings), "%s", state ? state : "");
	}
	json_decref(root);
}

static void ask_map(struct attempt *a, int fd)
{
	static const char request[] = "10:status all,";
	static char answer[200000];
	size_t len = converse(fd, request, sizeof(request) - 1, answer, sizeof(answer) - 1, is_netstring);

	answer[len] = '\0';
	if (len == 0)
		a->state = SOCKET_SILENT;
	else
		read_status(a, answer);
}

/* packet = length(4) command(1) data */
static bool is_packet(const char *answer, size_t len)
{
	uint32_t size;

	if (len < 5)
		return false;
	memcpy(&size, answer, 4);
	return len >= 4 + (size_t)ntohl(size);
}

static void ask_milter(struct attempt *a, int fd)
{
	static const unsigned char greeting[] = {0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0x1f, 0xff, 0xff};
	static const unsigned char quit[] = {0, 0, 0, 1, 'Q'};
	char answer[512];
	size_t len = converse(fd, greeting, sizeof(greeting), answer, sizeof(answer), is_packet);

	if (len == 0)
		a->state = SOCKET_SILENT;
	else
		a->state = is_packet(answer, len) && answer[4] == 'O' ? SOCKET_ANSWERS : SOCKET_STRANGER;
	(void)!send(fd, quit, sizeof(quit), MSG_NOSIGNAL);
}

static void try(const void *arg, void *out)
{
	const struct doctor_socket *s = arg;
	struct attempt *a = out;
	int fd;

	memset(a, 0, sizeof(*a));
	fd = connect_endpoint(s->endpoint);
	if (fd < 0) {
		fail(a, errno);
		return;
	}
	if (s->milter)
		ask_milter(a, fd);
	else
		ask_map(a, fd);
	close(fd);
}

void probe_sockets(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->sockets; i++) {
		struct doctor_socket *s = &f->socket[i];
		struct attempt a;

		if (!probe_as_postfix(f, s->chrooted, try, s, &a, sizeof(a), s->why, sizeof(s->why)))
			continue;
		s->state = a.state;
		memcpy(s->why, a.why, sizeof(s->why));
		memcpy(s->settings, a.settings, sizeof(s->settings));
	}
}
