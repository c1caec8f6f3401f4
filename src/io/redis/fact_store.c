/*
 * fact_store.c - facts shared through Redis (fact_store.h).
 *
 * Not here: what the fields mean (core/facts_text.c), when to read or write (mapd: job.c, ledger.c, fetch_turn.c,
 * reread.c).
 */
#include "io/redis/fact_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "core/rkeys.h"

#define SLOW_MS 500
#define FIELDS_MAX 64 /* of a hash that anybody may have written */
#define BYTES_MAX (1 << 18)
#define TOKEN_SIZE 33
#define TRANSACTION 3 /* commands between MULTI and EXEC: DEL, HSET, EXPIRE */

static void format_key(char out[RKEY_SIZE], struct redis *r, enum rkey_kind kind, const char *name)
{
	struct sbuf b;

	sbuf_init(&b, out, RKEY_SIZE);
	rkeys_format(&b, redis_prefix(r), kind, name);
}

static struct event *fact_store_timer_ms(struct event_base *base, event_callback_fn fn, void *arg, int ms)
{
	const struct timeval tv = {ms / 1000, (ms % 1000) * 1000};
	struct event *ev = evtimer_new(base, fn, arg);

	if (!ev)
		abort();
	evtimer_add(ev, &tv);
	return ev;
}

/* ---- reading ---- */
struct hash_copy {
	struct text_field field[FIELDS_MAX];
	size_t count;
	char *bytes;
};

struct fact_read {
	struct redis *redis;
	fact_read_fn *fn; /* NULL while it is being called */
	void *arg;
	struct event *timer;
	int waiting; /* replies */
	bool lost;
	struct hash_copy hash[2]; /* sts, dane */
	struct hash_slot {
		struct fact_read *read;
		struct hash_copy *into;
	} slot[2];
};

static void read_free(struct fact_read *f)
{
	event_free(f->timer);
	free(f->hash[0].bytes);
	free(f->hash[1].bytes);
	free(f);
}

/* False: too large for a fact, none of ours, and no sign that there is none. */
static bool copy_hash(struct hash_copy *out, struct redis_list pairs)
{
	struct redis_list again = pairs;
	struct redis_text name, value;
	size_t total = 0;
	char *at;

	if (pairs.left / 2 > FIELDS_MAX)
		return false;
	while (redis_pair_next(&again, &name, &value))
		total += name.len + 1 + value.len + 1;
	if (total > BYTES_MAX)
		return false;
	at = out->bytes = xmalloc(total + 1);
	while (redis_pair_next(&pairs, &name, &value)) {
		struct text_field *f = &out->field[out->count++];

		*f = (struct text_field){at, name.len, at + name.len + 1, value.len};
		memcpy(at, name.text, name.len + 1);
		memcpy(at + name.len + 1, value.text, value.len + 1);
		at += name.len + 1 + value.len + 1;
	}
	return true;
}

static void answer(struct fact_read *f, bool served)
{
	fact_read_fn *fn = f->fn;
	enum facts_shared how = redis_is_up(f->redis) ? FACTS_SHARED_UNREAD : FACTS_SHARED_AWAY;

	redis_forget(f->redis, &f->slot[0]);
	redis_forget(f->redis, &f->slot[1]);
	f->fn = NULL;
	fn(served ? FACTS_SHARED_READ : how, f->hash[0].field, served ? f->hash[0].count : 0, f->hash[1].field,
	   served ? f->hash[1].count : 0, f->arg);
	read_free(f);
}

/* Whatever is no hash says nothing of the key: that there is none would make us forget a policy. */
static void on_hash(const struct redis_reply *reply, void *arg)
{
	struct hash_slot *slot = arg;
	struct fact_read *f = slot->read;
	struct redis_list pairs;

	if (!reply) {
		f->lost = true;
	} else if (redis_reply_pairs(reply, &pairs)) {
		f->lost = !copy_hash(slot->into, pairs) || f->lost;
	} else {
		redis_note_error(f->redis, "reading a fact", reply);
		f->lost = true;
	}
	if (--f->waiting == 0)
		answer(f, !f->lost);
}

/* Too slow; or (no question was sent) the answer that must not come from inside the call. */
static void on_read_timer(evutil_socket_t fd, short what, void *arg)
{
	struct fact_read *f = arg;

	(void)fd;
	(void)what;
	answer(f, f->waiting == 0 && !f->lost);
}

static void fact_store_ask(struct fact_read *f, int which, enum rkey_kind kind, const char *name)
{
	char key[RKEY_SIZE];

	format_key(key, f->redis, kind, name);
	f->slot[which] = (struct hash_slot){f, &f->hash[which]};
	f->waiting++;
	redis_command(f->redis, on_hash, &f->slot[which], 2, (const char *[]){"HGETALL", key}, NULL);
}

