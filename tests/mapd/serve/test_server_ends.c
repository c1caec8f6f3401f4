/*
 * test_server_ends.c - how connections of tlsmode-mapd end: half-closed, gone, malformed, too many, stalled, drained.
 */
#include "mapd/serve/server_room.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/tick.h"

static void a_half_closed_client_gets_its_answers(void **state)
{
	int fd = room_connect();

	(void)state;
	room_put(fd, "7:later a,5:now b,5:no");
	shutdown(fd, SHUT_WR);
	assert_string_equal(room_take(fd), "");
	room_answer(0);
	assert_string_equal(room_take(fd), "1:a,1:b,(closed)");
	close(fd);
	fd = room_connect();
	shutdown(fd, SHUT_WR);
	assert_string_equal(room_take(fd), "(closed)");
	close(fd);
}

static void a_half_closed_client_that_is_held_back_gets_all(void **state)
{
	int fd = room_connect();

	(void)state;
	for (int i = 0; i < 100; i++)
		room_put(fd, "7:later a,");
	shutdown(fd, SHUT_WR);
	for (size_t i = 0; i < 100; i++) {
		room_turn();
		room_answer(i);
	}
	assert_int_equal(strlen(room_take(fd)), 100 * 4 + strlen("(closed)"));
	close(fd);
}

static void a_client_may_go_at_any_time(void **state)
{
	struct server_counts counts;
	int fd = room_connect();

	(void)state;
	room_put(fd, "7:later a,7:later b,");
	room_turn();
	close(fd);
	room_turn(); /* only its writing is known to be over: the answers are still made */
	room_answer(1);
	room_answer(0);
	room_turn();
	server_counts(room.server, &counts);
	assert_int_equal(counts.clients, 0);
	fd = room_connect();
	for (int i = 0; i < 50; i++)
		room_put(fd, "3:big,");
	room_turn();
	close(fd); /* in the middle of an answer */
	room_turn();
	server_counts(room.server, &counts);
	assert_int_equal(counts.clients, 0);
	assert_int_equal(counts.waiting, 0);
}

static void questions_of_a_closed_server_are_abandoned(void **state)
{
	int fd = room_connect();

	(void)state;
	room_put(fd, "7:later a,7:later b,");
	room_turn();
	room_answer(1);
	server_free(&room.server);
	assert_true(room.waits[0].abandoned);
	assert_false(room.waits[1].abandoned);
	close(fd);
}

static void malformed_bytes_end_one_connection_with_one_line(void **state)
{
	struct server_counts counts;
	int bad = room_connect(), other = room_connect();

	(void)state;
	room_put(bad, "7:later a,5:now a_");
	room_turn();
	assert_non_null(strstr(room.last_line, "event=client_dropped"));
	assert_non_null(strstr(room.last_line, "no comma"));
	assert_string_equal(room_take(bad), ""); /* what was asked before still counts */
	room_answer(0);
	assert_string_equal(room_take(bad), "1:a,(closed)");
	room_put(other, "5:now b,");
	assert_string_equal(room_take(other), "1:b,");
	server_counts(room.server, &counts);
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
	room_begin_with(limits);
	a = room_connect();
	b = room_connect();
	c = room_connect();
	assert_string_equal(room_take(c), "(closed)");
	assert_non_null(strstr(room.last_line, "event=client_refused"));
	room_put(b, "5:now b,");
	assert_string_equal(room_take(b), "1:b,");
	close(a);
	room_turn();
	close(c);
	c = room_connect();
	room_put(c, "5:now c,");
	assert_string_equal(room_take(c), "1:c,");
	server_counts(room.server, &counts);
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

	event_base_loopexit(room.base, &second);
	event_base_dispatch(room.base);
}

static void what_is_left_half_done_times_out(void **state)
{
	int idle, partial, untaken, trickle, waiting;

	(void)state;
	tick_replace(test_clock);
	idle = room_connect();
	partial = room_connect();
	untaken = room_connect();
	trickle = room_connect();
	waiting = room_connect();
	room_put(partial, "5:now");
	room_put(trickle, "5:");
	room_put(waiting, "7:later a,");
	for (int i = 0; i < 50; i++)
		room_put(untaken, "3:big,");
	room_turn();
	clock_ms += server_default_limits.stall_ms - 1;
	room_put(trickle, "n"); /* an octet now and then does not help */
	wait_sweep();
	assert_string_equal(room_take(partial), "");
	clock_ms += 1;
	wait_sweep();
	assert_string_equal(room_take(partial), "(closed)");
	assert_string_equal(room_take(trickle), "(closed)");
	assert_string_equal(room_take(idle), "");
	assert_string_equal(room_take(waiting), "");
	room_answer(0);
	assert_string_equal(room_take(waiting), "1:a,");
	room_put(idle, "5:now b,");
	assert_string_equal(room_take(idle), "1:b,");
	{
		struct server_counts counts;

		server_counts(room.server, &counts);
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
	room.drained = true;
}

static void a_drained_server_answers_what_has_come(void **state)
{
	int waiting = room_connect(), idle = room_connect(), fresh = room_connect();

	(void)state;
	room_put(waiting, "7:later a,");
	room_turn();
	room_put(waiting, "5:now b,");
	room_put(fresh, "5:now c,7:later d,");
	server_drain(room.server, on_drained, NULL);
	room_turn();
	assert_false(room.drained);
	assert_string_equal(room_take(idle), "(closed)");
	assert_string_equal(room_take(fresh), "1:c,");
	room_answer(0);
	assert_string_equal(room_take(waiting), "1:a,1:b,(closed)");
	assert_false(room.drained);
	room_answer(1);
	assert_string_equal(room_take(fresh), "1:d,(closed)");
	assert_true(room.drained);
	close(waiting);
	close(idle);
	close(fresh);
}

static void an_empty_server_is_drained_at_once(void **state)
{
	(void)state;
	server_drain(room.server, on_drained, NULL);
	assert_false(room.drained);
	room_turn();
	assert_true(room.drained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ROOM_TESTS(a_half_closed_client_gets_its_answers),
	    ROOM_TESTS(a_half_closed_client_that_is_held_back_gets_all),
	    ROOM_TESTS(a_client_may_go_at_any_time),
	    ROOM_TESTS(questions_of_a_closed_server_are_abandoned),
	    ROOM_TESTS(malformed_bytes_end_one_connection_with_one_line),
	    cmocka_unit_test_teardown(beyond_max_clients_connections_are_closed, room_end),
	    ROOM_TESTS(what_is_left_half_done_times_out),
	    ROOM_TESTS(a_drained_server_answers_what_has_come),
	    ROOM_TESTS(an_empty_server_is_drained_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
