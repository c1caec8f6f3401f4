/*
 * map_facts.c - see map_facts.h.
 */
#include "mapd/maps/map_facts.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/maps/map.h"
#include "mapd/maps/map_early.h"
#include "mapd/mapd.h"

/* A request that waits for a job. Ends with its answer, or with its client. */
struct waiting {
	struct mapd *mapd;
	struct map_query query;
	struct resolve_wait *wait;
	struct nexthop nexthop;
	int64_t asked_ms; /* monotonic */
	char key[];
};

static void waiting_free(struct waiting *w)
{
	settings_free(&w->query.own);
	free(w);
}

static void map_facts_on_facts(const struct facts *facts, void *arg)
{
	struct waiting *w = arg;
	struct mapd *m = w->mapd;

	metrics_waited(&m->metrics, tick_mono_ms() - w->asked_ms);
	w->query.now_ms = tick_wall_ms();
	if (!mirror_is_behind(m->mirror) && mirror_state(m->mirror) != MIRROR_UNKNOWN)
		settings_free(&w->query.own); /* those of all are as good */
	if (!map_early_ask_again(m->early, &w->query)) {
		w->query.row->handler->finish(m, &w->query, &w->nexthop, facts);
		map_reply(m, &w->query);
	}
	waiting_free(w);
}

static void map_facts_on_abandoned(void *arg)
{
	struct waiting *w = arg;

	resolve_abort(&w->wait);
	waiting_free(w);
}

static void wait_for_job(struct mapd *m, struct map_query *q, const struct nexthop *nexthop, struct resolve_wait *wait)
{
	struct waiting *w = xmalloc(sizeof(*w) + q->key_len);

	w->mapd = m;
	w->nexthop = *nexthop;
	w->asked_ms = tick_mono_ms();
	w->wait = wait;
	resolve_wait_on(wait, map_facts_on_facts, w);
	w->query = map_wait(q, w->key, map_facts_on_abandoned, w);
}

void map_ask_facts(struct mapd *m, struct map_query *q, const struct nexthop *nexthop)
{
	struct resolve_wait *wait;
	struct facts facts;

	switch (resolve_ask(m->resolver, nexthop, &facts, &wait)) {
	case RESOLVE_KNOWN:
		q->row->handler->finish(m, q, nexthop, &facts);
		map_reply(m, q);
		facts_fini(&facts);
		break;
	case RESOLVE_WAITS:
		wait_for_job(m, q, nexthop, wait);
		break;
	case RESOLVE_REFUSED:
		map_answer(m, q, SOCKMAP_TEMP, "too many domains are being looked up");
		break;
	case RESOLVE_CROWDED:
		map_answer(m, q, SOCKMAP_TEMP, "too many ports of this name are being looked up");
		break;
	}
}
