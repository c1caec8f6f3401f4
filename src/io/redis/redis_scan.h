/*
 * redis_scan.h - the walk of SCAN through all keys, page by page; asked on the loop (mirror_load.c) or waited for (ctl).
 *
 * The cursor is Redis's own affair and compared as text. Redis never gives one twice in a walk, and a page without keys
 * has seen SCAN_COUNT of others: a server that goes round in circles, or on without an end, is none, and is left.
 */
#ifndef TLSMODE_IO_REDIS_SCAN_H
#define TLSMODE_IO_REDIS_SCAN_H

#include "io/redis/redis_reply.h"

#define REDIS_CURSOR_SIZE 24 /* 64 bits, in decimal */
#define REDIS_SCAN_COUNT "1000"

struct redis_scan {
	char cursor[REDIS_CURSOR_SIZE]; /* to ask with */
	bool done;
	char seen[REDIS_CURSOR_SIZE];  /* one of those before it */
	unsigned long pages, seen_for; /* seen is replaced after that many */
	unsigned long empty;           /* pages without a key, one after the other */
};

void redis_scan_begin(struct redis_scan *s);

/* Takes the reply to SCAN with the cursor of S; KEYS for redis_list_next(). False: it is no page, or none that may come
 * here; WHY. */
bool redis_scan_take(struct redis_scan *s, const struct redis_reply *reply, struct redis_list *keys, char *why,
		     size_t size);

#endif
