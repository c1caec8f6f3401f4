/*
 * fake_world.c - the scripted adapters: three small tables and a list of calls that the loop will make.
 */
#include "io/fake_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/fact_store.h"

/* ---- clock and loop ---- */

static struct event_base *base;
static int64_t clock_ms;
static size_t contexts;

static int64_t fake_clock(void)
{
	return clock_ms;
}

int64_t world_now(void)
{
	return clock_ms / 1000;
}

/* Something the loop does at its next turn. */
struct call {
	struct event *event;
};

static void call_soon(struct call *c, event_callback_fn fn, void *arg)
{
	struct timeval at_once = {0, 0};

	c->event = evtimer_new(base, fn, arg);
	evtimer_add(c->event, &at_once);
}

static void call_end(struct call *c)
{
	if (c->event != NULL)
		event_free(c->event);
	c->event = NULL;
}

void world_run(void)
{
	int i;

	for (i = 0; i < 100; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

struct timers {
	struct event *event[16];
	size_t count;
};

static int collect(const struct event_base *b, const struct event *event, void *arg)
{
	struct timers *t = arg;

	(void)b;
	if (event_pending(event, EV_TIMEOUT, NULL) && t->count < 16)
		t->event[t->count++] = (struct event *)(uintptr_t)event;
	return 0;
}

/* libevent does not know our clock: every timer looks at it once. */
void world_pass(int64_t ms)
{
	struct timers t = {.count = 0};
	size_t i;

	world_run();
	clock_ms += ms;
	event_base_foreach_event(base, collect, &t);
	for (i = 0; i < t.count; i++)
		event_active(t.event[i], EV_TIMEOUT, 0);
	world_run();
}

/* ---- DNS ---- */

struct dns {
	int unused;
};

struct script {
	LIST_ENTRY(script) entry;
	char name[DOMAIN_SIZE];
	enum rr_type type;
	bool silent;
	size_t asked;
	uint8_t bytes[600];
	struct rr_rdata rdata;
	struct rr_answer answer;
};

struct dns_query {
	LIST_ENTRY(dns_query) entry;
	struct call call;
	struct script *script;
	dns_answer_fn *fn;
	void *arg;
};

static LIST_HEAD(, script) scripts;
static LIST_HEAD(, dns_query) queries;
static size_t dns_asked;

static struct script *script_of(const char *name, enum rr_type type)
{
	struct script *s;

	LIST_FOREACH(s, &scripts, entry)
	if (s->type == type && strcmp(s->name, name) == 0)
		return s;
	s = xcalloc(1, sizeof *s);
	snprintf(s->name, sizeof s->name, "%s", name);
	s->type = type;
	s->answer = (struct rr_answer){.status = RR_NXDOMAIN, .secure = true, .ttl = 300};
	LIST_INSERT_HEAD(&scripts, s, entry);
	return s;
}

static size_t wire_name(uint8_t *out, const char *name)
{
	uint8_t *p = out;

	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		*p++ = (uint8_t)len;
		memcpy(p, name, len);
		p += len;
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	return (size_t)(p - out);
}

static void script_ok(struct script *s, bool secure, uint32_t ttl, size_t len)
{
	s->silent = false;
	s->rdata = (struct rr_rdata){s->bytes, len};
	s->answer = (struct rr_answer){.status = RR_OK, .secure = secure, .ttl = ttl, .count = 1, .rdata = &s->rdata};
}

void world_mx(const char *name, bool secure, uint32_t ttl, const char *host)
{
	struct script *s = script_of(name, RR_MX);

	s->bytes[0] = 0;
	s->bytes[1] = 10;
	script_ok(s, secure, ttl, 2 + wire_name(s->bytes + 2, host));
}

void world_address(const char *name, bool secure, uint32_t ttl)
{
	struct script *s = script_of(name, RR_A);

	memcpy(s->bytes, "\300\0\2\1", 4);
	script_ok(s, secure, ttl, 4);
}

void world_tlsa(const char *host, uint32_t ttl)
{
	char name[DOMAIN_SIZE];
	struct script *s;

	snprintf(name, sizeof name, "_25._tcp.%s", host);
	s = script_of(name, RR_TLSA);
	memset(s->bytes, 0xab, 35);
	memcpy(s->bytes, "\3\1\1", 3);
	script_ok(s, true, ttl, 35);
}

void world_sts_txt(const char *domain, const char *id, uint32_t ttl)
{
	char name[DOMAIN_SIZE];
	struct script *s;

	snprintf(name, sizeof name, "_mta-sts.%s", domain);
	s = script_of(name, RR_TXT);
	s->answer = (struct rr_answer){.status = RR_NXDOMAIN, .secure = true, .ttl = ttl};
	s->silent = false;
	if (id == NULL)
		return;
	s->bytes[0] = (uint8_t)snprintf((char *)s->bytes + 1, sizeof s->bytes - 1, "v=STSv1; id=%s;", id);
	script_ok(s, false, ttl, (size_t)s->bytes[0] + 1);
}

void world_dns_status(const char *name, enum rr_type type, enum rr_status status)
{
	struct script *s = script_of(name, type);

	s->silent = false;
	s->answer =
	    (struct rr_answer){.status = status, .secure = status != RR_ERROR && status != RR_BOGUS, .ttl = 300};
}

void world_dns_silent(const char *name, enum rr_type type)
{
	script_of(name, type)->silent = true;
}

size_t world_dns_asked(const char *name, enum rr_type type)
{
	return name == NULL ? dns_asked : script_of(name, type)->asked;
}

size_t world_dns_open(void)
{
	struct dns_query *q;
	size_t count = 0;

	LIST_FOREACH(q, &queries, entry)
	count++;
	return count;
}

static void query_end(struct dns_query *q)
{
	call_end(&q->call);
	LIST_REMOVE(q, entry);
	free(q);
}

static void answer_query(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *q = arg, told = *q;

	(void)fd;
	(void)what;
	query_end(q);
	told.fn(&told.script->answer, told.arg);
}

struct dns_query *dns_ask(struct dns *d, const char *name, enum rr_type type, dns_answer_fn *fn, void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof *q);

	assert(d != NULL);
	*q = (struct dns_query){.script = script_of(name, type), .fn = fn, .arg = arg};
	q->script->asked++;
	dns_asked++;
	LIST_INSERT_HEAD(&queries, q, entry);
	if (!q->script->silent)
		call_soon(&q->call, answer_query, q);
	return q;
}

void dns_abort(struct dns_query **q)
{
	query_end(*q);
	*q = NULL;
}

struct dns *world_dns(void)
{
	contexts++;
	return xcalloc(1, sizeof(struct dns));
}

void dns_free(struct dns **d)
{
	contexts--;
	free(*d);
	*d = NULL;
}

/* ---- HTTPS ---- */

struct https {
	int unused;
};

struct site {
	LIST_ENTRY(site) entry;
	char host[DOMAIN_SIZE];
	char body[1000];
	struct policy_result result;
	bool held;
	size_t fetches;
};

struct https_fetch {
	LIST_ENTRY(https_fetch) entry;
	struct call call;
	struct site *site;
	https_result_fn *fn;
	void *arg;
};

static LIST_HEAD(, site) sites;
static LIST_HEAD(, https_fetch) fetches;
static size_t fetch_count;

static struct site *site_of(const char *host)
{
	struct site *s;

	LIST_FOREACH(s, &sites, entry)
	if (strcmp(s->host, host) == 0)
		return s;
	s = xcalloc(1, sizeof *s);
	snprintf(s->host, sizeof s->host, "%s", host);
	s->result = (struct policy_result){.failure = FETCH_FAILED, .why = "connection refused"};
	LIST_INSERT_HEAD(&sites, s, entry);
	return s;
}

void world_policy(const char *host, const char *mode, unsigned max_age, const char *mx)
{
	struct site *s = site_of(host);

	s->result = (struct policy_result){.body = s->body};
	s->result.len = (size_t)snprintf(s->body, sizeof s->body, "version: STSv1\nmode: %s\nmax_age: %u\nmx: %s\n",
					 mode, max_age, mx);
}

void world_policy_fails(const char *host, enum fetch_failure failure, const char *why)
{
	site_of(host)->result = (struct policy_result){.failure = failure, .why = why};
}

void world_hold(const char *host)
{
	site_of(host)->held = true;
}

size_t world_fetches(const char *host)
{
	return host == NULL ? fetch_count : site_of(host)->fetches;
}

size_t world_fetches_open(void)
{
	struct https_fetch *f;
	size_t count = 0;

	LIST_FOREACH(f, &fetches, entry)
	count++;
	return count;
}

static void fetch_end(struct https_fetch *f)
{
	call_end(&f->call);
	LIST_REMOVE(f, entry);
	free(f);
}

static void answer_fetch(evutil_socket_t fd, short what, void *arg)
{
	struct https_fetch *f = arg, told = *f;

	(void)fd;
	(void)what;
	fetch_end(f);
	told.fn(&told.site->result, told.arg);
}

void world_release(const char *host)
{
	struct https_fetch *f;
	struct site *s = site_of(host);

	s->held = false;
	LIST_FOREACH(f, &fetches, entry)
	if (f->site == s && f->call.event == NULL)
		call_soon(&f->call, answer_fetch, f);
}

struct https_fetch *https_fetch(struct https *h, const char *host, const char *const *addresses, size_t count,
				https_result_fn *fn, void *arg)
{
	struct https_fetch *f = xcalloc(1, sizeof *f);

	assert(h != NULL && count > 0 && addresses[0][0] != '\0');
	*f = (struct https_fetch){.site = site_of(host), .fn = fn, .arg = arg};
	f->site->fetches++;
	fetch_count++;
	LIST_INSERT_HEAD(&fetches, f, entry);
	if (!f->site->held)
		call_soon(&f->call, answer_fetch, f);
	return f;
}

void https_abort(struct https_fetch **f)
{
	fetch_end(*f);
	*f = NULL;
}

struct https *world_https(void)
{
	contexts++;
	return xcalloc(1, sizeof(struct https));
}

void https_free(struct https **h)
{
	contexts--;
	free(*h);
	*h = NULL;
}

size_t world_contexts(void)
{
	return contexts;
}

/* ---- Redis ---- */

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
	struct call call;
	struct nexthop nexthop;
	fact_read_fn *fn;
	void *arg;
};

