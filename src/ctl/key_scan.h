/*
 * key_scan.h - the keys in Redis that a glob matches, page by page, waited for.
 *
 *	key_scan_begin(&s, redis, glob);
 *	while (key_scan_next(&s, &keys, why, sizeof(why)))
 *		...
 *	key_scan_end(&s);
 *
 * s.walk.done is what tells the end from a failure. A key may come twice: so it is with SCAN.
 */
#ifndef TLSMODE_CTL_KEY_SCAN_H
#define TLSMODE_CTL_KEY_SCAN_H

#include <hiredis/hiredis.h>

#include "io/redis/redis_scan.h"

struct key_scan {
	redisContext *redis;
	const char *glob;
	struct redis_scan walk;
	struct redis_reply *page;
};

void key_scan_begin(struct key_scan *s, redisContext *redis, const char *glob); /* both must live as long */
/* KEYS of the next page, lent until the next call. False: that was the last one, or it failed: WHY ("" else). */
bool key_scan_next(struct key_scan *s, struct redis_list *keys, char *why, size_t size);
void key_scan_end(struct key_scan *s);

#endif
