/*
 * refusal_memory.h - which answers the strict maps lately gave for an MX host (PRODUCT.md "refusal").
 *
 * A missing STARTTLS becomes a bounce only where every strict answer of the last hour for that host was the sender's
 * mode alone. Whatever was forgotten for want of room counts against the bounce: the mail then merely waits. Bounded;
 * libbase only; the caller tells the time (monotonic, ms); one thread. Called by verdicts.c and maps.c.
 */
#ifndef TLSMODE_MAPD_REFUSAL_MEMORY_H
#define TLSMODE_MAPD_REFUSAL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSAL_LATELY_MS 3600000 /* an hour */

struct refusal_memory;
struct refusal_memory *refusal_memory_new(size_t max_hosts);
void refusal_memory_free(struct refusal_memory **m);

/* A strict map has answered for a next hop that HOST (canonical) serves. MODE_ALONE: nothing but the sender's mode
 * asked for TLS. */
void refusal_memory_note(struct refusal_memory *m, const char *host, bool mode_alone, int64_t now_ms);

/* True: there was such an answer within the hour, and none of another kind. */
bool refusal_memory_mode_alone(struct refusal_memory *m, const char *host, int64_t now_ms);

size_t refusal_memory_count(const struct refusal_memory *m);

#endif