struct fact_lock {
	LIST_ENTRY(fact_lock) entry;
	struct call call;
	char domain[DOMAIN_SIZE];
	bool got;
	fact_lock_fn *fn;
	void *arg;
};

struct other_lock {
	LIST_ENTRY(other_lock) entry;
	char domain[DOMAIN_SIZE];
};

bool world_redis_away, world_redis_silent;
static LIST_HEAD(, hash) hashes;
static LIST_HEAD(, fact_read) reads;
static LIST_HEAD(, fact_lock) locks;
static LIST_HEAD(, other_lock) others;
static size_t read_count, write_count, lock_asks;

const char *world_redis_policy;

const char *redis_maxmemory_policy(const struct redis *r)
{
	assert(r == world_redis());
	return world_redis_policy;
}

struct redis *world_redis(void)
{
	return (struct redis *)(void *)&hashes; /* never looked into */
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

	if (h == NULL) {
		h = xcalloc(1, sizeof *h);
		snprintf(h->key, sizeof h->key, "%s", key);
		LIST_INSERT_HEAD(&hashes, h, entry);
	}
	h->count = 0;
	return h;
}

static void hash_add(struct hash *h, const char *name, const char *value, size_t len)
{
	struct text_field *f = &h->field[h->count];
	char *to = h->text[h->count * 2];

	assert(h->count < HASH_FIELDS && len < sizeof h->text[0]);
	snprintf(to, sizeof h->text[0], "%s", name);
	memcpy(h->text[h->count * 2 + 1], value, len);
	h->text[h->count * 2 + 1][len] = '\0';
	*f = (struct text_field){to, strlen(to), h->text[h->count * 2 + 1], len};
	h->count++;
}

