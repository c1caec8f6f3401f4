/*
 * map_early.h - requests that come while Redis is there and what it has is not in force yet (mirror_is_behind(): after
 * a start or a lost connection, or in a flood of changes): the keys that bear on each are read for it, then it is
 * handled as any other.
 *
 * An answer that was made so is not kept (verdicts.c). Called by maps.c and map_facts.c.
 */
#ifndef TLSMODE_MAPD_MAP_EARLY_H
#define TLSMODE_MAPD_MAP_EARLY_H

#include <stdbool.h>

struct map_early; /* all that wait so */
struct map_query;
struct mapd;

struct map_early *map_early_new(struct mapd *m);
void map_early_free(struct map_early **e); /* none waits any more: after the server */

/* True: Q waits for its settings, or is answered: too many do. False: its map needs none, Redis is away, or all that it
 * has is in force. */
bool map_early_ask(struct map_early *all, struct map_query *q);
/* Q, which has waited for facts, is asked once more: its settings may have changed meanwhile. False as above, or they
 * cannot have. */
bool map_early_ask_again(struct map_early *all, struct map_query *q);

#endif
