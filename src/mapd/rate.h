/*
 * rate.h - at most so many log lines of one kind per second; the rest are counted and told in the next one that passes.
 */
#ifndef TLSMODE_MAPD_RATE_H
#define TLSMODE_MAPD_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_LINES 20 /* a second */

struct rate {
	int64_t second;
	unsigned said;
	unsigned long unsaid; /* since the last line that passed */
};

/* True: say it now, and that *UNSAID like it were not said before. */
static inline bool rate_pass(struct rate *r, int64_t now_s, unsigned long *unsaid)
{
	if (r->second != now_s) {
		r->second = now_s;
		r->said = 0;
	}
	if (r->said >= RATE_LINES) {
		r->unsaid++;
		return false;
	}
	r->said++;
	*unsaid = r->unsaid;
	r->unsaid = 0;
	return true;
}

#endif
