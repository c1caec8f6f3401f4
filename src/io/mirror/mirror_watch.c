/*
 * mirror_watch.c - announced keys by their kind (mirror_watch.h).
 */
#include "io/mirror/mirror_watch.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/rkeys.h"

struct mirror_watch {
	struct redis *redis;
	struct mirror_watch_events ev;
	void *arg;
};

static void tell_fact(struct mirror_watch *w, enum rkey_kind kind, const char *raw, size_t len)
{
	char *name;

	if (!w->ev.on_fact)
		return;
	name = xstrndup(raw, len);
	w->ev.on_fact((int)kind, name, w->arg);
	free(name);
}

static void key_announced(struct mirror_watch *w, const struct redis_text *key)
{
	enum setting_kind setting;
	enum rkey_kind kind;
	const char *raw;
	size_t len;

	kind = rkeys_parse(redis_prefix(w->redis), key->text, key->len, &raw, &len);
	if (rkeys_is_setting(kind, &setting))
		w->ev.on_setting(setting, raw, len, w->arg);
	else if (kind == RKEY_STS)
		tell_fact(w, kind, raw, len);
	else if (kind == RKEY_ACCEPT)
		w->ev.on_word(w->arg);
}

static void tell_all_facts(struct mirror_watch *w)
{
	if (w->ev.on_fact)
		w->ev.on_fact(RKEY_OTHER, NULL, w->arg);
}

static void mirror_watch_on_up(void *arg)
{
	struct mirror_watch *w = arg;

	w->ev.on_up(w->arg);
	tell_all_facts(w); /* what changed while nobody told us */
}

static void mirror_watch_on_down(const char *why, void *arg)
{
	struct mirror_watch *w = arg;

	(void)why;
	w->ev.on_down(w->arg);
}

static void on_changed(struct redis_list *keys, void *arg)
{
	struct mirror_watch *w = arg;
	struct redis_text key;

	if (keys->left == 0) {
		w->ev.on_flush(w->arg);
		tell_all_facts(w);
	}
	while (redis_list_next(keys, &key))
		key_announced(w, &key);
}

struct mirror_watch *mirror_watch_new(struct event_base *base, const struct conf_redis *conf,
				      const struct mirror_watch_events *ev, void *arg)
{
	const struct redis_events events = {.facts = ev->on_fact,
					    .on_up = mirror_watch_on_up,
					    .on_down = mirror_watch_on_down,
					    .on_changed = on_changed};
	struct mirror_watch *w = xcalloc(1, sizeof(*w));

	w->ev = *ev;
	w->arg = arg;
	w->redis = redis_new(base, conf, &events, w);
	return w;
}

void mirror_watch_free(struct mirror_watch **w)
{
	if (!*w)
		return;
	redis_free(&(*w)->redis);
	free(*w);
	*w = NULL;
}

struct redis *mirror_watch_redis(struct mirror_watch *w)
{
	return w->redis;
}
