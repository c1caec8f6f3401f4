/*
 * bench_load - asks a socketmap server as fast as it answers, or at a given pace, and prints one line of JSON.
 *
 *     bench_load [-c CONNECTIONS] [-p PIPELINED] [-s SECONDS | -n REQUESTS] [-m MAP] [-f FORMAT] [-k KEYS] [-o FIRST]
 *                [-d turn|uniform] [-r RATE] PLACE
 *
 * FORMAT holds one "%" where the number of the key goes, seven digits: KEYS numbers from FIRST on, in turn or drawn
 * uniformly. Without -r every connection asks again (PIPELINED questions) when it has all answers; a delay is from the
 * question to the last answer. With -r questions are due at even times on whatever connection is free, and a delay
 * begins when its question was due: waiting for a free connection counts.
 *
 * SIGTERM ends it before its time. Measures and prints; never a test that passes or fails.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hist.h"
#include "place.h"

#define BUFFER 65536
#define WIRE_MAX 512
#define PIPELINED_MAX 64
#define DIGITS 7
#define EVENTS 512
#define GRACE_NS 20000000000 /* for the last answers after the end */

struct load_client {
	struct load_client *next_free;
	int fd;
	int outstanding;
	int64_t began_ns;
	size_t payload_left; /* of the reply being read, with its comma */
	size_t length;       /* of the next one, as far as read */
	bool first;          /* octet of a payload */
};

struct load {
	const char *place, *map, *format;
	int connections, pipelined;
	double seconds, rate;
	uint64_t limit; /* questions; 0: as time allows */
	unsigned keys, first_key, next_key;
	bool uniform;
	uint64_t random;

	char wire[WIRE_MAX]; /* one question, the digits at DIGITS_AT */
	size_t wire_len, digits_at;
	struct load_client *clients, *free;
	int ep;
	int64_t began_ns, until_ns;
	uint64_t asked, done, ok, notfound, temp, other;
	struct hist delays;
};

/* ---- questions ---- */

static void make_wire(struct load *l)
{
	const char *percent = strchr(l->format, '%');
	char payload[WIRE_MAX - 16];
	int before = percent ? (int)(percent - l->format) : (int)strlen(l->format);
	int len = snprintf(payload, sizeof(payload), "%s %.*s%s%s", l->map, before, l->format, percent ? "0000000" : "",
			   percent ? percent + 1 : "");

	if (len < 0 || (size_t)len >= sizeof(payload)) {
		fputs("bench_load: key too long\n", stderr);
		exit(64);
	}
	l->wire_len = (size_t)snprintf(l->wire, sizeof(l->wire), "%d:%s,", len, payload);
	l->digits_at = percent ? l->wire_len - 1 - (size_t)len + strlen(l->map) + 1 + (size_t)before : 0;
}

static unsigned next_key(struct load *l)
{
	if (!l->uniform) {
		unsigned key = l->next_key;

		l->next_key = l->next_key + 1 == l->keys ? 0 : l->next_key + 1;
		return l->first_key + key;
	}
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->first_key + (unsigned)((l->random >> 32) * l->keys >> 32);
}

static size_t add_question(struct load *l, char *out)
{
	memcpy(out, l->wire, l->wire_len);
	if (l->digits_at) {
		unsigned key = next_key(l);

		for (int i = DIGITS - 1; i >= 0; i--, key /= 10)
			out[l->digits_at + (size_t)i] = (char)('0' + key % 10);
	}
	return l->wire_len;
}

static void ask(struct load *l, struct load_client *c, int count, int64_t began_ns)
{
	char out[PIPELINED_MAX * WIRE_MAX];
	size_t len = 0;

	for (int i = 0; i < count; i++)
		len += add_question(l, out + len);
	c->began_ns = began_ns;
	c->outstanding = count;
	l->asked += (uint64_t)count;
	if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("send");
}

static volatile sig_atomic_t stopped;

/* SIGTERM: what was measured so far is printed. */
static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

static bool over(const struct load *l, int64_t now)
{
	if (stopped)
		return true;
	return l->limit ? l->asked >= l->limit : now >= l->until_ns;
}

/* ---- answers ---- */

static void count_answer(struct load *l, char first)
{
	l->ok += first == 'O';
	l->notfound += first == 'N';
	l->temp += first == 'T';
	l->other += first != 'O' && first != 'N' && first != 'T';
}

/* Takes LEN octets that have arrived. */
static void take_octets(struct load *l, struct load_client *c, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		if (c->payload_left) {
			size_t take = c->payload_left < len - i ? c->payload_left : len - i;

			if (c->first)
				count_answer(l, bytes[i]);
			c->first = false;
			c->payload_left -= take;
			i += take;
			c->outstanding -= c->payload_left == 0;
			l->done += c->payload_left == 0;
		} else if (bytes[i] == ':') {
			c->payload_left = c->length + 1;
			c->length = 0;
			c->first = true;
			i++;
		} else {
			c->length = c->length * 10 + (size_t)(bytes[i++] - '0');
		}
	}
}

