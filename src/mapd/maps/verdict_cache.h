/*
 * verdict_cache.h - rendered answers of the policy maps, ready to be sent: netstring and all.
 *
 * An entry is one next hop (its canonical key) and holds up to VERDICT_LINES lines: three modes, plain and -tlsrpt.
 * Entries hash by the *domain* of the next hop, so that "a.example", "a.example:587" and "[a.example]" stand in one
 * chain and go together when a setting or a fact of that domain changes. Bounded in entries, in octets and in entries
 * of one domain (anybody may ask for 65,535 ports of it); the least used go first. No call walks the table. No I/O and no clock: the caller tells the time (wall, ms). libbase only; one
 * thread. Called by verdicts.c (fills it), map_policy.c (serves from it), and maps.c, which names the keys of
 * a turn.
 */
#ifndef TLSMODE_MAPD_VERDICT_CACHE_H
#define TLSMODE_MAPD_VERDICT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mode.h"

#define VERDICT_LINES (MODE_COUNT * 2)
#define VERDICT_TOUCH_MS 600000 /* a strict line served for so long is due to be remembered again (refusal_memory.h) */

static inline unsigned verdict_line(enum mode mode, bool tlsrpt)
{
	return (unsigned)mode * 2 + tlsrpt;
}

/* What the caller should do beside sending the line; each is told once. */
enum verdict_due {
	VERDICT_PREFETCH = 1 << 0, /* the last quarter of its life: look for the next one */
	VERDICT_TOUCH = 1 << 1     /* a strict line: its hosts were last remembered VERDICT_TOUCH_MS ago */
};

struct verdict_hit {
	const char *text; /* borrowed until the next call that changes the cache */
	size_t len;
	unsigned due; /* enum verdict_due */
};

struct verdict_cache;
struct verdict_cache *verdict_cache_new(size_t max_entries);
void verdict_cache_free(struct verdict_cache **c);
/* A smaller bound takes effect as entries are put. */
void verdict_cache_resize(struct verdict_cache *c, size_t max_entries);

/* KEY is looked up to the letter: a key that is not in canonical form is simply not there. No allocation. */
bool verdict_cache_get(struct verdict_cache *c, const char *key, size_t len, unsigned line, int64_t now_ms,
		       struct verdict_hit *out);

/* KEYS (at most VERDICT_AHEAD) are asked for next: what their look-ups need is fetched from memory for all at once, not
 * one after another. They are borrowed until the next call. False: the cache is so small that this is of no use. */
#define VERDICT_AHEAD 16
struct verdict_key {
	const char *key;
	size_t len;
};
bool verdict_cache_ahead(struct verdict_cache *c, const struct verdict_key *keys, size_t count);

/* Entries of one domain. Beyond it a new one takes the place of another, of one with a port while there is one. */
#define VERDICT_VARIANTS 16

/* Copies TEXT in as LINE of KEY (canonical, not empty, at most NEXTHOP_SIZE), valid until UNTIL_MS. All lines of an
 * entry are of the same facts: another end than the entry's means other facts, and its old lines go. An end that is not
 * after NOW_MS is not kept at all. True: it took the place of another variant of its domain. */
bool verdict_cache_put(struct verdict_cache *c, const char *key, unsigned line, const char *text, size_t len,
		       int64_t now_ms, int64_t until_ms);

/* Drops every variant of the domain of KEY (a next hop's key or the name of a setting). */
void verdict_cache_drop(struct verdict_cache *c, const char *key);
/* Everything is decided anew when it is next asked for. Takes no time: the old lines go one by one. */
void verdict_cache_drop_all(struct verdict_cache *c);

struct verdict_cache_counts {
	size_t entries;
	size_t bytes; /* of entries and lines, as asked of malloc */
	unsigned long evicted;
};
void verdict_cache_counts(const struct verdict_cache *c, struct verdict_cache_counts *out);

#endif
