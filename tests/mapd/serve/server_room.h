/*
 * server_room.h - connections of tlsmode-mapd without its maps: a real loop, socket pairs as clients.
 *
 * The map of these tests: "now X" is answered on the spot with X; "later X" waits until the test answers it; "big" is
 * answered with room.big.
 */
#ifndef TLSMODE_TESTS_SERVER_ROOM_H
#define TLSMODE_TESTS_SERVER_ROOM_H

#include "unit/check.h"

#include "mapd/serve/server.h"

#define WAITS_MAX 2000

struct server_room {
	struct event_base *base;
	struct server *server;
	struct {
		struct client_ask *ask;
		char reply[64];
		bool abandoned;
	} waits[WAITS_MAX];
	size_t wait_count, handled;
	char big[100000];
	bool drained;
	char last_line[400]; /* of the log */
};
extern struct server_room room;

int room_begin(void **state);
int room_begin_gathering(void **state); /* what has come is read first and handled together (mapd/serve/gather.h) */
/* Both ways. */
#define ROOM_TESTS(fn)                                                                                                 \
	cmocka_unit_test_setup_teardown(fn, room_begin, room_end),                                                     \
	{                                                                                                              \
#fn "_gathered", fn, room_begin_gathering, room_end, NULL                                              \
	}
void room_begin_with(struct server_limits limits);
int room_end(void **state);

int room_connect(void);
void room_turn(void); /* lets the loop do all it can */
void room_put(int fd, const char *bytes);
const char *room_take(int fd); /* what has come; "(closed)" at the end when the server has closed */
void room_answer(size_t i);    /* the question that waits as number I */

#endif