static void on_readable(struct load *l, struct load_client *c)
{
	static char buffer[BUFFER];
	ssize_t n = recv(c->fd, buffer, sizeof(buffer), 0);
	int64_t now;

	if (n <= 0) {
		if (n == 0)
			errno = ECONNRESET;
		die("recv");
	}
	take_octets(l, c, buffer, (size_t)n);
	if (c->outstanding > 0)
		return;
	now = now_ns();
	hist_add(&l->delays, (uint64_t)(now - c->began_ns));
	if (l->rate > 0) {
		c->next_free = l->free;
		l->free = c;
	} else if (!over(l, now)) {
		ask(l, c, l->pipelined, now);
	}
}

/* ---- the run ---- */

static void open_clients(struct load *l)
{
	l->clients = calloc((size_t)l->connections, sizeof(*l->clients));
	l->ep = epoll_create1(0);
	if (!l->clients)
		die("calloc");
	for (int i = 0; i < l->connections; i++) {
		struct load_client *c = &l->clients[i];
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

		c->fd = place_connect(l->place);
		c->next_free = l->free;
		l->free = c;
		epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &e);
	}
}

static void wait_and_take(struct load *l, int64_t timeout_ns)
{
	struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	struct epoll_event got[EVENTS];
	int n = epoll_pwait2(l->ep, got, EVENTS, &timeout, NULL);

	for (int i = 0; i < n; i++)
		on_readable(l, got[i].data.ptr);
}

static int64_t due_ns(const struct load *l)
{
	return l->began_ns + (int64_t)((double)l->asked * 1e9 / l->rate);
}

/* Asks what is due, as far as there are free connections; how long nothing is due. */
static int64_t ask_due(struct load *l)
{
	int64_t now = now_ns();

	while (!over(l, now) && l->free && due_ns(l) <= now) {
		struct load_client *c = l->free;
		int64_t due = due_ns(l);

		l->free = c->next_free;
		ask(l, c, 1, due);
		now = now_ns();
	}
	return l->free && due_ns(l) > now ? due_ns(l) - now : 1000000;
}

static void run(struct load *l)
{
	int64_t end_ns;

	l->began_ns = now_ns();
	l->until_ns = l->began_ns + (int64_t)(l->seconds * 1e9);
	for (int i = 0; l->rate <= 0 && i < l->connections; i++)
		ask(l, &l->clients[i], l->pipelined, now_ns());
	while (!over(l, now_ns()))
		wait_and_take(l, l->rate > 0 ? ask_due(l) : 100000000);
	end_ns = now_ns();
	l->seconds = (double)(end_ns - l->began_ns) / 1e9;
	while (l->limit && l->done < l->asked && now_ns() - end_ns < GRACE_NS) {
		wait_and_take(l, 100000000);
		l->seconds = (double)(now_ns() - l->began_ns) / 1e9;
	}
}

static void report(const struct load *l)
{
	printf("{\"connections\":%d,\"pipelined\":%d,\"seconds\":%.3f,\"asked\":%llu,\"answers\":%llu,\"per_s\":%.1f,"
	       "\"ok\":%llu,\"notfound\":%llu,\"temp\":%llu,\"other\":%llu",
	       l->connections, l->pipelined, l->seconds, (unsigned long long)l->asked, (unsigned long long)l->done,
	       (double)l->done / l->seconds, (unsigned long long)l->ok, (unsigned long long)l->notfound,
	       (unsigned long long)l->temp, (unsigned long long)l->other);
	hist_print_json(&l->delays, stdout);
	puts("}");
}

static void usage(void)
{
	fputs("usage: bench_load [-c CONNECTIONS] [-p PIPELINED] [-s SECONDS | -n REQUESTS] [-m MAP] [-f FORMAT]\n"
	      "                  [-k KEYS] [-o FIRST] [-d turn|uniform] [-r RATE] PLACE\n",
	      stderr);
	exit(64);
}

static void read_options(struct load *l, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "c:p:s:n:m:f:k:o:d:r:")) != -1;) {
		switch (c) {
		case 'c':
			l->connections = atoi(optarg);
			break;
		case 'p':
			l->pipelined = atoi(optarg);
			break;
		case 's':
			l->seconds = atof(optarg);
			break;
		case 'n':
			l->limit = strtoull(optarg, NULL, 10);
			break;
		case 'm':
			l->map = optarg;
			break;
		case 'f':
			l->format = optarg;
			break;
		case 'k':
			l->keys = (unsigned)atoi(optarg);
			break;
		case 'o':
			l->first_key = (unsigned)atoi(optarg);
			break;
		case 'd':
			l->uniform = strcmp(optarg, "uniform") == 0;
			break;
		case 'r':
			l->rate = atof(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || l->connections < 1 || l->pipelined < 1 || l->pipelined > PIPELINED_MAX || l->keys < 1)
		usage();
	l->place = argv[optind];
}

int main(int argc, char **argv)
{
	static struct load l = {.map = "opportunistic",
				.format = "d%.bench.test",
				.connections = 1,
				.pipelined = 1,
				.seconds = 1,
				.keys = 1000,
				.random = 88172645463325252ULL};

	read_options(&l, argc, argv);
	signal(SIGTERM, on_stop);
	make_wire(&l);
	open_clients(&l);
	run(&l);
	report(&l);
	return 0;
}
