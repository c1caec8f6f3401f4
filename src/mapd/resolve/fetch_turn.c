/*
 * fetch_turn.c - the turn of each policy domain, as a state and one function per thing that can happen.
 */
#include "mapd/resolve/fetch_turn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "base/hmap.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/fact_store.h"

enum turn_state {
	TURN_LOCK,  /* asked for the lock */
	TURN_LOOK,  /* reads the hash again */
	TURN_AWAY,  /* another node has the lock: its result or its end is awaited */
	TURN_FETCH, /* the transfer is on its way */
	TURN_TELL   /* the askers are being told */
};

struct fetch_turn {
	struct hmap_node node;
	struct fetch_turns *all;
	enum turn_state state;
	bool ours;        /* the lock was granted */
	int64_t until_ms; /* monotonic: then it fetches, lock or not; 0: the lock was not refused yet */
	bool changed;     /* the hash changed while the lock was asked for */
	struct fact_lock *lock;
	struct fact_read *read;
	struct https_fetch *fetch;
	struct backend *backend;
	struct due retry;
	TAILQ_HEAD(, fetch_asker) askers;
	struct nexthop nexthop; /* to read Redis by */
	char host[DOMAIN_SIZE];
	size_t address_count;
	char address[8][46];
};

struct fetch_turns {
	struct event_base *base;
	struct redis *redis;
	struct due_queue *mono;
	struct hmap domains;
};

static void ask_lock(struct fetch_turn *t);

static bool is_over(const struct fetch_turn *t)
{
	return t->until_ms != 0 && tick_mono_ms() >= t->until_ms;
}

static const char *turn_domain(const struct fetch_turn *t)
{
	return t->nexthop.domain;
}

static struct fetch_turn *fetch_turn_find(const struct fetch_turns *all, const char *domain)
{
	struct hmap_node *n;

	for (n = hmap_first(&all->domains, hmap_hash(&all->domains, domain, strlen(domain))); n; n = hmap_next(n)) {
		struct fetch_turn *t = hmap_entry(n, struct fetch_turn, node);

		if (strcmp(turn_domain(t), domain) == 0)
			return t;
	}
	return NULL;
}

static void end(struct fetch_turn *t)
{
	if (t->read)
		fact_read_abort(&t->read);
	if (t->fetch)
		https_abort(&t->fetch);
	if (t->lock)
		fact_lock_release(&t->lock);
	due_clear(t->all->mono, &t->retry);
	backend_leave(&t->backend);
	hmap_remove(&t->all->domains, &t->node);
	free(t);
}

static void on_fetched(const struct policy_result *result, void *arg)
{
	struct fetch_turn *t = arg;
	struct fetch_asker *a;

	t->fetch = NULL;
	t->state = TURN_TELL;
	while ((a = TAILQ_FIRST(&t->askers))) {
		TAILQ_REMOVE(&t->askers, a, entry);
		a->turn = NULL;
		a->on_result(result, a->arg);
	}
	end(t);
}

static void start_fetch(struct fetch_turn *t)
{
	const char *addresses[8];

	for (size_t i = 0; i < t->address_count; i++)
		addresses[i] = t->address[i];
	due_clear(t->all->mono,
		  &t->retry); /* it may still wait when Redis went away before the other node's time was over */
	t->state = TURN_FETCH;
	t->fetch = https_fetch(t->backend->https, t->host, addresses, t->address_count, on_fetched, t);
}

/* Askers for whom the hash is the answer go; their functions do not join turns. */
static void tell_shared(struct fetch_turn *t, const struct text_field *sts, size_t count)
{
	struct fetch_asker *next;

	for (struct fetch_asker *a = TAILQ_FIRST(&t->askers); a; a = next) {
		next = TAILQ_NEXT(a, entry);
		TAILQ_REMOVE(&t->askers, a, entry);
		a->turn = NULL;
		if (a->on_shared(sts, count, a->arg))
			continue;
		a->turn = t;
		if (next)
			TAILQ_INSERT_BEFORE(next, a, entry);
		else
			TAILQ_INSERT_TAIL(&t->askers, a, entry);
	}
}

static void on_looked(enum facts_shared how, const struct text_field *sts, size_t sts_count,
		      const struct text_field *dane, size_t dane_count, void *arg)
{
	struct fetch_turn *t = arg;

	(void)dane;
	(void)dane_count;
	t->read = NULL;
	if (how == FACTS_SHARED_READ) {
		t->state = TURN_TELL;
		tell_shared(t, sts, sts_count);
	}
	if (TAILQ_EMPTY(&t->askers))
		end(t);
	else if (t->ours || how != FACTS_SHARED_READ || is_over(t))
		start_fetch(t);
	else
		ask_lock(t);
}

