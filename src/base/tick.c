/*
 * tick.c - the clock.
 */
#include "base/tick.h"

#include <stddef.h>
#include <time.h>

static int64_t (*replacement)(void);

void tick_replace(int64_t (*fn)(void))
{
	replacement = fn;
}

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	if (replacement)
		return replacement();
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t tick_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t tick_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t tick_wall_s(void)
{
	return tick_wall_ms() / 1000;
}