void world_hash(const char *key, const char *const *nv)
{
	struct hash *h = hash_of(key);

	if (nv == NULL) {
		if (h != NULL)
			LIST_REMOVE(h, entry);
		free(h);
		return;
	}
	for (h = hash_new(key); *nv != NULL; nv += 2)
		hash_add(h, nv[0], nv[1], strlen(nv[1]));
}

const char *world_hash_get(const char *key, const char *field)
{
	struct hash *h = hash_of(key);
	size_t i;

	for (i = 0; h != NULL && i < h->count; i++)
		if (strcmp(h->field[i].name, field) == 0)
			return h->field[i].value;
	return NULL;
}

int64_t world_hash_ttl(const char *key)
{
	return hash_of(key) != NULL ? hash_of(key)->ttl : 0;
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
	call_end(&r->call);
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
	snprintf(key, sizeof key, "sts:%s", told.nexthop.domain);
	sts = hash_of(key);
	snprintf(key, sizeof key, "dane:%s", told.nexthop.key);
	dane = hash_of(key);
	if (world_redis_away)
		told.fn(false, NULL, 0, NULL, 0, told.arg);
	else
		told.fn(true, sts != NULL ? sts->field : NULL, sts != NULL ? sts->count : 0,
			dane != NULL ? dane->field : NULL, dane != NULL ? dane->count : 0, told.arg);
}

