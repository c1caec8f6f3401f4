/*
 * hist.h - a histogram of delays: 32 steps in every doubling, so that a percentile is at most 3 % too high.
 *
 * For the load generators only. Nanoseconds; one thread.
 */
#ifndef TLSMODE_BENCH_HIST_H
#define TLSMODE_BENCH_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_STEPS 32
#define HIST_DOUBLINGS 40

struct hist {
	uint64_t count;
	uint64_t max_ns;
	uint64_t bucket[HIST_DOUBLINGS * HIST_STEPS];
};

int64_t now_ns(void); /* of a clock that never jumps */

void hist_add(struct hist *h, uint64_t ns);
/* The delay that PER_MILLE of all did not exceed. 0 when there are none. */
double hist_us(const struct hist *h, unsigned per_mille);
/* ,"p50_us":...,"p99_us":...,"p999_us":...,"max_us":... */
void hist_print_json(const struct hist *h, FILE *to);

#endif
