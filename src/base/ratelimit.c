/*
 * ratelimit.c - see ratelimit.h.
 */
#include "base/ratelimit.h"

#include <string.h>

#include "base/siphash.h"

static bool window_ok(struct ratelimit *r, unsigned most, int64_t now_ms, unsigned long *suppressed)
{
	if (r->lines == 0 || now_ms - r->window_ms >= RATELIMIT_WINDOW_MS || now_ms < r->window_ms) {
		r->window_ms = now_ms;
		r->lines = 0;
	}
	if (r->lines >= most) {
		r->suppressed++;
		return false;
	}
	r->lines++;
	*suppressed = r->suppressed;
	r->suppressed = 0;
	return true;
}

bool ratelimit_ok(struct ratelimit *r, int64_t now_ms, unsigned long *suppressed)
{
	return window_ok(r, RATELIMIT_LINES, now_ms, suppressed);
}

static uint64_t hash_of(struct ratelimit_names *r, const char *name, unsigned kind)
{
	if (!r->keyed)
		siphash_make_key(r->key);
	r->keyed = true;
	return siphash13((const uint64_t[2]){r->key[0] ^ kind, r->key[1]}, name, strlen(name));
}

bool ratelimit_name_ok(struct ratelimit_names *r, const char *name, unsigned kind, int64_t now_ms,
		       unsigned long *suppressed)
{
	uint64_t hash = hash_of(r, name, kind);
	size_t i = hash % RATELIMIT_NAMES;
	bool known = r->slot[i].hash == hash && r->slot[i].at_ms != 0;

	if (known && now_ms >= r->slot[i].at_ms && now_ms - r->slot[i].at_ms < RATELIMIT_NAME_MS)
		return false;
	if (!window_ok(&r->all, RATELIMIT_NAMES_LINES, now_ms, suppressed))
		return false;
	r->slot[i].hash = hash;
	r->slot[i].at_ms = now_ms;
	return true;
}
