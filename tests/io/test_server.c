/*
 * test_server.c - connections of tlsmode-mapd without its maps: order, halves, bounds, ends. A real loop, socket pairs
 * as clients.
 *
 * The map of this test: "now X" is answered on the spot with X; "later X" waits until the test answers it.
 */
#include "unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/server.h"

#define WAITS_MAX 2000

static struct event_base *base;
static struct server *server;
static struct {
	struct ask *ask;
	char reply[64];
	bool abandoned;
} waits[WAITS_MAX];
static size_t wait_count;
static size_t handled;
static char big[100000];
static bool drained;
static char last_line[400];

static void on_abandon(void *work)
{
	size_t i = (size_t)(uintptr_t)work;

	waits[i].ask = NULL;
	waits[i].abandoned = true;
}

static void on_request(struct client *c, const char *payload, size_t len, int64_t now_ms, void *arg)
{
	char text[64], reply[80];

	(void)arg;
	assert_true(now_ms > 0);
	handled++;
	if (len == 3 && memcmp(payload, "big", 3) == 0) {
		client_answer(c, big, sizeof(big));
		return;
	}
	snprintf(text, sizeof(text), "%.*s", (int)(len < 60 ? len : 60), payload);
	if (strncmp(text, "later ", 6) == 0) {
		assert_true(wait_count < WAITS_MAX);
		snprintf(waits[wait_count].reply, sizeof(waits[0].reply), "%zu:%s,", len - 6, text + 6);
		waits[wait_count].ask = client_wait(c, on_abandon, (void *)(uintptr_t)wait_count);
		waits[wait_count].abandoned = false;
		wait_count++;
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
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static void begin_with(struct server_limits limits)
{
	base = event_base_new();
	assert_non_null(base);
	server = server_new(base, &limits, on_request, NULL);
	wait_count = handled = 0;
	drained = false;
	last_line[0] = '\0';
	memset(big, 'x', sizeof(big));
	log_capture(keep_line);
}

static int begin(void **state)
{
	(void)state;
	begin_with(server_default_limits);
	return 0;
}

static int end(void **state)
{
	(void)state;
	server_free(&server);
	event_base_free(base);
	tick_replace(NULL);
	log_capture(NULL);
	return 0;
}

static int connect_client(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	server_add(server, fds[1]);
	return fds[0];
}

/* Lets the loop do all it can. */
static void turn(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void put(int fd, const char *bytes)
{
	assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* What has come; "(closed)" at the end when the server has closed. */
static const char *take(int fd)
{
	static char got[4000];
	size_t len = 0;
	ssize_t n = 1;

	turn();
	while (len < sizeof(got) - 20 && (n = recv(fd, got + len, sizeof(got) - 20 - len, 0)) > 0)
		len += (size_t)n;
	strcpy(got + len, n == 0 || (n < 0 && errno != EAGAIN) ? "(closed)" : "");
	return got;
}

static void answer(size_t i)
{
	assert_non_null(waits[i].ask);
	ask_answer(waits[i].ask, waits[i].reply, strlen(waits[i].reply));
	waits[i].ask = NULL;
}

static void requests_on_the_wire(void **state)
{
	static const struct {
		const char *wire, *replies;
	} rows[] = {
	    {"5:now a,", "1:a,"},     {"5:now a,5:now b,", "1:a,1:b,"},
	    {"05:now a,", "1:a,"},    {"0:,", "1:?,"},
	    {"4:now ,", "0:,"},       {"5:now a,5:no", "1:a,"},
	    {"now a,", "(closed)"},   {":now a,", "(closed)"},
	    {"5:now a_", "(closed)"}, {"99999999999999999999:", "(closed)"},
	    {"-1:x,", "(closed)"},    {"5:now a,x5:now b,", "1:a,(closed)"},
	    {"10101:", "(closed)"},   {"10100:", ""},
	    {"\n", "(closed)"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		int fd = connect_client();

		put(fd, rows[i].wire);
		check_row_text(rows[i].wire, take(fd), rows[i].replies);
		close(fd);
		turn();
	}
}

static void a_request_may_come_octet_by_octet(void **state)
{
	const char *wire = "5:now a,7:later b,5:now c,";
	int fd = connect_client();

	(void)state;
	for (const char *p = wire; *p; p++) {
		char octet[2] = {*p, '\0'};

		put(fd, octet);
		turn();
	}
	assert_int_equal(handled, 3);
	assert_string_equal(take(fd), "1:a,");
	answer(0);
	assert_string_equal(take(fd), "1:b,1:c,");
	close(fd);
}

static void answers_keep_their_order(void **state)
{
	int fd = connect_client();

	(void)state;
	put(fd, "7:later a,5:now b,7:later c,5:now d,7:later e,");
	assert_string_equal(take(fd), "");
	assert_int_equal(handled, 5);
	answer(2);
	assert_string_equal(take(fd), "");
	answer(0);
	assert_string_equal(take(fd), "1:a,1:b,");
	answer(1);
	assert_string_equal(take(fd), "1:c,1:d,1:e,");
	put(fd, "5:now f,");
	assert_string_equal(take(fd), "1:f,");
	close(fd);
}

static void a_thousand_requests_in_order(void **state)
{
	static char wire[40000], expected[40000];
	char *w = wire, *e = expected;
	size_t sent = 0, got = 0, len;
	int fd = connect_client();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%d", i);
		w += sprintf(w, "%zu:%s %s,", strlen(number) + (i % 7 ? 4 : 6), i % 7 ? "now" : "later", number);
		e += sprintf(e, "%zu:%s,", strlen(number), number);
	}
	len = (size_t)(w - wire);
	for (int round = 0; round < 10000 && got < (size_t)(e - expected); round++) {
		ssize_t n = send(fd, wire + sent, len - sent, MSG_NOSIGNAL);
		const char *reply;

		sent += n > 0 ? (size_t)n : 0;
		for (size_t i = wait_count; i-- > 0;) /* the latest first */
			if (waits[i].ask && round % 2)
				answer(i);
		reply = take(fd);
		assert_memory_equal(reply, expected + got, strlen(reply));
		got += strlen(reply);
	}
	assert_int_equal(got, e - expected);
	close(fd);
}

static void a_client_that_waits_holds_back_nobody(void **state)
{
	int slow = connect_client(), other = connect_client();

	(void)state;
	put(slow, "7:later a,5:now b,");
	turn();
	put(other, "5:now c,7:later d,");
	assert_string_equal(take(other), "1:c,");
	answer(1);
	assert_string_equal(take(other), "1:d,");
	assert_string_equal(take(slow), "");
	answer(0);
	assert_string_equal(take(slow), "1:a,1:b,");
	close(slow);
	close(other);
}

static void too_many_unanswered_are_not_read(void **state)
{
	struct server_counts counts;
	int fd = connect_client();

	(void)state;
	for (int i = 0; i < 200; i++)
		put(fd, "7:later a,");
	turn();
	assert_int_equal(wait_count, server_default_limits.max_asks);
	server_counts(server, &counts);
	assert_int_equal(counts.waiting, server_default_limits.max_asks);
	answer(0);
	turn();
	assert_int_equal(wait_count, server_default_limits.max_asks + 1);
	for (size_t i = 1; i < 200; i++) {
		turn();
		answer(i);
	}
	turn();
	assert_int_equal(handled, 200);
	server_counts(server, &counts);
	assert_int_equal(counts.waiting, 0);
	close(fd);
}

static void answers_that_are_not_taken_are_not_heaped_up(void **state)
{
	static char sink[65536];
	size_t before, got = 0;
	int fd = connect_client();
	ssize_t n;

	(void)state;
	for (int i = 0; i < 100; i++)
		put(fd, "3:big,");
	turn();
	before = handled;
	assert_true(before < 20); /* the socket's own buffer and ours */
	for (int i = 0; i < 10000 && got < 100 * sizeof(big); i++) {
		turn();
		while ((n = recv(fd, sink, sizeof(sink), 0)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(handled, 100);
	assert_int_equal(got, 100 * sizeof(big));
	close(fd);
}

static void a_half_closed_client_gets_its_answers(void **state)
{
	int fd = connect_client();

	(void)state;
	put(fd, "7:later a,5:now b,5:no");
	shutdown(fd, SHUT_WR);
	assert_string_equal(take(fd), "");
	answer(0);
	assert_string_equal(take(fd), "1:a,1:b,(closed)");
	close(fd);
	fd = connect_client();
	shutdown(fd, SHUT_WR);
	assert_string_equal(take(fd), "(closed)");
	close(fd);
}

static void a_half_closed_client_that_is_held_back_gets_all(void **state)
{
	int fd = connect_client();

	(void)state;
	for (int i = 0; i < 100; i++)
		put(fd, "7:later a,");
	shutdown(fd, SHUT_WR);
	for (size_t i = 0; i < 100; i++) {
		turn();
		answer(i);
	}
	assert_int_equal(strlen(take(fd)), 100 * 4 + strlen("(closed)"));
	close(fd);
}

static void a_client_may_go_at_any_time(void **state)
{
	struct server_counts counts;
	int fd = connect_client();

	(void)state;
	put(fd, "7:later a,7:later b,");
	turn();
	close(fd);
	turn(); /* only its writing is known to be over: the answers are still made */
	answer(1);
	answer(0);
	turn();
	server_counts(server, &counts);
	assert_int_equal(counts.clients, 0);
	fd = connect_client();
	for (int i = 0; i < 50; i++)
		put(fd, "3:big,");
	turn();
	close(fd); /* in the middle of an answer */
	turn();
	server_counts(server, &counts);
	assert_int_equal(counts.clients, 0);
	assert_int_equal(counts.waiting, 0);
}

static void questions_of_a_closed_server_are_abandoned(void **state)
{
	int fd = connect_client();

	(void)state;
	put(fd, "7:later a,7:later b,");
	turn();
	answer(1);
	server_free(&server);
	assert_true(waits[0].abandoned);
	assert_false(waits[1].abandoned);
	close(fd);
}

static void malformed_bytes_end_one_connection_with_one_line(void **state)
{
	struct server_counts counts;
	int bad = connect_client(), other = connect_client();

	(void)state;
	put(bad, "7:later a,5:now a_");
	turn();
	assert_non_null(strstr(last_line, "event=client_dropped"));
	assert_non_null(strstr(last_line, "no comma"));
	assert_string_equal(take(bad), ""); /* what was asked before still counts */
	answer(0);
	assert_string_equal(take(bad), "1:a,(closed)");
	put(other, "5:now b,");
	assert_string_equal(take(other), "1:b,");
	server_counts(server, &counts);
	assert_int_equal(counts.malformed, 1);
	close(bad);
	close(other);
}

static void beyond_max_clients_connections_are_closed(void **state)
{
	struct server_limits limits = server_default_limits;
	struct server_counts counts;
	int a, b, c;

	(void)state;
	limits.max_clients = 2;
	begin_with(limits);
	a = connect_client();
	b = connect_client();
	c = connect_client();
	assert_string_equal(take(c), "(closed)");
	assert_non_null(strstr(last_line, "event=client_refused"));
	put(b, "5:now b,");
	assert_string_equal(take(b), "1:b,");
	close(a);
	turn();
	close(c);
	c = connect_client();
	put(c, "5:now c,");
	assert_string_equal(take(c), "1:c,");
	server_counts(server, &counts);
	assert_int_equal(counts.refused, 1);
	assert_int_equal(counts.accepted, 3);
	close(b);
	close(c);
}

static int64_t clock_ms = 1000000000000LL;
static int64_t test_clock(void)
{
	return clock_ms;
}

/* Lets the sweep (once a second) happen. */
static void wait_sweep(void)
{
	struct timeval second = {1, 100000};

	event_base_loopexit(base, &second);
	event_base_dispatch(base);
}

static void what_is_left_half_done_times_out(void **state)
{
	int idle, partial, untaken, trickle, waiting;

	(void)state;
	tick_replace(test_clock);
	idle = connect_client();
	partial = connect_client();
	untaken = connect_client();
	trickle = connect_client();
	waiting = connect_client();
	put(partial, "5:now");
	put(trickle, "5:");
	put(waiting, "7:later a,");
	for (int i = 0; i < 50; i++)
		put(untaken, "3:big,");
	turn();
	clock_ms += server_default_limits.stall_ms - 1;
	put(trickle, "n"); /* an octet now and then does not help */
	wait_sweep();
	assert_string_equal(take(partial), "");
	clock_ms += 1;
	wait_sweep();
	assert_string_equal(take(partial), "(closed)");
	assert_string_equal(take(trickle), "(closed)");
	assert_string_equal(take(idle), "");
	assert_string_equal(take(waiting), "");
	answer(0);
	assert_string_equal(take(waiting), "1:a,");
	put(idle, "5:now b,");
	assert_string_equal(take(idle), "1:b,");
	{
		struct server_counts counts;

		server_counts(server, &counts);
		assert_int_equal(counts.stalled, 3);
		assert_int_equal(counts.clients, 2);
	}
	close(idle);
	close(partial);
	close(untaken);
	close(trickle);
	close(waiting);
}

static void on_drained(void *arg)
{
	(void)arg;
	drained = true;
}

static void a_drained_server_answers_what_has_come(void **state)
{
	int waiting = connect_client(), idle = connect_client(), fresh = connect_client();

	(void)state;
	put(waiting, "7:later a,");
	turn();
	put(waiting, "5:now b,");
	put(fresh, "5:now c,7:later d,");
	server_drain(server, on_drained, NULL);
	turn();
	assert_false(drained);
	assert_string_equal(take(idle), "(closed)");
	assert_string_equal(take(fresh), "1:c,");
	answer(0);
	assert_string_equal(take(waiting), "1:a,1:b,(closed)");
	assert_false(drained);
	answer(1);
	assert_string_equal(take(fresh), "1:d,(closed)");
	assert_true(drained);
	close(waiting);
	close(idle);
	close(fresh);
}

static void an_empty_server_is_drained_at_once(void **state)
{
	(void)state;
	server_drain(server, on_drained, NULL);
	assert_false(drained);
	turn();
	assert_true(drained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(requests_on_the_wire, begin, end),
	    cmocka_unit_test_setup_teardown(a_request_may_come_octet_by_octet, begin, end),
	    cmocka_unit_test_setup_teardown(answers_keep_their_order, begin, end),
	    cmocka_unit_test_setup_teardown(a_thousand_requests_in_order, begin, end),
	    cmocka_unit_test_setup_teardown(a_client_that_waits_holds_back_nobody, begin, end),
	    cmocka_unit_test_setup_teardown(too_many_unanswered_are_not_read, begin, end),
	    cmocka_unit_test_setup_teardown(answers_that_are_not_taken_are_not_heaped_up, begin, end),
	    cmocka_unit_test_setup_teardown(a_half_closed_client_gets_its_answers, begin, end),
	    cmocka_unit_test_setup_teardown(a_half_closed_client_that_is_held_back_gets_all, begin, end),
	    cmocka_unit_test_setup_teardown(a_client_may_go_at_any_time, begin, end),
	    cmocka_unit_test_setup_teardown(questions_of_a_closed_server_are_abandoned, begin, end),
	    cmocka_unit_test_setup_teardown(malformed_bytes_end_one_connection_with_one_line, begin, end),
	    cmocka_unit_test_teardown(beyond_max_clients_connections_are_closed, end),
	    cmocka_unit_test_setup_teardown(what_is_left_half_done_times_out, begin, end),
	    cmocka_unit_test_setup_teardown(a_drained_server_answers_what_has_come, begin, end),
	    cmocka_unit_test_setup_teardown(an_empty_server_is_drained_at_once, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
