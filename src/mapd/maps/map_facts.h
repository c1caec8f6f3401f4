/*
 * map_facts.h - answers that need facts: from those at hand, or from a job that is waited for. Called by map_*.c.
 */
#ifndef TLSMODE_MAPD_MAP_FACTS_H
#define TLSMODE_MAPD_MAP_FACTS_H

#include "core/nexthop.h"

struct mapd;
struct map_query;

/* Finishes Q with the facts of NEXTHOP, at once when they are at hand or none can be had, else later, and replies. */
void map_ask_facts(struct mapd *m, struct map_query *q, const struct nexthop *nexthop);

#endif
