/*
 * refusal_memory.h - which answers the strict maps lately gave for an MX host (doc/design.md, "A refusal").
 *
 * A missing STARTTLS becomes a bounce only where every strict answer of the last hour for that host was the sender's
 * mode alone. Whatever was forgotten for want of room counts against the bounce: the mail then merely waits. Bounded;
 * no I/O; the caller tells the time (monotonic, ms); one thread. Called by verdicts.c (fills it) and map_policy.c.
 */
#ifndef TLSMODE_MAPD_REFUSAL_MEMORY_H
#define TLSMODE_MAPD_REFUSAL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mode.h"

#define REFUSAL_LATELY_MS 3600000 /* an hour */

struct refusal_memory;
struct refusal_memory *refusal_memory_new(size_t max_hosts);
void refusal_memory_free(struct refusal_memory **m);
/* A smaller bound takes effect as hosts are noted. */
void refusal_memory_resize(struct refusal_memory *m, size_t max_hosts);

/* A strict map has answered for a next hop that HOST (canonical) serves. ALONE: the sender's mode, when nothing else
 * asked for TLS; else opportunistic. */
void refusal_memory_note(struct refusal_memory *m, const char *host, enum mode alone, int64_t now_ms);

/* The modes (1 << mode) that alone asked for TLS within the hour; 0: none did, or there was an answer of another
 * kind. */
unsigned refusal_memory_modes(struct refusal_memory *m, const char *host, int64_t now_ms);

size_t refusal_memory_count(const struct refusal_memory *m);

#endif
