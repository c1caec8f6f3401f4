/*
 * ratelimit.c - see ratelimit.h.
 */
#include "mapd/ratelimit.h"

bool ratelimit_ok(struct ratelimit *r, int64_t now_ms, unsigned long *suppressed)
{
	if (r->lines == 0 || now_ms - r->window_ms >= RATELIMIT_WINDOW_MS || now_ms < r->window_ms) {
		r->window_ms = now_ms;
		r->lines = 0;
	}
	if (r->lines >= RATELIMIT_LINES) {
		r->suppressed++;
		return false;
	}
	r->lines++;
	*suppressed = r->suppressed;
	r->suppressed = 0;
	return true;
}

bool ratelimit_name_ok(struct ratelimit_names *r, uint64_t hash, int64_t now_ms)
{
	size_t i = hash % RATELIMIT_NAMES;
	bool known = r->slot[i].hash == hash && r->slot[i].at_ms != 0;

	if (known && now_ms >= r->slot[i].at_ms && now_ms - r->slot[i].at_ms < RATELIMIT_NAME_MS)
		return false;
	r->slot[i].hash = hash;
	r->slot[i].at_ms = now_ms;
	return true;
}
