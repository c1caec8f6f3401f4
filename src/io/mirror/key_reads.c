/*
 * key_reads.c - reads settings keys from Redis (key_reads.h).
 *
 * Replies come in the order of the commands, so those in flight form a queue: its head is the key whose replies come
 * next.
 */
#include "io/mirror/key_reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/xalloc.h"
#include "io/mirror/key_set.h"
#include "io/redis/redis_advice.h"
#include "io/mirror/setting_read.h"

#define IN_FLIGHT_MAX 500 /* keys: Redis answers them in a millisecond or two */
#define DISCARD_MAX 3     /* times an overtaken answer is thrown away */

/* queued -> in flight -> answered (gone, or queued again when overtaken) */
struct key_read {
	struct key key;
	TAILQ_ENTRY(key_read) link;
	struct batch *batch;
	bool bulk;
	bool urgent; /* waits in that queue, or came from it */
	bool in_flight;
	bool overtaken; /* wanted again since it was sent */
	bool dead;      /* given up while in flight: its replies are still to come */
	unsigned discarded;
};
TAILQ_HEAD(read_queue, key_read);

struct key_reads {
	struct redis *redis;
	struct complaints *complaints;
	struct key_reads_events ev;
	void *arg;
	struct key_set keys;
	struct read_queue urgent, bulk, flight;
	size_t waiting, flying, bulk_left;
	uint64_t wanted, read; /* urgent ones, ever */
	bool bulk_turn;
	unsigned long bad;
	struct setting value; /* of the head of the queue in flight, between its two replies */
	enum setting_read result;
	char why[REDIS_WHY_SIZE];
};

static void key_reads_on_hgetall(const struct redis_reply *reply, void *arg);
static void key_reads_on_pttl(const struct redis_reply *reply, void *arg);

static struct key_read *read_of(struct key *key)
{
	return hmap_entry(key, struct key_read, key);
}

static void dispatch(struct key_reads *k, struct key_read *r)
{
	char text[RKEY_SIZE];
	struct sbuf key;

	sbuf_init(&key, text, sizeof(text));
	rkeys_format(&key, redis_prefix(k->redis), rkeys_of_setting((enum setting_kind)r->key.kind), r->key.name);
	r->in_flight = true;
	r->overtaken = false;
	TAILQ_INSERT_TAIL(&k->flight, r, link);
	k->flying++;
	redis_command(k->redis, key_reads_on_hgetall, k, 2, (const char *[]){"HGETALL", text}, NULL);
	redis_command(k->redis, key_reads_on_pttl, k, 2, (const char *[]){"PTTL", text}, NULL);
}

/* Changes go before the rest, but every other turn is the rest's: a full reading comes to its end whatever else is
 * being written. */
static struct read_queue *next_queue(struct key_reads *k)
{
	k->bulk_turn = !k->bulk_turn;
	if (TAILQ_EMPTY(&k->urgent) || (k->bulk_turn && !TAILQ_EMPTY(&k->bulk)))
		return &k->bulk;
	return &k->urgent;
}

static void pump(struct key_reads *k)
{
	while (k->flying < IN_FLIGHT_MAX && k->waiting > 0) {
		struct read_queue *q = next_queue(k);
		struct key_read *r = TAILQ_FIRST(q);

		TAILQ_REMOVE(q, r, link);
		k->waiting--;
		dispatch(k, r);
	}
}

static void enqueue(struct key_reads *k, struct key_read *r, bool urgent)
{
	r->in_flight = false;
	r->urgent = urgent;
	TAILQ_INSERT_TAIL(urgent ? &k->urgent : &k->bulk, r, link);
	k->waiting++;
	k->wanted += urgent;
}

static bool join(struct key_reads *k, struct key_read *r, struct batch *batch)
{
	struct batch *old = r->batch;

	if (!batch || batch == old)
		return false;
	r->batch = batch;
	if (old)
		k->ev.on_leave(old, k->arg);
	return true;
}

bool key_reads_want(struct key_reads *k, enum setting_kind kind, const char *name, bool bulk, struct batch *batch)
{
	struct key *key = key_set_find(&k->keys, kind, name);
	struct key_read *r = key ? read_of(key) : NULL;
	bool joined;

	if (!r) {
		r = read_of(key_set_add(&k->keys, kind, name));
		enqueue(k, r, !bulk);
	} else if (r->in_flight) {
		/* a key met twice by SCAN is not a change */
		r->overtaken = r->overtaken || !bulk;
	} else if (!bulk && !r->urgent) {
		TAILQ_REMOVE(&k->bulk, r, link);
		k->waiting--;
		enqueue(k, r, true);
	}
	if (bulk && !r->bulk) {
		r->bulk = true;
		k->bulk_left++;
	}
	joined = join(k, r, batch);
	pump(k);
	return joined;
}

/* The head of the queue in flight has all its replies. */
static struct key_read *land(struct key_reads *k)
{
	struct key_read *r = TAILQ_FIRST(&k->flight);

	TAILQ_REMOVE(&k->flight, r, link);
	k->flying--;
	k->read += r->urgent;
	return r;
}

static void key_reads_end(struct key_reads *k, struct key_read *r)
{
	key_set_remove(&k->keys, &r->key);
}