static void look(struct fetch_turn *t)
{
	if (t->read) /* what it would bring is older than what we were told of */
		fact_read_abort(&t->read);
	t->state = TURN_LOOK;
	t->changed = false;
	t->read = fact_store_read(t->all->redis, t->all->base, &t->nexthop, on_looked, t);
}

static void refused(struct fetch_turn *t)
{
	int64_t now = tick_mono_ms(), again = now + FETCH_LOCK_S * 1000;
	uint32_t number;

	fact_lock_release(&t->lock);
	evutil_secure_rng_get_bytes(&number, sizeof(number));
	if (t->until_ms == 0)
		t->until_ms = now + FETCH_PATIENCE_S * 1000 + number % (FETCH_SPREAD_S * 1000);
	due_set(t->all->mono, &t->retry, again < t->until_ms ? again : t->until_ms);
	t->state = TURN_AWAY;
}

static void on_lock(bool got, void *arg)
{
	struct fetch_turn *t = arg;

	t->ours = got;
	if (!got)
		refused(t);
	if (got || t->changed)
		look(t);
}

static void ask_lock(struct fetch_turn *t)
{
	t->state = TURN_LOCK;
	due_clear(t->all->mono, &t->retry);
	t->changed = false;
	t->lock = fact_store_lock(t->all->redis, t->all->base, turn_domain(t), FETCH_LOCK_S, on_lock, t);
}

/* The other node's time is over. */
static void on_retry(void *arg)
{
	look(arg);
}

struct fetch_turns *fetch_turns_new(struct event_base *base, struct redis *redis, struct due_queue *mono)
{
	struct fetch_turns *all = xcalloc(1, sizeof(*all));

	*all = (struct fetch_turns){.base = base, .redis = redis, .mono = mono};
	hmap_init(&all->domains, 0);
	return all;
}

void fetch_turns_free(struct fetch_turns **t)
{
	if (!*t)
		return;
	hmap_fini(&(*t)->domains);
	free(*t);
	*t = NULL;
}

static struct fetch_turn *fetch_turn_start(struct fetch_turns *all, const struct facts *f, const char *host,
					   struct backend *backend)
{
	struct fetch_turn *t = xcalloc(1, sizeof(*t));

	t->all = all;
	t->nexthop = f->nexthop;
	t->backend = backend_share(backend);
	t->address_count = f->sts.address_count;
	memcpy(t->address, f->sts.address, sizeof(t->address));
	snprintf(t->host, sizeof(t->host), "%s", host);
	TAILQ_INIT(&t->askers);
	due_init(&t->retry, on_retry, t);
	hmap_insert(&all->domains, &t->node, hmap_hash(&all->domains, turn_domain(t), strlen(turn_domain(t))));
	ask_lock(t);
	return t;
}

void fetch_turn_join(struct fetch_turns *t, struct fetch_asker *asker, const struct facts *f, const char *host,
		     struct backend *backend)
{
	struct fetch_turn *turn = fetch_turn_find(t, f->nexthop.domain);

	if (!turn)
		turn = fetch_turn_start(t, f, host, backend);
	asker->turn = turn;
	TAILQ_INSERT_TAIL(&turn->askers, asker, entry);
}

void fetch_turn_leave(struct fetch_asker *asker)
{
	struct fetch_turn *t = asker->turn;

	if (!t)
		return;
	TAILQ_REMOVE(&t->askers, asker, entry);
	asker->turn = NULL;
	if (TAILQ_EMPTY(&t->askers) && t->state != TURN_TELL)
		end(t);
}

bool fetch_turn_is_ours(const struct fetch_asker *asker)
{
	return asker->turn && asker->turn->state == TURN_FETCH;
}

static void changed(struct fetch_turn *t)
{
	t->changed = true;
	if (t->state == TURN_AWAY || t->state == TURN_LOOK)
		look(t);
}

static void changed_node(struct hmap_node *node, void *arg)
{
	(void)arg;
	changed(hmap_entry(node, struct fetch_turn, node));
}

void fetch_turns_changed(struct fetch_turns *t, const char *domain)
{
	struct fetch_turn *turn;

	if (!domain)
		hmap_each(&t->domains, changed_node, NULL);
	else if ((turn = fetch_turn_find(t, domain)))
		changed(turn);
}

size_t fetch_turns_count(const struct fetch_turns *t)
{
	return t->domains.count;
}
