/*
 * reread.c - a table of reads on their way.
 */
#include "mapd/resolve/reread.h"

#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"

struct reread {
	struct hmap_node node;
	struct rereads *all;
	struct fact_read *read;
	unsigned marks;
	struct nexthop nexthop;
};

struct rereads {
	struct event_base *base;
	struct redis *redis;
	reread_fn *fn;
	void *arg;
	struct hmap table;
	size_t max;
};

static uint64_t reread_hash_of(const struct rereads *r, const struct nexthop *n)
{
	return hmap_hash(&r->table, n->key, strlen(n->key));
}

static struct reread *reread_find(const struct rereads *r, const struct nexthop *n)
{
	for (struct hmap_node *node = hmap_first(&r->table, reread_hash_of(r, n)); node; node = hmap_next(node)) {
		struct reread *one = hmap_entry(node, struct reread, node);

		if (strcmp(one->nexthop.key, n->key) == 0)
			return one;
	}
	return NULL;
}

static void reread_on_read(enum facts_shared how, const struct text_field *sts, size_t sts_count,
			   const struct text_field *dane, size_t dane_count, void *arg)
{
	struct reread *one = arg;
	struct rereads *r = one->all;

	hmap_remove(&r->table, &one->node);
	r->fn(&one->nexthop, one->marks, how, sts, sts_count, dane, dane_count, r->arg);
	free(one);
}

struct rereads *rereads_new(struct event_base *base, struct redis *redis, reread_fn *fn, void *arg)
{
	struct rereads *r = xcalloc(1, sizeof(*r));

	*r = (struct rereads){.base = base, .redis = redis, .fn = fn, .arg = arg};
	hmap_init(&r->table, 0);
	return r;
}

void rereads_resize(struct rereads *r, size_t max)
{
	r->max = max;
}

static void reread_drop_node(struct hmap_node *node, void *arg)
{
	struct reread *one = hmap_entry(node, struct reread, node);

	(void)arg;
	fact_read_abort(&one->read);
	free(one);
}

void rereads_free(struct rereads **r)
{
	if (!*r)
		return;
	hmap_each(&(*r)->table, reread_drop_node, NULL);
	hmap_fini(&(*r)->table);
	free(*r);
	*r = NULL;
}

bool reread_start(struct rereads *r, const struct nexthop *nexthop, unsigned marks)
{
	struct reread *one = reread_find(r, nexthop);

	if (one) {
		fact_read_abort(&one->read);
	} else if (r->table.count < r->max) {
		one = xcalloc(1, sizeof(*one));
		one->all = r;
		one->nexthop = *nexthop;
		hmap_insert(&r->table, &one->node, reread_hash_of(r, nexthop));
	} else {
		return false;
	}
	one->marks |= marks;
	one->read = fact_store_read(r->redis, r->base, nexthop, reread_on_read, one);
	return true;
}
