/*
 * mirror_watch.c - what Redis tells the mirror: up, down, and which keys have changed.
 */
#include <stdlib.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "core/guard.h"
#include "core/rkeys.h"
#include "io/mirror_priv.h"

/* Settings are in force that Redis has confirmed before, and no operator waits for their reading. */
static bool may_wait(const struct mirror *m)
{
	return m->table.known && atomic_load(&m->reloads) > 0 && !m->held && !m->vanished;
}

static void on_up(void *arg)
{
	struct mirror *m = arg;

	if (may_wait(m))
		mirror_turn_wait(m);
	else
		mirror_load_start(m, "connected");
	if (m->ev.on_reading)
		m->ev.on_reading(m->arg);
	if (m->ev.on_fact)
		m->ev.on_fact(RKEY_OTHER, NULL, m->arg); /* what changed while nobody told us */
}

static void on_down(const char *why, void *arg)
{
	struct mirror *m = arg;

	(void)why;
	if ((enum mirror_state)atomic_load(&m->state) == MIRROR_LIVE)
		m->exact_at_ms = tick_wall_ms();
	mirror_load_abort(m);
	mirror_turn_lost(m);
	mirror_update_state(m, false);
	mirror_settle(m);
}

/* settings.max_changes; a loss waits for the judgement of its batch. */
static bool is_full(const struct mirror *m)
{
	return key_reads_changes(m->reads) + key_set_count(&m->losses) >= m->conf->settings.max_changes;
}

static void setting_announced(struct mirror *m, enum setting_kind kind, const char *raw, size_t len)
{
	char name[SETTING_NAME_SIZE];
	struct batch *b;

	if (!key_reads_name(m->reads, name, kind, raw, len))
		return;
	if (is_full(m) && !key_reads_has(m->reads, kind, name)) {
		mirror_load_missed(m);
		return;
	}
	b = mirror_batch_open(m);
	mirror_batch_join(b);
	if (!key_reads_want(m->reads, kind, name, false, b))
		mirror_batch_leave(b, m);
}

static void fact_announced(struct mirror *m, enum rkey_kind kind, const char *raw, size_t len)
{
	char *name;

	if (!m->ev.on_fact)
		return;
	name = xstrndup(raw, len);
	m->ev.on_fact((int)kind, name, m->arg);
	free(name);
}

static void key_announced(struct mirror *m, const struct redis_text *key)
{
	enum setting_kind setting;
	enum rkey_kind kind;
	const char *raw;
	size_t len;

	kind = rkeys_parse(redis_prefix(m->redis), key->text, key->len, &raw, &len);
	if (rkeys_is_setting(kind, &setting))
		setting_announced(m, setting, raw, len);
	else if (kind == RKEY_STS)
		fact_announced(m, kind, raw, len);
	else if (kind == RKEY_ACCEPT)
		mirror_ask_accept(m);
}

static void all_changed(struct mirror *m)
{
	size_t had = settings_count(m->table.live);

	if ((enum mirror_state)atomic_load(&m->state) == MIRROR_LIVE)
		m->exact_at_ms = tick_wall_ms();
	m->vanished = m->vanished || guard_trips(had, had, m->conf->settings.guard_percent);
	mirror_load_start(m, "Redis was flushed");
	if (m->ev.on_fact)
		m->ev.on_fact(RKEY_OTHER, NULL, m->arg);
}

static void on_changed(struct redis_list *keys, void *arg)
{
	struct mirror *m = arg;
	struct redis_text key;

	if (keys->left == 0)
		all_changed(m);
	while (redis_list_next(keys, &key))
		key_announced(m, &key);
}

const struct redis_events mirror_redis_events = {.on_up = on_up, .on_down = on_down, .on_changed = on_changed};
