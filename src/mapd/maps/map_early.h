/*
 * map_early.h - requests that come before the settings are known, while Redis is there: the keys that bear on each are
 * read for it, then it is handled as any other.
 *
 * Only until the mirror is filled for the first time. An answer that was made so is not kept (verdicts.c). Called by
 * maps.c.
 */
#ifndef TLSMODE_MAPD_MAP_EARLY_H
#define TLSMODE_MAPD_MAP_EARLY_H

#include <stdbool.h>

struct map_early; /* all that wait so */
struct map_query;
struct mapd;

struct map_early *map_early_new(struct mapd *m);
void map_early_free(struct map_early **e); /* none waits any more: after the server */

/* True: Q waits for its settings, or is answered: too many do. False: its map needs none, or Redis is away. */
bool map_early_ask(struct map_early *all, struct map_query *q);

#endif
