/*
 * mirror_table.c - the settings in force and what Redis is known to have (mirror_table.h).
 */
#include "io/mirror/mirror_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FREE_ASIDE 50000 /* keys; freeing a larger table would be felt in the loop */

static void *free_thread(void *arg)
{
	struct settings *s = arg;

	settings_free(&s);
	return NULL;
}

static void discard(struct settings *s)
{
	pthread_t thread;

	if (!s)
		return;
	if (settings_count(s) >= FREE_ASIDE && pthread_create(&thread, NULL, free_thread, s) == 0)
		pthread_detach(thread);
	else
		settings_free(&s);
}

void mirror_table_init(struct mirror_table *t)
{
	pthread_rwlockattr_t attr;

	memset(t, 0, sizeof(*t));
	pthread_rwlockattr_init(&attr);
	/* the loop must not starve behind a crowd of readers; no reader takes the lock twice */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&t->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	t->live = settings_new();
	expiry_init(&t->ends);
	key_set_init(&t->endless, sizeof(struct key), 0);
}

static void endless_set(struct mirror_table *t, enum setting_kind kind, const char *name, bool on)
{
	struct key *k;

	if (kind != SETTING_EXCEPT)
		return;
	k = key_set_find(&t->endless, kind, name);
	if (on && !k) {
		key_set_add(&t->endless, kind, name);
	} else if (!on && k) {
		key_set_remove(&t->endless, k);
	}
}

static bool weakens(const struct setting *v)
{
	return v->dane_ignore || v->sts_ignore || v->plaintext_allow;
}

static bool same(const struct setting *a, const struct setting *b)
{
	return a->has == b->has && a->bad == b->bad && a->unknown == b->unknown && a->mode == b->mode &&
	       a->dane_ignore == b->dane_ignore && a->sts_ignore == b->sts_ignore &&
	       a->plaintext_allow == b->plaintext_allow && a->for_all == b->for_all && a->ends_at_ms == b->ends_at_ms &&
	       strcmp(a->via, b->via) == 0 && strcmp(a->match, b->match) == 0;
}

bool mirror_table_put(struct mirror_table *t, enum setting_kind kind, const char *name, const struct setting *value)
{
	struct setting old;
	bool in_live = t->known && settings_get(t->live, kind, name, &old);
	bool changed = t->known && (!in_live || !same(&old, value));
	struct setting in_next;

	if (t->next) {
		bool was = settings_get(t->next, kind, name, &in_next);

		if (!was || !same(&in_next, value))
			settings_put(t->next, kind, name, value);
		if (t->known && !(in_live && was))
			t->common++;
	}
	if (changed) {
		pthread_rwlock_wrlock(&t->lock);
		settings_put(t->live, kind, name, value);
		pthread_rwlock_unlock(&t->lock);
	}
	expiry_set(&t->ends, kind, name, value->ends_at_ms);
	endless_set(t, kind, name, value->ends_at_ms == 0 && weakens(value));
	return changed;
}

void mirror_table_remove_next(struct mirror_table *t, enum setting_kind kind, const char *name)
{
	struct setting unused;

	if (t->next && settings_remove(t->next, kind, name) && settings_get(t->live, kind, name, &unused))
		t->common--;
}

bool mirror_table_remove(struct mirror_table *t, enum setting_kind kind, const char *name)
{
	bool was;

	mirror_table_remove_next(t, kind, name);
	pthread_rwlock_wrlock(&t->lock);
	was = settings_remove(t->live, kind, name);
	pthread_rwlock_unlock(&t->lock);
	expiry_set(&t->ends, kind, name, 0);
	endless_set(t, kind, name, false);
	return was;
}

bool mirror_table_has(const struct mirror_table *t, enum setting_kind kind, const char *name)
{
	struct setting unused;

	return settings_get(t->next ? t->next : t->live, kind, name, &unused);
}

void mirror_table_begin(struct mirror_table *t)
{
	mirror_table_drop(t);
	t->next = settings_new();
}

void mirror_table_drop(struct mirror_table *t)
{
	discard(t->next);
	t->next = NULL;
	t->common = 0;
}

struct prune {
	struct mirror_table *t;
	struct key_set gone;
};

static void collect_gone(struct hmap_node *node, void *arg)
{
	struct key *k = hmap_entry(node, struct key, node);
	enum setting_kind kind = (enum setting_kind)k->kind;
	struct prune *p = arg;
	struct setting unused;

	if (!settings_get(p->t->live, kind, k->name, &unused) && !key_set_find(&p->gone, kind, k->name))
		key_set_add(&p->gone, kind, k->name);
}

static void forget_gone(struct hmap_node *node, void *arg)
{
	struct prune *p = arg;
	struct key *k = hmap_entry(node, struct key, node);

	expiry_set(&p->t->ends, (enum setting_kind)k->kind, k->name, 0);
	endless_set(p->t, (enum setting_kind)k->kind, k->name, false);
}

/* Ends and exceptions of keys that went with the old table. */
static void prune(struct mirror_table *t)
{
	struct prune p = {.t = t};

	key_set_init(&p.gone, sizeof(struct key), 0);
	hmap_each(&t->ends.keys.map, collect_gone, &p);
	hmap_each(&t->endless.map, collect_gone, &p);
	hmap_each(&p.gone.map, forget_gone, &p);
	key_set_fini(&p.gone);
}

void mirror_table_exchange(struct mirror_table *t)
{
	struct settings *old = t->live;
	bool lost = mirror_table_gone(t) > 0;

	assert(t->next);
	pthread_rwlock_wrlock(&t->lock);
	t->live = t->next;
	t->generation++;
	pthread_rwlock_unlock(&t->lock);
	t->next = NULL;
	t->common = 0;
	t->known = true;
	discard(old);
	if (lost)
		prune(t);
}

size_t mirror_table_gone(const struct mirror_table *t)
{
	return t->next ? settings_count(t->live) - t->common : 0;
}

void mirror_table_fini(struct mirror_table *t)
{
	discard(t->next);
	discard(t->live);
	expiry_fini(&t->ends);
	key_set_fini(&t->endless);
	pthread_rwlock_destroy(&t->lock);
}
