/*
 * complaints.h - which faulty contents were complained about already: once per change, not once per reading.
 *
 * Remembers a hash of the key and one of the content. Bounded: past MAX keys nothing new is remembered, and past
 * COMPLAINTS_LINES lines a minute nothing is said but how much was not. One thread (mirror.c, setting_read.c).
 */
#ifndef TLSMODE_IO_COMPLAINTS_H
#define TLSMODE_IO_COMPLAINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hmap.h"

#define COMPLAINTS_LINES 200

struct complaints {
	struct hmap map;
	size_t max; /* 0 at first: set it */
	uint64_t key[2];
	int64_t minute_ms;
	unsigned lines;
	unsigned long silent; /* lines not said since the last that told so */
};

void complaints_init(struct complaints *c);
void complaints_fini(struct complaints *c);
/* A hash of content, to be chained: SEED is 0 or an earlier result. */
uint64_t complaints_hash(const struct complaints *c, uint64_t seed, const void *bytes, size_t len);
/* CONTENT (a hash) of KEY is faulty: true when that is news. */
bool complaints_news(struct complaints *c, uint64_t key, uint64_t content);
void complaints_forget(struct complaints *c, uint64_t key);
/* May one more line be logged now? Says how many were not, when the minute is over. */
bool complaints_may_log(struct complaints *c);

#endif