struct fact_read *fact_store_read(struct redis *r, struct event_base *base, const struct nexthop *nexthop,
				  fact_read_fn *fn, void *arg)
{
	struct fact_read *f = xcalloc(1, sizeof(*f));
	bool named = nexthop_in_dns(nexthop);
	bool busy = named && redis_is_busy(r);

	f->redis = r;
	f->fn = fn;
	f->arg = arg;
	f->lost = busy;
	f->timer = fact_store_timer_ms(base, on_read_timer, f, named && !busy ? SLOW_MS : 0);
	if (named && !busy) {
		fact_store_ask(f, 0, RKEY_STS, nexthop->domain);
		fact_store_ask(f, 1, RKEY_DANE, nexthop->key);
	}
	return f;
}

void fact_read_abort(struct fact_read **read)
{
	struct fact_read *f = *read;

	*read = NULL;
	if (!f || !f->fn) /* from inside FN: answer() ends it */
		return;
	redis_forget(f->redis, &f->slot[0]);
	redis_forget(f->redis, &f->slot[1]);
	read_free(f);
}

/* ---- writing ---- */
/* KEYS[1] the sts hash; ARGV: TTL in seconds, our fetched_at (0 without a policy: earlier than all), now, field, value,
 * ... A fetched_at that is no number or lies in the future is not believed. A key of another type is replaced. */
static const char write_script[] =
    "local old = redis.pcall('HGET', KEYS[1], 'fetched_at')\n"
    "old = type(old) == 'string' and tonumber(old) or nil\n"
    "if old and old <= tonumber(ARGV[3]) + 60 and old > (tonumber(ARGV[2]) or 0) then return 0 end\n"
    "local args = {}\n"
    "for i = 4, #ARGV do args[#args + 1] = ARGV[i] end\n"
    "redis.call('DEL', KEYS[1])\n"
    "redis.call('HSET', KEYS[1], unpack(args))\n"
    "redis.call('EXPIRE', KEYS[1], ARGV[1])\n"
    "return 1\n";

static void on_written(const struct redis_reply *reply, void *arg)
{
	int64_t count;

	if (reply && !redis_reply_integer(reply, &count))
		redis_note_error(arg, "writing a fact", reply);
}

static void on_started(const struct redis_reply *reply, void *arg)
{
	if (reply && !redis_reply_is_status(reply, "OK"))
		redis_note_error(arg, "writing a fact", reply);
}

static void on_queued(const struct redis_reply *reply, void *arg)
{
	if (reply && !redis_reply_is_status(reply, "QUEUED"))
		redis_note_error(arg, "writing a fact", reply);
}

static void on_executed(const struct redis_reply *reply, void *arg)
{
	const struct redis_reply *culprit;

	if (reply && !redis_reply_counts(reply, TRANSACTION, &culprit) &&
	    !redis_reply_is_error(reply, "EXECABORT")) /* the reason came before it */
		redis_note_error(arg, "writing a fact", culprit);
}

static const struct text_field *find_field(const struct text_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++)
		if (fields->field[i].name_len == strlen(name) && memcmp(fields->field[i].name, name, strlen(name)) == 0)
			return &fields->field[i];
	return NULL;
}

struct words {
	int count;
	const char *word[7 + 2 * FACTS_TEXT_FIELDS_MAX];
	size_t len[7 + 2 * FACTS_TEXT_FIELDS_MAX];
};

static void fact_store_add(struct words *w, const char *word, size_t len)
{
	w->word[w->count] = word;
	w->len[w->count++] = len;
}

static void add_text(struct words *w, const char *text)
{
	fact_store_add(w, text, strlen(text));
}

static void add_fields(struct words *w, const struct text_fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		fact_store_add(w, fields->field[i].name, fields->field[i].name_len);
		fact_store_add(w, fields->field[i].value, fields->field[i].value_len);
	}
}

static bool takes_more(struct redis *r)
{
	return redis_is_up(r) && !redis_is_busy(r);
}

static void format_seconds(char out[24], int64_t seconds)
{
	snprintf(out, 24, "%" PRId64, seconds);
}

void fact_store_write_sts(struct redis *r, const char *domain, const struct text_fields *fields, int64_t ttl_s)
{
	const struct text_field *fetched = find_field(fields, "fetched_at");
	char key[RKEY_SIZE], ttl[24], now[24];
	struct words w = {0};

	if (fields->count == 0 || !takes_more(r))
		return;
	format_key(key, r, RKEY_STS, domain);
	format_seconds(ttl, ttl_s < 1 ? 1 : ttl_s);
	format_seconds(now, tick_wall_ms() / 1000);
	add_text(&w, "EVAL");
	add_text(&w, write_script);
	add_text(&w, "1");
	add_text(&w, key);
	add_text(&w, ttl);
	if (fetched)
		fact_store_add(&w, fetched->value, fetched->value_len);
	else
		add_text(&w, "0");
	add_text(&w, now);
	add_fields(&w, fields);
	redis_command(r, on_written, r, w.count, w.word, w.len);
}

