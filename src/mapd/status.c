/*
 * status.c - see status.h.
 */
#include "config.h"

#include "mapd/status.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/tick.h"
#include "mapd/serve/listeners.h"
#include "mapd/maps/map_handlers.h"
#include "mapd/mapd.h"

#define EXCEPTIONS_TOLD 100   /* names of exceptions without end; more are only counted */
#define EXCEPTIONS_SEEN 10000 /* exceptions looked at for them */

static const char *settings_not_ready(struct mapd *m)
{
	struct mirror_counts counts;

	mirror_counts(m->mirror, &counts);
	if (counts.lost)
		return "the snapshot cannot be read and Redis has no settings: unknown until they are back or "
		       "\"tlsmode settings accept\"";
	if (mirror_state(m->mirror) == MIRROR_UNKNOWN)
		return "the settings are not known yet";
	if (mirror_state(m->mirror) == MIRROR_HELD)
		return "settings vanished all at once; the last known are held until \"tlsmode settings accept\" or "
		       "their return";
	return NULL;
}

const char *status_not_ready(struct mapd *m)
{
	if (m->stopping)
		return "stopping";
	if (!m->serving)
		return "starting";
	return settings_not_ready(m);
}

static void tell_exception(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	json_t *names = arg;

	if (kind == SETTING_EXCEPT && value->ends_at_ms == 0 && json_array_size(names) < EXCEPTIONS_TOLD)
		json_array_append_new(names, json_string(name));
}

/* There are few exceptions; a bounded look keeps the loop going where there are many. */
static json_t *exceptions_json(struct mapd *m)
{
	struct settings_walk walk = {.kind = SETTING_EXCEPT};
	json_t *names = json_array();

	if (m->metrics.value[METRIC_EXCEPTIONS_WITHOUT_END] > 0) {
		settings_walk(mirror_read(m->mirror), &walk, EXCEPTIONS_SEEN, tell_exception, names);
		mirror_done(m->mirror);
	}
	return names;
}

static json_t *settings_json(struct mapd *m)
{
	static const char *const when[] = {"tempfail", "opportunistic", "enforced"};
	json_t *o = json_object();

	json_object_set_new(o, "state", json_string(names_name(mirror_state_names, (int)mirror_state(m->mirror))));
	json_object_set_new(o, "when_unknown", json_string(when[m->conf->settings.when_unknown]));
	json_object_set_new(o, "exceptions_without_end", exceptions_json(m));
	return o;
}

static json_t *redis_json(struct mapd *m)
{
	struct redis *r = mirror_redis(m->mirror);
	json_t *o = json_object();
	struct redis_about about;

	redis_describe(r, &about);
	json_object_set_new(o, "address", json_string(about.address));
	json_object_set_new(o, "master", json_string(m->conf->redis.master));
	json_object_set_new(o, "sentinel", json_string(about.teller));
	json_object_set_new(o, "prefix", json_string(m->conf->redis.prefix));
	json_object_set_new(o, "up", json_boolean(redis_is_up(r)));
	json_object_set_new(o, "version", json_string(about.version));
	json_object_set_new(o, "maxmemory_policy", json_string(about.maxmemory_policy));
	json_object_set_new(o, "last_error", json_string(about.last_error));
	return o;
}

static json_t *counters_json(const struct metrics *metrics)
{
	json_t *o = json_object();

	for (int i = 0; i < METRICS; i++)
		if (metric_json_name((enum metric)i))
			json_object_set_new(o, metric_json_name((enum metric)i),
					    json_integer((json_int_t)metrics->value[i]));
	return o;
}

static json_t *requests_json(const struct metrics *metrics)
{
	json_t *o = json_object();

	for (int map = 0; map < MAP_IDS; map++) {
		const uint64_t *r = metrics->requests[map];

		json_object_set_new(o, metrics_map_names[map],
				    json_pack("{s:I, s:I, s:I}", "ok", (json_int_t)r[SOCKMAP_OK], "notfound",
					      (json_int_t)r[SOCKMAP_NOTFOUND], "temp", (json_int_t)r[SOCKMAP_TEMP]));
	}
	return o;
}

static json_t *listeners_json(struct mapd *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < listeners_count(m->listeners); i++)
		json_array_append_new(a, json_string(listeners_text(m->listeners, i)));
	return a;
}

char *status_json(struct mapd *m)
{
	const char *not_ready = status_not_ready(m);
	json_t *o = json_object();
	char *text;

	metrics_gather(m);
	json_object_set_new(o, "program", json_string("tlsmode-mapd"));
	json_object_set_new(o, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(o, "uptime_s", json_integer((json_int_t)m->metrics.value[METRIC_UPTIME]));
	json_object_set_new(o, "ready", json_boolean(!not_ready));
	json_object_set_new(o, "not_ready_reason", json_string(not_ready ? not_ready : ""));
	json_object_set_new(o, "conf", json_string(m->conf->file));
	json_object_set_new(o, "listeners", listeners_json(m));
	json_object_set_new(o, "redis", redis_json(m));
	json_object_set_new(o, "settings", settings_json(m));
	json_object_set_new(o, "requests", requests_json(&m->metrics));
	json_object_set_new(o, "counters", counters_json(&m->metrics));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

static void status_handle(struct mapd *m, struct map_query *q)
{
	char *json;

	if (q->key_len != 3 || memcmp(q->key, "all", 3) != 0) {
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
		return;
	}
	json = status_json(m);
	map_answer(m, q, json ? SOCKMAP_OK : SOCKMAP_TEMP, json ? json : "no status");
	free(json);
}

const struct map_handler map_status = {status_handle, NULL, NULL};
