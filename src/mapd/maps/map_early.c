/*
 * map_early.c - see map_early.h.
 */
#include "mapd/maps/map_early.h"

#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/mirror/early_keys.h"
#include "mapd/maps/map.h"
#include "mapd/maps/map_settings.h"
#include "mapd/mapd.h"

struct map_early {
	struct mapd *mapd;
	size_t count;
};

struct early {
	struct map_early *all;
	struct map_query query;
	struct early_keys *keys;
	char key[];
};

struct map_early *map_early_new(struct mapd *m)
{
	struct map_early *all = xcalloc(1, sizeof(*all));

	all->mapd = m;
	return all;
}

void map_early_free(struct map_early **e)
{
	free(*e);
	*e = NULL;
}

static void early_free(struct early *e)
{
	e->all->count--;
	free(e);
}

static void map_early_on_abandoned(void *arg)
{
	struct early *e = arg;

	early_keys_abort(&e->keys);
	settings_free(&e->query.own);
	early_free(e);
}

/* SETTINGS NULL: Redis went away; the answer is what it is without settings. */
static void on_settings(struct settings *settings, void *arg)
{
	struct early *e = arg;

	settings_free(&e->query.own);
	e->query.own = settings;
	e->query.now_ms = tick_wall_ms();
	e->query.row->handler->handle(e->all->mapd, &e->query); /* takes them along where it has to wait again */
	settings_free(&e->query.own);
	early_free(e);
}

bool map_early_ask(struct map_early *all, struct map_query *q)
{
	struct mapd *m = all->mapd;
	struct early *e;

	if (!q->row->handler->names || !mirror_is_behind(m->mirror))
		return false;
	if (all->count >= m->conf->mapd.max_jobs) {
		map_answer(m, q, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
		return true;
	}
	e = xmalloc(sizeof(*e) + q->key_len);
	e->all = all;
	all->count++;
	e->query = map_wait(q, e->key, map_early_on_abandoned, e);
	e->query.heard = mirror_heard(m->mirror);
	e->keys = mirror_early_keys(m->mirror, on_settings, e);
	q->row->handler->names(q, early_keys_want, e->keys);
	return true;
}

bool map_early_ask_again(struct map_early *all, struct map_query *q)
{
	if (q->again || (q->own && q->heard == mirror_heard(all->mapd->mirror)))
		return false;
	q->again = true;
	return map_early_ask(all, q);
}
