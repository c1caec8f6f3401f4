/*
 * map_facts.c - answers that need facts: from those at hand, or from a job that is waited for.
 */
#include <stdlib.h>
#include <string.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/mapd.h"
#include "mapd/maps.h"

/* A request that waits for a job. Ends with its answer, or with its client. */
struct waiting {
	struct mapd *mapd;
	const struct map_row *row;
	struct client_ask *ask;
	struct resolve_wait *wait;
	struct settings *own; /* what its answer goes by, should the mirror not be filled then; or NULL */
	struct nexthop nexthop;
	int64_t asked_ms; /* monotonic */
	size_t key_len;
	char key[];
};

static void waiting_free(struct waiting *w)
{
	settings_free(&w->own);
	free(w);
}

static void map_facts_on_facts(const struct facts *facts, void *arg)
{
	struct waiting *w = arg;
	struct mapd *m = w->mapd;
	const struct map_query q = {w->row, NULL, w->ask, w->key, w->key_len, tick_wall_ms()};

	metrics_waited(&m->metrics, tick_mono_ms() - w->asked_ms);
	m->own = mirror_state(m->mirror) == MIRROR_UNKNOWN ? w->own : NULL;
	w->row->finish(m, &q, &w->nexthop, facts);
	m->own = NULL;
	map_reply(m, &q);
	waiting_free(w);
}

static void map_facts_on_abandoned(void *arg)
{
	struct waiting *w = arg;

	resolve_abort(&w->wait);
	waiting_free(w);
}

static void wait_for_job(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop)
{
	struct waiting *w = xmalloc(sizeof(*w) + q->key_len);

	w->mapd = m;
	w->row = q->row;
	w->own = NULL;
	w->nexthop = *nexthop;
	w->asked_ms = tick_mono_ms();
	w->key_len = q->key_len;
	memcpy(w->key, q->key, q->key_len);
	w->wait = resolve_ask(m->resolver, nexthop, map_facts_on_facts, w);
	if (!w->wait) {
		waiting_free(w);
		map_answer(m, q, SOCKMAP_TEMP, "too many domains are being looked up");
		return;
	}
	w->own = m->own;
	m->own = NULL;
	w->ask = q->ask;
	if (w->ask)
		client_ask_wait_on(w->ask, map_facts_on_abandoned, w);
	else
		w->ask = client_wait(q->client, map_facts_on_abandoned, w);
}

void map_ask_facts(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop)
{
	struct facts facts;

	if (!nexthop_in_dns(nexthop)) {
		facts_init(&facts, nexthop);
	} else if (!resolve_known(m->resolver, nexthop, &facts)) {
		wait_for_job(m, q, nexthop);
		return;
	}
	q->row->finish(m, q, nexthop, &facts);
	map_reply(m, q);
	facts_fini(&facts);
}
