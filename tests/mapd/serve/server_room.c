/*
 * server_room.c - a server whose map answers at once or when the test says, and socket pairs as its clients.
 */
#include "mapd/serve/server_room.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/tick.h"

struct server_room room;

static void on_abandon(void *work)
{
	size_t i = (size_t)(uintptr_t)work;

	room.waits[i].ask = NULL;
	room.waits[i].abandoned = true;
}

static void on_request(struct client *c, const char *payload, size_t len, int64_t now_ms, void *arg)
{
	char text[64], reply[80];

	(void)arg;
	assert_true(now_ms > 0);
	room.handled++;
	if (len == 3 && memcmp(payload, "big", 3) == 0) {
		client_answer(c, room.big, sizeof(room.big));
		return;
	}
	snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), payload);
	if (strncmp(text, "later ", 6) == 0) {
		assert_true(room.wait_count < WAITS_MAX);
		snprintf(room.waits[room.wait_count].reply, sizeof(room.waits[0].reply), "%zu:%s,", len - 6, text + 6);
		room.waits[room.wait_count].ask = client_wait(c, on_abandon, (void *)(uintptr_t)room.wait_count);
		room.waits[room.wait_count].abandoned = false;
		room.wait_count++;
		return;
	}
	if (strncmp(text, "now ", 4) == 0)
		snprintf(reply, sizeof(reply), "%zu:%s,", len - 4, text + 4);
	else
		snprintf(reply, sizeof(reply), "%zu:?,", (size_t)1);
	client_answer(c, reply, strlen(reply));
}

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	snprintf(room.last_line, sizeof(room.last_line), "%s", line);
}

void room_begin_with(struct server_limits limits)
{
	room.base = event_base_new();
	assert_non_null(room.base);
	room.server = server_new(room.base, &limits, on_request, NULL);
	room.wait_count = room.handled = 0;
	room.drained = false;
	room.last_line[0] = '\0';
	memset(room.big, 'x', sizeof(room.big));
	log_capture(keep_line);
}

int room_begin(void **state)
{
	(void)state;
	room_begin_with(server_default_limits);
	return 0;
}

static bool on_ahead(const struct netstring *requests, size_t count, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < count; i++)
		assert_true(requests[i].len == 0 || requests[i].payload[requests[i].len] == ',');
	return true;
}

int room_begin_gathering(void **state)
{
	struct server_limits limits = server_default_limits;

	(void)state;
	limits.gather_clients = 1;
	room_begin_with(limits);
	server_set_ahead(room.server, on_ahead);
	return 0;
}

int room_end(void **state)
{
	(void)state;
	server_free(&room.server);
	event_base_free(room.base);
	tick_replace(NULL);
	log_capture(NULL);
	return 0;
}

int room_connect(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	server_add(room.server, fds[1]);
	return fds[0];
}

void room_turn(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(room.base, EVLOOP_NONBLOCK);
}

void room_put(int fd, const char *bytes)
{
	assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

const char *room_take(int fd)
{
	static char got[4000];
	size_t len = 0;
	ssize_t n = 1;

	room_turn();
	while (len < sizeof(got) - 20 && (n = recv(fd, got + len, sizeof(got) - 20 - len, 0)) > 0)
		len += (size_t)n;
	strcpy(got + len, n == 0 || (n < 0 && errno != EAGAIN) ? "(closed)" : "");
	return got;
}

void room_answer(size_t i)
{
	assert_non_null(room.waits[i].ask);
	client_ask_answer(room.waits[i].ask, room.waits[i].reply, strlen(room.waits[i].reply));
	room.waits[i].ask = NULL;
}
