/*
 * fake_store.c - the names of redis.h and fact_store.h: hashes and fetch locks, the other nodes' too.
 */
#include "mapd/resolve/fake_adapter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "io/redis/fact_store.h"

#define HASH_FIELDS 20

struct hash {
	LIST_ENTRY(hash) entry;
	char key[NEXTHOP_SIZE + 8];
	size_t count;
	struct text_field field[HASH_FIELDS];
	char text[HASH_FIELDS * 2][200];
	int64_t ttl;
};

struct fact_read {
	LIST_ENTRY(fact_read) entry;
	struct fake_call call;
	struct nexthop nexthop;
	fact_read_fn *fn;
	void *arg;
};

struct fact_lock {
	LIST_ENTRY(fact_lock) entry;
	struct fake_call call;
	char domain[DOMAIN_SIZE];
	bool got;
	fact_lock_fn *fn;
	void *arg;
};

struct other_lock {
	LIST_ENTRY(other_lock) entry;
	char domain[DOMAIN_SIZE];
};

bool world_redis_away, world_redis_silent, world_redis_unread;
static LIST_HEAD(, hash) hashes;
static LIST_HEAD(, fact_read) reads;
static LIST_HEAD(, fact_lock) locks;
static LIST_HEAD(, other_lock) others;
static size_t read_count, write_count, lock_asks;

struct redis *world_redis(void)
{
	return (struct redis *)(void *)&hashes; /* never looked into */
}

bool redis_is_up(const struct redis *r)
{
	assert(r == world_redis());
	return !world_redis_away;
}

static struct hash *hash_of(const char *key)
{
	struct hash *h;

	LIST_FOREACH(h, &hashes, entry)
	if (strcmp(h->key, key) == 0)
		return h;
	return NULL;
}

static struct hash *hash_new(const char *key)
{
	struct hash *h = hash_of(key);

	if (!h) {
		h = xcalloc(1, sizeof(*h));
		snprintf(h->key, sizeof(h->key), "%s", key);
		LIST_INSERT_HEAD(&hashes, h, entry);
	}
	h->count = 0;
	return h;
}

static void hash_add(struct hash *h, const char *name, const char *value, size_t len)
{
	struct text_field *f = &h->field[h->count];
	char *to = h->text[h->count * 2];

	assert(h->count < HASH_FIELDS && len < sizeof(h->text[0]));
	snprintf(to, sizeof(h->text[0]), "%s", name);
	memcpy(h->text[h->count * 2 + 1], value, len);
	h->text[h->count * 2 + 1][len] = '\0';
	*f = (struct text_field){to, strlen(to), h->text[h->count * 2 + 1], len};
	h->count++;
}

void world_hash(const char *key, const char *const *nv)
{
	struct hash *h = hash_of(key);

	if (!nv) {
		if (h)
			LIST_REMOVE(h, entry);
		free(h);
		return;
	}
	for (h = hash_new(key); *nv; nv += 2)
		hash_add(h, nv[0], nv[1], strlen(nv[1]));
}

const char *world_hash_get(const char *key, const char *field)
{
	struct hash *h = hash_of(key);

	for (size_t i = 0; h && i < h->count; i++)
		if (strcmp(h->field[i].name, field) == 0)
			return h->field[i].value;
	return NULL;
}

int64_t world_hash_ttl(const char *key)
{
	return hash_of(key) ? hash_of(key)->ttl : 0;
}

size_t world_reads(void)
{
	return read_count;
}

size_t world_writes(void)
{
	return write_count;
}

static void read_end(struct fact_read *r)
{
	fake_call_end(&r->call);
	LIST_REMOVE(r, entry);
	free(r);
}

static void answer_read(evutil_socket_t fd, short what, void *arg)
{
	struct fact_read *r = arg, told = *r;
	char key[NEXTHOP_SIZE + 8];
	struct hash *sts, *dane;

	(void)fd;
	(void)what;
	read_end(r);
	snprintf(key, sizeof(key), "sts:%s", told.nexthop.domain);
	sts = hash_of(key);
	snprintf(key, sizeof(key), "dane:%s", told.nexthop.key);
	dane = hash_of(key);
	if (world_redis_away || world_redis_unread)
		told.fn(world_redis_away ? FACTS_SHARED_AWAY : FACTS_SHARED_UNREAD, NULL, 0, NULL, 0, told.arg);
	else
		told.fn(FACTS_SHARED_READ, sts ? sts->field : NULL, sts ? sts->count : 0, dane ? dane->field : NULL,
			dane ? dane->count : 0, told.arg);
}

