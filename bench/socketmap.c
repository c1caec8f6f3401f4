/*
 * bench_socketmap - requests a second of a socketmap server, and of the simplest server there can be, for comparison.
 *
 *     bench_socketmap load PATH CONNECTIONS PIPELINED SECONDS MAP KEY...   keys in turn; prints the rate and the delays
 *     bench_socketmap echo PATH         an epoll loop that sends every netstring back
 *
 * Measures and prints; never a test that passes or fails.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define DELAYS (1 << 22)

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int unix_socket(const char *path, struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
	if (fd < 0)
		die("socket");
	return fd;
}

/* ---- the simplest server ---- */

static void echo(const char *path)
{
	static char buffer[BUFFER];
	struct sockaddr_un sun;
	struct epoll_event e = {.events = EPOLLIN}, got[256];
	int listener = unix_socket(path, &sun), ep = epoll_create1(0);

	unlink(path);
	if (bind(listener, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(listener, 1024) != 0)
		die("listen");
	e.data.fd = listener;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, got, 256, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;
			ssize_t len;

			if (fd == listener) {
				e.data.fd = accept(listener, NULL, NULL);
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
				continue;
			}
			len = recv(fd, buffer, sizeof(buffer), 0);
			if (len <= 0 || send(fd, buffer, (size_t)len, MSG_NOSIGNAL) != len)
				close(fd);
		}
	}
}

/* ---- load ---- */

struct client {
	int fd;
	int outstanding;
	int64_t sent_ns;
	size_t payload_left; /* of the reply being read, with its comma */
	size_t length;       /* of the next one, as far as read */
};

struct load {
	int pipelined, key_count, next_key;
	char (*wire)[1100];
	uint64_t done;
	uint32_t *delay_us;
	size_t delay_count;
};

static void send_requests(struct load *l, struct client *c)
{
	char out[64 * 1100];
	size_t len = 0;

	for (int i = 0; i < l->pipelined; i++) {
		size_t n = strlen(l->wire[l->next_key]);

		memcpy(out + len, l->wire[l->next_key], n);
		len += n;
		l->next_key = (l->next_key + 1) % l->key_count;
	}
	c->sent_ns = now_ns();
	c->outstanding = l->pipelined;
	if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

/* How many replies end in BYTES. */
static int count_replies(struct client *c, const char *bytes, size_t len)
{
	int count = 0;

	for (size_t i = 0; i < len;) {
		if (c->payload_left) {
			size_t take = c->payload_left < len - i ? c->payload_left : len - i;

			c->payload_left -= take;
			i += take;
			count += c->payload_left == 0;
		} else if (bytes[i] == ':') {
			c->payload_left = c->length + 1;
			c->length = 0;
			i++;
		} else {
			c->length = c->length * 10 + (size_t)(bytes[i++] - '0');
		}
	}
	return count;
}

static void take_replies(struct load *l, struct client *c)
{
	static char buffer[BUFFER];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);
	int count;

	if (n <= 0)
		die("recv");
	count = count_replies(c, buffer, (size_t)n);
	l->done += (uint64_t)count;
	c->outstanding -= count;
	if (c->outstanding > 0)
		return;
	if (l->delay_count < DELAYS)
		l->delay_us[l->delay_count++] = (uint32_t)((now_ns() - c->sent_ns) / 1000);
	send_requests(l, c);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void load(const char *path, int connections, struct load *l, double seconds)
{
	struct client *clients = calloc((size_t)connections, sizeof(*clients));
	struct epoll_event got[256];
	struct sockaddr_un sun;
	int ep = epoll_create1(0);
	int64_t begun, until;

	for (int i = 0; i < connections; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &clients[i]};

		clients[i].fd = unix_socket(path, &sun);
		if (connect(clients[i].fd, (struct sockaddr *)&sun, sizeof(sun)) != 0)
			die(path);
		epoll_ctl(ep, EPOLL_CTL_ADD, clients[i].fd, &e);
	}
	begun = now_ns();
	until = begun + (int64_t)(seconds * 1e9);
	for (int i = 0; i < connections; i++)
		send_requests(l, &clients[i]);
	while (now_ns() < until) {
		int n = epoll_wait(ep, got, 256, 100);

		for (int i = 0; i < n; i++)
			take_replies(l, got[i].data.ptr);
	}
	qsort(l->delay_us, l->delay_count, sizeof(*l->delay_us), by_size);
	printf("%d connections x %d: %.0f/s, p50 %u us, p99 %u us, p99.9 %u us, max %u us\n", connections, l->pipelined,
	       (double)l->done * 1e9 / (double)(now_ns() - begun), l->delay_us[l->delay_count / 2],
	       l->delay_us[l->delay_count * 99 / 100], l->delay_us[l->delay_count * 999 / 1000],
	       l->delay_us[l->delay_count - 1]);
}

int main(int argc, char **argv)
{
	struct load l = {0};

	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		echo(argv[2]);
	if (argc < 8 || strcmp(argv[1], "load") != 0 || atoi(argv[4]) < 1 || atoi(argv[4]) > 64) {
		fputs("usage: bench_socketmap load PATH CONNECTIONS PIPELINED SECONDS MAP KEY... | echo PATH\n",
		      stderr);
		return 64;
	}
	l.pipelined = atoi(argv[4]);
	l.key_count = argc - 7;
	l.wire = calloc((size_t)l.key_count, sizeof(*l.wire));
	l.delay_us = calloc(DELAYS, sizeof(*l.delay_us));
	for (int i = 0; i < l.key_count; i++)
		snprintf(l.wire[i], sizeof(l.wire[i]), "%zu:%s %s,", strlen(argv[6]) + 1 + strlen(argv[7 + i]), argv[6],
			 argv[7 + i]);
	load(argv[2], atoi(argv[3]), &l, atof(argv[5]));
	return 0;
}
