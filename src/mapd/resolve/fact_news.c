/*
 * fact_news.c - see fact_news.h.
 */
#include "mapd/resolve/fact_news.h"

#include <stdlib.h>
#include <string.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "core/rkeys.h"
#include "mapd/resolve/facts_pack.h"
#include "mapd/resolve/reread.h"
#include "mapd/resolve/shared_facts.h"

struct fact_news {
	struct fact_news_env env;
	struct rereads *rereads;
};

static const struct {
	int rkey_kind;
	unsigned mark;
} marks_of[] = {{RKEY_STS, KNOWN_MARK_STS}, {RKEY_DANE, KNOWN_MARK_DANE}};

/* ---- what was read again, and what is kept ---- */

/* As both would look in Redis, where nobody says why. */
static void picture(struct packed *p, struct facts *f)
{
	f->mx_why = NULL;
	for (size_t i = 0; i < f->host_count; i++)
		f->host[i].why = NULL;
	facts_pack_sts(p, &f->sts);
	facts_pack_hop(p, f);
}

static bool differ(struct facts *old, struct facts *new)
{
	struct packed a = {0}, b = {0};
	bool same;

	picture(&a, old);
	picture(&b, new);
	same = a.len == b.len && memcmp(a.bytes, b.bytes, a.len) == 0;
	facts_packed_fini(&a);
	facts_packed_fini(&b);
	return !same;
}

/* Something of N is kept that is not past its end. */
static bool is_alive(const struct fact_news *w, const struct nexthop *n)
{
	int64_t now = tick_wall_s();
	struct facts f;
	bool alive;

	facts_init(&f, n);
	alive = known_facts_get(w->env.known, n, &f);
	f.shared_known = true;
	facts_begin(&f, now);
	alive = alive && (facts_policy(&f, now) || facts_ready(&f, now));
	facts_fini(&f);
	return alive;
}

/* The hashes that MARKS name count more than what F has. */
static void take_reread(struct fact_news *w, struct facts *f, unsigned marks, const struct text_field *sts,
			size_t sts_count, const struct text_field *dane, size_t dane_count, int64_t now)
{
	if ((marks & KNOWN_MARK_STS) && shared_take_changed_sts(f, sts, sts_count, now))
		refresh_set(w->env.refresh, f->nexthop.domain, INT64_MAX);
	if (marks & KNOWN_MARK_DANE) {
		shared_forget_hop(f);
		shared_take_dane(f, dane, dane_count, now);
	}
}

static void keep_reread(struct fact_news *w, struct facts *f, bool changed, int64_t now)
{
	if (changed) {
		known_facts_put(w->env.known, f, now, true);
		refresh_set(w->env.refresh, f->nexthop.domain, refresh_next(f, now));
	} else if (f->sts.contradicted) {
		refresh_set(w->env.refresh, f->nexthop.domain, refresh_next(f, now));
	}
	if (f->sts.refresh) /* tlsmode cache refresh */
		refresh_set(w->env.refresh, f->nexthop.domain, now);
}

/* True: it says something that is not kept of N. */
static bool compare_reread(struct fact_news *w, const struct nexthop *n, unsigned marks, const struct text_field *sts,
			   size_t sts_count, const struct text_field *dane, size_t dane_count)
{
	int64_t now = tick_wall_s();
	struct facts old, new;
	bool known, changed;

	facts_init(&old, n);
	facts_init(&new, n);
	known_facts_get(w->env.known, n, &old);
	known = known_facts_get(w->env.known, n, &new);
	take_reread(w, &new, marks, sts, sts_count, dane, dane_count, now);
	changed = !known || differ(&old, &new);
	if (known)
		keep_reread(w, &new, changed, now);
	facts_fini(&old);
	facts_fini(&new);
	return changed;
}

/* ---- what is void ---- */

static void mark(struct fact_news *w, const struct nexthop *n, unsigned marks)
{
	known_facts_mark(w->env.known, n->domain, marks);
	jobs_mark(w->env.jobs, n->domain, marks);
}

/* What was rendered or is kept of the domain, or is being found out about it, is void until it is read again. */
static void is_stale(struct fact_news *w, const struct nexthop *n, unsigned marks)
{
	mark(w, n, marks);
	w->env.on_facts(n->key, NULL, w->env.arg);
}

/* What is known of MX and TLSA is void at every next hop of the domain: an operator's wish. Their hashes are not
 * announced. */
static void forget_hops(struct fact_news *w, const struct nexthop *n)
{
	struct nexthop hops[KNOWN_HOPS_MAX];
	size_t count = known_facts_hops(w->env.known, n->domain, hops);

	mark(w, n, KNOWN_MARK_DANE);
	for (size_t i = 0; i < count; i++)
		w->env.on_facts(hops[i].key, NULL, w->env.arg);
}

static void on_reread(const struct nexthop *n, unsigned marks, enum facts_shared how, const struct text_field *sts,
		      size_t sts_count, const struct text_field *dane, size_t dane_count, void *arg)
{
	struct fact_news *w = arg;
	bool changed;

	if (how != FACTS_SHARED_READ) {
		if (marks & KNOWN_MARK_STS)
			is_stale(w, n, KNOWN_MARK_STS);
		return;
	}
	changed = compare_reread(w, n, marks, sts, sts_count, dane, dane_count);
	if (shared_finds_anew(sts, sts_count))
		forget_hops(w, n);
	else if (changed)
		w->env.on_facts(n->key, NULL, w->env.arg);
	if (changed)
		jobs_mark(w->env.jobs, n->domain, marks);
}

static void fact_changed(struct fact_news *w, const struct nexthop *n, unsigned marks)
{
	if (marks == KNOWN_MARK_STS)
		fetch_turns_changed(w->env.turns, n->domain);
	if (!is_alive(w, n) && !jobs_has_domain(w->env.jobs, n->domain))
		is_stale(w, n, marks); /* nothing to lose: read when it is asked for */
	else if (!reread_start(w->rereads, n, marks))
		is_stale(w, n, marks);
}

void fact_news_changed(struct fact_news *w, int rkey_kind, const char *name)
{
	struct nexthop n;
	unsigned marks = 0;

	if (!name) {
		known_facts_mark_all(w->env.known);
		fetch_turns_changed(w->env.turns, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(marks_of) / sizeof(marks_of[0]); i++)
		marks |= marks_of[i].rkey_kind == rkey_kind ? marks_of[i].mark : 0;
	nexthop_parse(&n, name, strlen(name));
	if (marks != 0 && nexthop_in_dns(&n))
		fact_changed(w, &n, marks);
}

struct fact_news *fact_news_new(const struct fact_news_env *env)
{
	struct fact_news *w = xcalloc(1, sizeof(*w));

	w->env = *env;
	w->rereads = rereads_new(env->base, env->redis, on_reread, w);
	return w;
}

void fact_news_free(struct fact_news **w)
{
	if (!*w)
		return;
	rereads_free(&(*w)->rereads);
	free(*w);
	*w = NULL;
}

void fact_news_resize(struct fact_news *w, size_t max)
{
	rereads_resize(w->rereads, max);
}