struct fact_read *fact_store_read(struct redis *r, struct event_base *b, const struct nexthop *nexthop,
				  fact_read_fn *fn, void *arg)
{
	struct fact_read *read = xcalloc(1, sizeof(*read));

	assert(r == world_redis() && b == fake_base);
	*read = (struct fact_read){.nexthop = *nexthop, .fn = fn, .arg = arg};
	read_count++;
	LIST_INSERT_HEAD(&reads, read, entry);
	if (!world_redis_silent)
		fake_call_soon(&read->call, answer_read, read);
	return read;
}

void fact_read_abort(struct fact_read **read)
{
	read_end(*read);
	*read = NULL;
}

static void write_hash(const char *kind, const char *name, const struct text_fields *fields, int64_t ttl_s)
{
	char key[NEXTHOP_SIZE + 8];
	struct hash *h;

	if (world_redis_away)
		return;
	write_count++;
	snprintf(key, sizeof(key), "%s:%s", kind, name);
	h = hash_new(key);
	h->ttl = ttl_s;
	for (size_t i = 0; i < fields->count; i++)
		hash_add(h, fields->field[i].name, fields->field[i].value, fields->field[i].value_len);
}

void fact_store_write_sts(struct redis *r, const char *domain, const struct text_fields *fields, int64_t ttl_s)
{
	assert(r == world_redis() && ttl_s > 0);
	write_hash("sts", domain, fields, ttl_s);
}

void fact_store_write_dane(struct redis *r, const char *nexthop_key, const struct text_fields *fields, int64_t ttl_s)
{
	assert(r == world_redis() && ttl_s > 0);
	write_hash("dane", nexthop_key, fields, ttl_s);
}

static struct other_lock *other_of(const char *domain)
{
	struct other_lock *o;

	LIST_FOREACH(o, &others, entry)
	if (strcmp(o->domain, domain) == 0)
		return o;
	return NULL;
}

void world_lock_of_other(const char *domain, bool held)
{
	struct other_lock *o = other_of(domain);

	if (held && !o) {
		o = xcalloc(1, sizeof(*o));
		snprintf(o->domain, sizeof(o->domain), "%s", domain);
		LIST_INSERT_HEAD(&others, o, entry);
	} else if (!held && o) {
		LIST_REMOVE(o, entry);
		free(o);
	}
}

bool world_lock_is_ours(const char *domain)
{
	struct fact_lock *l;

	LIST_FOREACH(l, &locks, entry)
	if (l->got && strcmp(l->domain, domain) == 0)
		return true;
	return false;
}

size_t world_lock_asks(void)
{
	return lock_asks;
}

static void answer_lock(evutil_socket_t fd, short what, void *arg)
{
	struct fact_lock *l = arg;

	(void)fd;
	(void)what;
	fake_call_end(&l->call);
	l->got = world_redis_away || (!other_of(l->domain) && !world_lock_is_ours(l->domain));
	l->fn(l->got, l->arg);
}

struct fact_lock *fact_store_lock(struct redis *r, struct event_base *b, const char *domain, unsigned ttl_s,
				  fact_lock_fn *fn, void *arg)
{
	struct fact_lock *l = xcalloc(1, sizeof(*l));

	assert(r == world_redis() && b == fake_base && ttl_s > 0);
	*l = (struct fact_lock){.fn = fn, .arg = arg};
	snprintf(l->domain, sizeof(l->domain), "%s", domain);
	lock_asks++;
	LIST_INSERT_HEAD(&locks, l, entry);
	fake_call_soon(&l->call, answer_lock, l);
	return l;
}

void fact_lock_release(struct fact_lock **lock)
{
	fake_call_end(&(*lock)->call);
	LIST_REMOVE(*lock, entry);
	free(*lock);
	*lock = NULL;
}

void fake_store_begin(void)
{
	world_redis_away = world_redis_silent = world_redis_unread = false;
	read_count = write_count = lock_asks = 0;
}

void fake_store_end(void)
{
	assert(LIST_EMPTY(&reads) && LIST_EMPTY(&locks));
	FAKE_FREE_ALL(&hashes);
	FAKE_FREE_ALL(&others);
}
