/*
 * verdicts.h - from facts to an answer of a policy map: settings merged, decided, rendered, cached, remembered and
 * logged.
 *
 * The policy itself is core's (decide.h, answer.h); here is what must happen beside it. Called by map_policy.c and
 * main.c.
 */
#ifndef TLSMODE_MAPD_VERDICTS_H
#define TLSMODE_MAPD_VERDICTS_H

#include <stdbool.h>

#include "core/facts.h"
#include "core/nexthop.h"

struct map_query;
struct mapd;

/* The answer to Q for NEXTHOP with FACTS, into M->reply. */
void verdicts_render(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		     const struct facts *facts);

/* The same for the map sts: MTA-STS alone. */
void verdicts_render_sts(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
			 const struct facts *facts);

/* A cached answer of KEY (canonical) was given to Q, of which verdict_cache.h says DUE. */
void verdicts_due(struct mapd *m, const struct map_query *q, const char *key, size_t len, unsigned due);

/* What was rendered from a setting (mirror.h) is stale. */
void verdicts_setting_changed(struct mapd *m, const char *name);

/* Some rcpt or except key other than "*" names NEXTHOP. */
bool verdicts_named(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop);

#endif
