/*
 * resolve_room.h - a resolver in the scripted world of fake_world.h: what the tests of its jobs share.
 */
#ifndef TLSMODE_TESTS_RESOLVE_ROOM_H
#define TLSMODE_TESTS_RESOLVE_ROOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mapd/resolve/fake_world.h"
#include "mapd/resolve/resolve.h"

#define DAY 86400

/* A test that begins with a new world, and fails when something is left of it. */
#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, room_begin, room_end)

struct resolve_room {
	struct resolver *resolver;
	struct conf conf;
	char last_line[600]; /* of the log */
	unsigned lines_failed, lines_timeout, lines_crowded, lines_unread, lines_weakened;
	struct { /* what on_facts told last */
		unsigned calls, forgotten;
		char key[NEXTHOP_SIZE];
		bool enforce;
	} heard;
};
extern struct resolve_room room;

int room_begin(void **state);
int room_end(void **state);
void room_open(void); /* a new world with a new resolver, like a restart: the room's conf and what was heard stay */

/* ---- people who ask ---- */

struct asker {
	struct resolve_wait *wait;
	unsigned answers;
	enum mx_state mx;
	enum tlsa_state tlsa; /* of the first host */
	bool policy, enforce;
	bool in_doubt; /* Redis may have what was not read */
	int64_t until;
};

struct nexthop room_hop(const char *text);
void room_ask(struct asker *a, const char *name); /* is answered at once when the facts are known */
struct asker room_answer(const char *name);       /* asks and waits */
bool room_is_known(const char *name);
struct resolver_counts room_counts(void);

/* ---- domains, each with the one host mx.DOMAIN ---- */

void room_plain(const char *domain, uint32_t ttl);
void room_with_dane(const char *domain, uint32_t ttl);
void room_with_sts(const char *domain, const char *id, unsigned max_age);
const char *room_policy_host(const char *domain); /* until the next call */
void room_other_node_fetched(const char *key, const char *mode);

#endif
