/*
 * map_settings.c - see map_settings.h.
 */
#include "mapd/maps/map_settings.h"

#include "mapd/maps/map.h"
#include "mapd/mapd.h"

const struct settings *map_settings(struct mapd *m, const struct map_query *q)
{
	const struct settings *complete = mirror_read(m->mirror);

	return q->own ? q->own : complete;
}

void map_settings_done(struct mapd *m)
{
	mirror_done(m->mirror);
}

bool map_settings_unknown(const struct mapd *m, const struct map_query *q)
{
	return mirror_state(m->mirror) == MIRROR_UNKNOWN && !q->own;
}

bool map_settings_awaited(const struct mapd *m, const struct map_query *q)
{
	return map_settings_unknown(m, q) && m->conf->settings.when_unknown == UNKNOWN_TEMPFAIL;
}

void map_settings_sender(const struct mapd *m, const struct map_query *q, struct sender_setting *s)
{
	if (map_settings_unknown(m, q) && m->conf->settings.when_unknown == UNKNOWN_ENFORCED)
		s->mode = MODE_ENFORCED;
}