/* In flight, and nobody waits for what comes. */
static void die(struct key_reads *k, struct key_read *r)
{
	r->dead = true;
	key_set_hide(&k->keys, &r->key);
}

static void key_reads_finish(struct key_reads *k, struct key_read *r)
{
	struct batch *batch = r->batch;
	enum setting_kind kind = (enum setting_kind)r->key.kind;
	bool bulk = r->bulk, again = r->overtaken;
	char name[SETTING_NAME_SIZE];

	snprintf(name, sizeof(name), "%s", r->key.name);
	if (again && r->discarded++ < DISCARD_MAX) {
		enqueue(k, r, true);
		return;
	}
	if (bulk) {
		k->bulk_left--;
		r->bulk = false;
	}
	if (again) {
		r->discarded = 0;
		enqueue(k, r, true);
		if (k->result == SETTING_READ_NONE)
			batch = NULL; /* the last word on a loss is the next reading's */
	} else {
		key_reads_end(k, r);
	}
	if (!again || k->result == SETTING_READ_OK || bulk)
		k->ev.on_read(kind, name, k->result == SETTING_READ_OK ? &k->value : NULL, batch, bulk, k->arg);
	if (!again && batch)
		k->ev.on_leave(batch, k->arg);
}

static void key_reads_refused(struct key_reads *k, const char *command, const struct redis_reply *reply)
{
	redis_reply_why(k->why, sizeof(k->why), command, reply);
	key_reads_abort(k);
	k->ev.on_refused(k->why, k->arg);
}

static void key_reads_on_hgetall(const struct redis_reply *reply, void *arg)
{
	struct key_reads *k = arg;
	struct key_read *r = TAILQ_FIRST(&k->flight);

	if (!reply || r->dead)
		return;
	k->result = SETTING_READ_NONE;
	if (r->overtaken && r->discarded < DISCARD_MAX)
		return; /* will be discarded: do not complain about it either */
	k->result = setting_read(&k->value, (enum setting_kind)r->key.kind, r->key.name, reply, k->complaints, &k->bad);
	if (k->result == SETTING_READ_FAILED)
		key_reads_refused(k, "HGETALL", reply);
}

static void key_reads_on_pttl(const struct redis_reply *reply, void *arg)
{
	struct key_reads *k = arg;
	struct key_read *r = land(k);
	enum setting_read end;

	if (!reply && !r->dead)
		die(k, r); /* lost: the mirror hears so from redis.c and wants everything anew */
	if (r->dead) {
		key_reads_end(k, r);
		return;
	}
	end = setting_read_end(&k->value, reply);
	if (end == SETTING_READ_FAILED) {
		TAILQ_INSERT_HEAD(&k->flight, r, link); /* given up with the others */
		k->flying++;
		key_reads_refused(k, "PTTL", reply);
		key_reads_end(k, land(k));
		return;
	}
	if (end == SETTING_READ_NONE)
		k->result = SETTING_READ_NONE; /* an invalidation is on its way */
	key_reads_finish(k, r);
	pump(k);
}

static void drop_queue(struct key_reads *k, struct read_queue *q)
{
	struct key_read *r;

	while ((r = TAILQ_FIRST(q))) {
		TAILQ_REMOVE(q, r, link);
		key_reads_end(k, r);
	}
}

void key_reads_abort(struct key_reads *k)
{
	struct key_read *r;

	drop_queue(k, &k->urgent);
	drop_queue(k, &k->bulk);
	k->waiting = k->bulk_left = 0;
	TAILQ_FOREACH(r, &k->flight, link)
	{
		die(k, r);
		r->urgent = false;
	}
	k->read = k->wanted;
}

struct key_reads *key_reads_new(struct redis *r, struct complaints *complaints, const struct key_reads_events *ev,
				void *arg)
{
	struct key_reads *k = xcalloc(1, sizeof(*k));

	k->redis = r;
	k->complaints = complaints;
	k->ev = *ev;
	k->arg = arg;
	KEY_SET_INIT(&k->keys, struct key_read, key);
	TAILQ_INIT(&k->urgent);
	TAILQ_INIT(&k->bulk);
	TAILQ_INIT(&k->flight);
	return k;
}

void key_reads_free(struct key_reads **reads)
{
	struct key_reads *k = *reads;

	*reads = NULL;
	if (!k)
		return;
	redis_forget(k->redis, k);
	key_reads_abort(k);
	drop_queue(k, &k->flight);
	key_set_fini(&k->keys);
	free(k);
}

size_t key_reads_waiting(const struct key_reads *k)
{
	return k->waiting;
}

size_t key_reads_bulk(const struct key_reads *k)
{
	return k->bulk_left;
}

size_t key_reads_changes(const struct key_reads *k)
{
	return (size_t)(k->wanted - k->read);
}

bool key_reads_has(const struct key_reads *k, enum setting_kind kind, const char *name)
{
	return key_set_find(&k->keys, kind, name);
}

uint64_t key_reads_mark(const struct key_reads *k)
{
	return k->wanted;
}

bool key_reads_passed(const struct key_reads *k, uint64_t mark)
{
	return k->read >= mark;
}

unsigned long key_reads_bad(const struct key_reads *k)
{
	return k->bad;
}

bool key_reads_name(struct key_reads *k, char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw,
		    size_t len)
{
	return setting_read_name(out, kind, raw, len, k->complaints, &k->bad);
}
