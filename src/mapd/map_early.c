/*
 * map_early.c - see map_early.h.
 */
#include "mapd/map_early.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/early_keys.h"
#include "mapd/map.h"
#include "mapd/mapd.h"

struct early {
	struct mapd *mapd;
	struct map_query query;
	struct early_keys *keys;
	char key[];
};

static void early_free(struct early *e)
{
	e->mapd->early--;
	free(e);
}

static void map_early_on_abandoned(void *arg)
{
	struct early *e = arg;

	early_keys_abort(&e->keys);
	early_free(e);
}

/* SETTINGS NULL: Redis went away; the answer is what it is without settings. */
static void on_settings(struct settings *settings, void *arg)
{
	struct early *e = arg;
	struct mapd *m = e->mapd;

	m->own = settings;
	e->query.now_ms = tick_wall_ms();
	e->query.row->handler->handle(m, &e->query); /* takes them along where it has to wait again */
	settings_free(&m->own);
	early_free(e);
}

bool map_ask_settings(struct mapd *m, const struct map_query *q)
{
	struct early *e;

	if (!q->row->handler->names || !redis_is_up(mirror_redis(m->mirror)))
		return false;
	if (m->early >= m->conf->mapd.max_jobs) {
		map_answer(m, q, SOCKMAP_TEMP, MAPD_SETTINGS_AWAITED);
		return true;
	}
	e = xmalloc(sizeof(*e) + q->key_len);
	e->mapd = m;
	m->early++;
	e->query = map_wait(q, e->key, map_early_on_abandoned, e);
	e->keys = mirror_early_keys(m->mirror, on_settings, e);
	q->row->handler->names(q, early_keys_want, e->keys);
	return true;
}
