/*
 * ratelimit.h - how often a log line may be written: so many in a window, and once in a while for a name.
 *
 * What is held back is counted and told with the next line. No clock: the caller tells the time (ms). libbase only.
 */
#ifndef TLSMODE_BASE_RATELIMIT_H
#define TLSMODE_BASE_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATELIMIT_LINES 10
#define RATELIMIT_WINDOW_MS 10000
#define RATELIMIT_NAMES 4096
#define RATELIMIT_NAMES_LINES 1000
#define RATELIMIT_NAME_MS 60000

struct ratelimit {
	int64_t window_ms; /* when the present window began */
	unsigned lines;
	unsigned long suppressed;
};

/* True: write it, and tell *SUPPRESSED lines were held back before it. */
bool ratelimit_ok(struct ratelimit *r, int64_t now_ms, unsigned long *suppressed);

/* Names by a keyed hash of them (they come from strangers); one may take the place of another and its minute. All zero
 * at first. */
struct ratelimit_names {
	uint64_t key[2];
	bool keyed;
	struct ratelimit all;
	struct {
		uint64_t hash;
		int64_t at_ms;
	} slot[RATELIMIT_NAMES];
};

/* True once every RATELIMIT_NAME_MS for NAME and KIND, and RATELIMIT_NAMES_LINES times in a window for all together;
 * *SUPPRESSED as with ratelimit_ok(), of those that only the latter held back. */
bool ratelimit_name_ok(struct ratelimit_names *r, const char *name, unsigned kind, int64_t now_ms,
		       unsigned long *suppressed);

#endif
