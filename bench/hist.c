/*
 * hist.c - see hist.h.
 */
#include "hist.h"

#include <time.h>

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Below HIST_STEPS every value has a bucket; above, the five bits after the leading one choose the step. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned doubling = 0, bucket;

	while (ns >> doubling >= 2 * HIST_STEPS)
		doubling++;
	bucket = doubling * HIST_STEPS + (unsigned)(ns >> doubling);
	return bucket < HIST_DOUBLINGS * HIST_STEPS ? bucket : HIST_DOUBLINGS * HIST_STEPS - 1;
}

/* The largest value of BUCKET. */
static double bucket_end(unsigned bucket)
{
	unsigned doubling = bucket < 2 * HIST_STEPS ? 0 : bucket / HIST_STEPS - 1;

	return (double)((uint64_t)(bucket - doubling * HIST_STEPS + 1) << doubling);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->count++;
	h->bucket[bucket_of(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

double hist_us(const struct hist *h, unsigned per_mille)
{
	uint64_t want = (h->count * per_mille + 999) / 1000, seen = 0;

	for (unsigned i = 0; i < HIST_DOUBLINGS * HIST_STEPS; i++) {
		seen += h->bucket[i];
		if (seen >= want && seen > 0)
			return bucket_end(i) / 1000;
	}
	return 0;
}

void hist_print_json(const struct hist *h, FILE *to)
{
	fprintf(to, ",\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f", hist_us(h, 500),
		hist_us(h, 990), hist_us(h, 999), (double)h->max_ns / 1000);
}
