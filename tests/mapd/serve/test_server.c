/*
 * test_server.c - requests of tlsmode-mapd's clients without its maps: halves, order, and bounds on what waits.
 */
#include "mapd/serve/server_room.h"

#include <sys/socket.h>
#include <unistd.h>

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
		int fd = room_connect();

		room_put(fd, rows[i].wire);
		check_row_text(rows[i].wire, room_take(fd), rows[i].replies);
		close(fd);
		room_turn();
	}
}

static void a_request_may_come_octet_by_octet(void **state)
{
	const char *wire = "5:now a,7:later b,5:now c,";
	int fd = room_connect();

	(void)state;
	for (const char *p = wire; *p; p++) {
		char octet[2] = {*p, '\0'};

		room_put(fd, octet);
		room_turn();
	}
	assert_int_equal(room.handled, 3);
	assert_string_equal(room_take(fd), "1:a,");
	room_answer(0);
	assert_string_equal(room_take(fd), "1:b,1:c,");
	close(fd);
}

static void answers_keep_their_order(void **state)
{
	int fd = room_connect();

	(void)state;
	room_put(fd, "7:later a,5:now b,7:later c,5:now d,7:later e,");
	assert_string_equal(room_take(fd), "");
	assert_int_equal(room.handled, 5);
	room_answer(2);
	assert_string_equal(room_take(fd), "");
	room_answer(0);
	assert_string_equal(room_take(fd), "1:a,1:b,");
	room_answer(1);
	assert_string_equal(room_take(fd), "1:c,1:d,1:e,");
	room_put(fd, "5:now f,");
	assert_string_equal(room_take(fd), "1:f,");
	close(fd);
}

static void a_thousand_requests_in_order(void **state)
{
	static char wire[40000], expected[40000];
	char *w = wire, *e = expected;
	size_t sent = 0, got = 0, len;
	int fd = room_connect();

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
		for (size_t i = room.wait_count; i-- > 0;) /* the latest first */
			if (room.waits[i].ask && round % 2)
				room_answer(i);
		reply = room_take(fd);
		assert_memory_equal(reply, expected + got, strlen(reply));
		got += strlen(reply);
	}
	assert_int_equal(got, e - expected);
	close(fd);
}

static void a_client_that_waits_holds_back_nobody(void **state)
{
	int slow = room_connect(), other = room_connect();

	(void)state;
	room_put(slow, "7:later a,5:now b,");
	room_turn();
	room_put(other, "5:now c,7:later d,");
	assert_string_equal(room_take(other), "1:c,");
	room_answer(1);
	assert_string_equal(room_take(other), "1:d,");
	assert_string_equal(room_take(slow), "");
	room_answer(0);
	assert_string_equal(room_take(slow), "1:a,1:b,");
	close(slow);
	close(other);
}

static void too_many_unanswered_are_not_read(void **state)
{
	struct server_counts counts;
	int fd = room_connect();

	(void)state;
	for (int i = 0; i < 200; i++)
		room_put(fd, "7:later a,");
	room_turn();
	assert_int_equal(room.wait_count, server_default_limits.max_asks);
	server_counts(room.server, &counts);
	assert_int_equal(counts.waiting, server_default_limits.max_asks);
	room_answer(0);
	room_turn();
	assert_int_equal(room.wait_count, server_default_limits.max_asks + 1);
	for (size_t i = 1; i < 200; i++) {
		room_turn();
		room_answer(i);
	}
	room_turn();
	assert_int_equal(room.handled, 200);
	server_counts(room.server, &counts);
	assert_int_equal(counts.waiting, 0);
	close(fd);
}

static void answers_that_are_not_taken_are_not_heaped_up(void **state)
{
	static char sink[65536];
	size_t before, got = 0;
	int fd = room_connect();
	ssize_t n;

	(void)state;
	for (int i = 0; i < 100; i++)
		room_put(fd, "3:big,");
	room_turn();
	before = room.handled;
	assert_true(before < 20); /* the socket's own buffer and ours */
	for (int i = 0; i < 10000 && got < 100 * sizeof(room.big); i++) {
		room_turn();
		while ((n = recv(fd, sink, sizeof(sink), 0)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(room.handled, 100);
	assert_int_equal(got, 100 * sizeof(room.big));
	close(fd);
}

static void answers_behind_one_that_waits_count_too(void **state)
{
	int fd = room_connect();

	(void)state;
	room_put(fd, "7:later a,");
	for (int i = 0; i < 50; i++)
		room_put(fd, "3:big,");
	room_turn();
	assert_int_equal(room.handled, 1 + server_default_limits.max_output / sizeof(room.big) + 1);
	room_answer(0);
	assert_int_equal(strlen(room_take(fd)) > 0, 1);
	close(fd);
}

static void all_together_have_a_bound_and_nobody_starves(void **state)
{
	static char sink[65536];
	struct server_limits limits = server_default_limits;
	struct server_counts counts;
	int fd[8], fresh;
	size_t got = 0;
	ssize_t n;

	(void)state;
	limits.max_unsent = 4 * sizeof(room.big);
	server_set_limits(room.server, &limits);
	for (size_t i = 0; i < COUNT_OF(fd); i++) {
		fd[i] = room_connect();
		room_put(fd[i], "7:later a,3:big,3:big,3:big,3:big,");
		room_turn();
	}
	server_counts(room.server, &counts);
	assert_in_range(counts.unsent, limits.max_unsent, 4 * sizeof(room.big) + COUNT_OF(fd) * sizeof(room.big));
	fresh = room_connect();
	room_put(fresh, "5:now a,");
	assert_string_equal(room_take(fresh), "1:a,");
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		room_answer(i);
	for (int i = 0; i < 10000 && got < COUNT_OF(fd) * (4 * sizeof(room.big) + 4); i++) {
		room_turn();
		while ((n = recv(fd[(size_t)i % COUNT_OF(fd)], sink, sizeof(sink), 0)) > 0)
			got += (size_t)n;
	}
	assert_int_equal(got, COUNT_OF(fd) * (4 * sizeof(room.big) + 4));
	server_counts(room.server, &counts);
	assert_int_equal(counts.unsent, 0);
	for (size_t i = 0; i < COUNT_OF(fd); i++)
		close(fd[i]);
	close(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TESTS(requests_on_the_wire),
	    ROOM_TESTS(a_request_may_come_octet_by_octet),
	    ROOM_TESTS(answers_keep_their_order),
	    ROOM_TESTS(a_thousand_requests_in_order),
	    ROOM_TESTS(a_client_that_waits_holds_back_nobody),
	    ROOM_TESTS(too_many_unanswered_are_not_read),
	    ROOM_TESTS(answers_that_are_not_taken_are_not_heaped_up),
	    ROOM_TESTS(answers_behind_one_that_waits_count_too),
	    ROOM_TESTS(all_together_have_a_bound_and_nobody_starves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
