/*
 * map_early.c - requests that come before the settings are known, while Redis is there: the keys that bear on each are
 * read for it, then it is handled as any other.
 *
 * Only until the mirror is filled for the first time. An answer that was made so is not kept (verdicts.c).
 */
#include <stdlib.h>
#include <string.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/early_keys.h"
#include "mapd/mapd.h"
#include "mapd/maps.h"

struct early {
	struct mapd *mapd;
	const struct map_row *row;
	struct client_ask *ask;
	struct early_keys *keys;
	size_t key_len;
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
	const struct map_query q = {e->row, NULL, e->ask, e->key, e->key_len, tick_wall_ms()};

	m->own = settings;
	e->row->handle(m, &q); /* takes them along where it has to wait again */
	settings_free(&m->own);
	early_free(e);
}

bool map_ask_settings(struct mapd *m, const struct map_query *q)
{
	struct early *e;

	if (!q->row->names || !redis_is_up(mirror_redis(m->mirror)))
		return false;
	if (m->early >= m->conf->mapd.max_jobs) {
		map_answer(m, q, SOCKMAP_TEMP, MAPD_SETTINGS_AWAITED);
		return true;
	}
	e = xmalloc(sizeof(*e) + q->key_len);
	e->mapd = m;
	e->row = q->row;
	e->key_len = q->key_len;
	memcpy(e->key, q->key, q->key_len);
	m->early++;
	e->ask = client_wait(q->client, map_early_on_abandoned, e);
	e->keys = mirror_early_keys(m->mirror, on_settings, e);
	q->row->names(q, early_keys_want, e->keys);
	return true;
}
