/*
 * bench_echo - the simplest socketmap server there can be: the limit that the others are measured against.
 *
 *     bench_echo PLACE             an epoll loop that sends back what it reads, without looking at it
 *     bench_echo PLACE LENGTH      answers every request (one without a comma in it) with LENGTH octets
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "place.h"

#define BUFFER 65536
#define EVENTS 256

static char buffer[BUFFER];
static char *answer; /* or NULL: what came */
static size_t answer_len;

static void make_answer(size_t len)
{
	size_t head = (size_t)snprintf(NULL, 0, "%zu:", len);

	answer_len = head + len + 1;
	answer = malloc(answer_len + 1);
	if (!answer)
		die("malloc");
	snprintf(answer, answer_len, "%zu:", len);
	memset(answer + head, 'x', len);
	memcpy(answer + head, "OK ", len < 3 ? len : 3);
	answer[answer_len - 1] = ',';
}

/* As many answers as there are commas in LEN octets of the buffer. */
static size_t answers(const char **out, size_t len)
{
	static char many[BUFFER * 16];
	size_t count = 0;

	for (const char *p = buffer; (p = memchr(p, ',', len - (size_t)(p - buffer))); p++)
		if ((count + 1) * answer_len <= sizeof(many))
			memcpy(many + count++ * answer_len, answer, answer_len);
	*out = many;
	return count * answer_len;
}

static void serve(int fd)
{
	ssize_t len = recv(fd, buffer, sizeof(buffer), 0);
	const char *out = buffer;
	size_t out_len;

	if (len <= 0) {
		close(fd);
		return;
	}
	out_len = answer ? answers(&out, (size_t)len) : (size_t)len;
	if (send(fd, out, out_len, MSG_NOSIGNAL) != (ssize_t)out_len)
		close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event e = {.events = EPOLLIN}, got[EVENTS];
	int listener, ep = epoll_create1(0);

	if (argc < 2 || argc > 3) {
		fputs("usage: bench_echo PLACE [LENGTH]\n", stderr);
		return 64;
	}
	if (argc == 3)
		make_answer((size_t)atol(argv[2]));
	e.data.fd = listener = place_listen(argv[1]);
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, got, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (got[i].data.fd != listener) {
				serve(got[i].data.fd);
				continue;
			}
			e.data.fd = accept(listener, NULL, NULL);
			if (e.data.fd >= 0)
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
		}
	}
}