struct fact_read *fact_store_read(struct redis *r, struct event_base *b, const struct nexthop *nexthop,
				  fact_read_fn *fn, void *arg)
{
	struct fact_read *read = xcalloc(1, sizeof *read);

	assert(r == world_redis() && b == base);
	*read = (struct fact_read){.nexthop = *nexthop, .fn = fn, .arg = arg};
	read_count++;
	LIST_INSERT_HEAD(&reads, read, entry);
	if (!world_redis_silent)
		call_soon(&read->call, answer_read, read);
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
	size_t i;

	if (world_redis_away)
		return;
	write_count++;
	snprintf(key, sizeof key, "%s:%s", kind, name);
	h = hash_new(key);
	h->ttl = ttl_s;
	for (i = 0; i < fields->count; i++)
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

	if (held && o == NULL) {
		o = xcalloc(1, sizeof *o);
		snprintf(o->domain, sizeof o->domain, "%s", domain);
		LIST_INSERT_HEAD(&others, o, entry);
	} else if (!held && o != NULL) {
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
	call_end(&l->call);
	l->got = world_redis_away || (other_of(l->domain) == NULL && !world_lock_is_ours(l->domain));
	l->fn(l->got, l->arg);
}

struct fact_lock *fact_store_lock(struct redis *r, struct event_base *b, const char *domain, unsigned ttl_s,
				  fact_lock_fn *fn, void *arg)
{
	struct fact_lock *l = xcalloc(1, sizeof *l);

	assert(r == world_redis() && b == base && ttl_s > 0);
	*l = (struct fact_lock){.fn = fn, .arg = arg};
	snprintf(l->domain, sizeof l->domain, "%s", domain);
	lock_asks++;
	LIST_INSERT_HEAD(&locks, l, entry);
	call_soon(&l->call, answer_lock, l);
	return l;
}

void fact_lock_release(struct fact_lock **lock)
{
	call_end(&(*lock)->call);
	LIST_REMOVE(*lock, entry);
	free(*lock);
	*lock = NULL;
}

/* ---- begin and end ---- */

struct event_base *world_begin(void)
{
	base = event_base_new();
	clock_ms = WORLD_START * 1000;
	tick_replace(fake_clock);
	world_redis_away = world_redis_silent = false;
	world_redis_policy = "noeviction";
	contexts = dns_asked = fetch_count = read_count = write_count = lock_asks = 0;
	return base;
}

#define FREE_ALL(list)                                                                                                 \
	while (!LIST_EMPTY(list)) {                                                                                    \
		void *first = LIST_FIRST(list);                                                                        \
		LIST_REMOVE(LIST_FIRST(list), entry);                                                                  \
		free(first);                                                                                           \
	}

void world_end(void)
{
	assert(LIST_EMPTY(&queries) && LIST_EMPTY(&fetches) && LIST_EMPTY(&reads) && LIST_EMPTY(&locks));
	assert(contexts == 0);
	FREE_ALL(&scripts);
	FREE_ALL(&sites);
	FREE_ALL(&hashes);
	FREE_ALL(&others);
	tick_replace(NULL);
	event_base_free(base);
}