/* No script where none is needed: what a script changes is announced to us too, in spite of NOLOOP. */
void fact_store_write_dane(struct redis *r, const char *nexthop_key, const struct text_fields *fields, int64_t ttl_s)
{
	char key[RKEY_SIZE], ttl[24];
	struct words hset = {0};

	if (fields->count == 0 || !takes_more(r))
		return;
	format_key(key, r, RKEY_DANE, nexthop_key);
	format_seconds(ttl, ttl_s < 1 ? 1 : ttl_s);
	add_text(&hset, "HSET");
	add_text(&hset, key);
	add_fields(&hset, fields);
	redis_command(r, on_started, r, 1, (const char *[]){"MULTI"}, NULL);
	redis_command(r, on_queued, r, 2, (const char *[]){"DEL", key}, NULL);
	redis_command(r, on_queued, r, hset.count, hset.word, hset.len);
	redis_command(r, on_queued, r, 3, (const char *[]){"EXPIRE", key, ttl}, NULL);
	redis_command(r, on_executed, r, 1, (const char *[]){"EXEC"}, NULL);
}

/* ---- the lock ---- */
struct fact_lock {
	struct redis *redis;
	fact_lock_fn *fn; /* NULL once answered */
	void *arg;
	struct event *timer;
	bool asked;
	char key[RKEY_SIZE];
	char token[TOKEN_SIZE];
	char ms[24];
};

static const char release_script[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end\nreturn 0\n";

/* KEYS[1] the lock; ARGV: our token, the longest end that one of us would give it. */
static const char judge_script[] = "local left = redis.call('PTTL', KEYS[1])\n"
				   "if left >= 0 and left <= tonumber(ARGV[2]) then return 0 end\n"
				   "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
				   "return 1\n";

static void make_token(char out[TOKEN_SIZE])
{
	unsigned char bytes[(TOKEN_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort();
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void lock_answer(struct fact_lock *l, bool got)
{
	fact_lock_fn *fn = l->fn;

	evtimer_del(l->timer);
	redis_forget(l->redis, l);
	l->fn = NULL;
	fn(got, l->arg);
}

static void on_lock_judged(const struct redis_reply *reply, void *arg)
{
	struct fact_lock *l = arg;
	int64_t ours;

	if (!reply || redis_reply_integer(reply, &ours)) {
		lock_answer(l, !reply || ours != 0);
		return;
	}
	redis_note_error(l->redis, "taking a lock", reply);
	lock_answer(l, true);
}

/* Only "somebody else has it" (nil) keeps us from fetching, if it is one of us. */
static void on_lock(const struct redis_reply *reply, void *arg)
{
	struct fact_lock *l = arg;

	if (reply && redis_reply_is_nil(reply)) {
		redis_command(l->redis, on_lock_judged, l, 6,
			      (const char *[]){"EVAL", judge_script, "1", l->key, l->token, l->ms}, NULL);
		return;
	}
	if (reply && !redis_reply_is_status(reply, "OK"))
		redis_note_error(l->redis, "taking a lock", reply);
	lock_answer(l, true);
}

static void on_lock_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lock_answer(arg, true);
}

struct fact_lock *fact_store_lock(struct redis *r, struct event_base *base, const char *domain, unsigned ttl_s,
				  fact_lock_fn *fn, void *arg)
{
	struct fact_lock *l = xcalloc(1, sizeof(*l));

	l->redis = r;
	l->fn = fn;
	l->arg = arg;
	l->asked = !redis_is_busy(r);
	l->timer = fact_store_timer_ms(base, on_lock_timer, l, l->asked ? SLOW_MS : 0);
	format_key(l->key, r, RKEY_LOCK, domain);
	make_token(l->token);
	snprintf(l->ms, sizeof(l->ms), "%u", (ttl_s ? ttl_s : 1) * 1000);
	if (l->asked)
		redis_command(r, on_lock, l, 6, (const char *[]){"SET", l->key, l->token, "NX", "PX", l->ms}, NULL);
	return l;
}

/* Also when no answer came yet: the script follows the SET on the same connection and undoes it. */
void fact_lock_release(struct fact_lock **lock)
{
	struct fact_lock *l = *lock;

	*lock = NULL;
	if (!l)
		return;
	redis_forget(l->redis, l);
	if (l->asked && redis_is_up(l->redis))
		redis_command(l->redis, on_written, l->redis, 5,
			      (const char *[]){"EVAL", release_script, "1", l->key, l->token}, NULL);
	event_free(l->timer);
	free(l);
}
