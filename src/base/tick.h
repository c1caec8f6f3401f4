/*
 * tick.h - the clock, replaceable in tests. Core gets its time as an argument and never calls this.
 */
#ifndef TLSMODE_BASE_TICK_H
#define TLSMODE_BASE_TICK_H

#include <stdint.h>

int64_t tick_wall_ms(void); /* milliseconds since 1970, for what is shared with other machines or survives a restart */
int64_t tick_wall_s(void);  /* the same in seconds, as facts count it */
int64_t tick_mono_ms(void); /* milliseconds of a clock that never jumps, for deadlines */

/* Both clocks read FN from now on; NULL gives the real ones back. */
void tick_replace(int64_t (*fn)(void));

#endif
