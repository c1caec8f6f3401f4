/*
 * map_settings.h - the settings that a question's answer goes by: those of all (mirror.h), or, while these are not
 * known, those that were read for this one question (map_early.h). Called by map_*.c and verdicts.c.
 */
#ifndef TLSMODE_MAPD_MAP_SETTINGS_H
#define TLSMODE_MAPD_MAP_SETTINGS_H

#include <stdbool.h>

#include "core/settings.h"

struct map_query;
struct mapd;

#define MAP_SETTINGS_AWAITED "settings not yet loaded"

/* Short, and map_settings_done() after it; not twice at once (mirror_read()). Never NULL. */
const struct settings *map_settings(struct mapd *m, const struct map_query *q);
void map_settings_done(struct mapd *m);

/* The answer to Q cannot go by any settings. */
bool map_settings_unknown(const struct mapd *m, const struct map_query *q);
/* So it is, and the configuration says to wait for them: the answer is TEMP MAP_SETTINGS_AWAITED. */
bool map_settings_awaited(const struct mapd *m, const struct map_query *q);
/* The mode of S, a sender's setting for Q, is what settings.when_unknown says while no settings are known. */
void map_settings_sender(const struct mapd *m, const struct map_query *q, struct sender_setting *s);

#endif
