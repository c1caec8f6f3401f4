/*
 * fake_adapter.h - what the scripted adapters of fake_world.h share among themselves; tests do not include it.
 */
#ifndef TLSMODE_TESTS_FAKE_ADAPTER_H
#define TLSMODE_TESTS_FAKE_ADAPTER_H

#include <stdlib.h>
#include <sys/queue.h>

#include "mapd/resolve/fake_world.h"

extern struct event_base *fake_base;
extern size_t fake_contexts; /* DNS and HTTPS contexts not freed yet */

/* Something the loop does at its next turn. */
struct fake_call {
	struct event *event;
};

void fake_call_soon(struct fake_call *c, event_callback_fn fn, void *arg);
void fake_call_end(struct fake_call *c);

/* Each end fails when something is still on its way. */
void fake_dns_begin(void);
void fake_dns_end(void);
void fake_https_begin(void);
void fake_https_end(void);
void fake_store_begin(void);
void fake_store_end(void);

#define FAKE_FREE_ALL(list)                                                                                            \
	while (!LIST_EMPTY(list)) {                                                                                    \
		void *first = LIST_FIRST(list);                                                                        \
		LIST_REMOVE(LIST_FIRST(list), entry);                                                                  \
		free(first);                                                                                           \
	}

#endif
