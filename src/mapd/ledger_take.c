/*
 * ledger_take.c - the facts' way into a job: from memory and from Redis; and what another node's change in Redis does
 * to memory.
 *
 * RFC 8461 s5.1: what a live failure, or a lost hash, may not do to a valid policy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/facts_pack.h"
#include "mapd/ledger.h"

/* The MX and host part as if never asked. */
static void forget_hop(struct facts *f)
{
	struct facts *fresh = &(struct facts){0};

	facts_init(fresh, &f->nexthop);
	f->mx = fresh->mx;
	f->mx_kind = fresh->mx_kind;
	f->mx_until = fresh->mx_until;
	f->mx_truncated = false;
	f->mx_why = NULL;
	f->host_count = fresh->host_count;
	f->host[0] = fresh->host[0];
	facts_fini(fresh);
}

void ledger_begin(struct ledger *l, struct job *j)
{
	struct facts *f = &j->facts;
	int64_t now = tick_wall_s();

	j->marks = known_facts_marks(l->known, f->nexthop.domain);
	known_facts_unmark(l->known, f->nexthop.domain);
	if (known_facts_get(l->known, &f->nexthop, f) && j->marks == 0)
		f->shared_known = true; /* facts_begin() thinks better of it when something has ended */
	if (j->marks & KNOWN_MARK_DANE)
		forget_hop(f);
	facts_begin(f, j->ends_by > now ? j->ends_by : now);
}

void ledger_again(struct ledger *l, struct job *j)
{
	const char *domain = j->facts.nexthop.domain;

	j->marks = j->stale | known_facts_marks(l->known, domain);
	j->stale = 0;
	known_facts_unmark(l->known, domain);
	if (j->marks & KNOWN_MARK_DANE)
		forget_hop(&j->facts);
	if (j->marks != 0)
		j->facts.shared_known = false;
}

/* A fetch on its way stays. */
static void forget_policy(struct ledger *l, struct facts *f)
{
	struct sts_fact *s = &f->sts;

	if (s->have_policy)
		log_info("event=policy_forgotten domain=%s", f->nexthop.domain);
	sts_policy_fini(&s->policy);
	s->have_policy = false;
	s->policy_id[0] = '\0';
	s->fetched_at = 0;
	s->refresh = false;
	refresh_set(l->refresh, f->nexthop.domain, INT64_MAX);
}

/* TXT and failure: whatever Redis has counts more. */
static void forget_live(struct sts_fact *s)
{
	s->failure = FETCH_OK;
	s->fail_id[0] = s->fail_why[0] = '\0';
	s->fail_at = 0;
	s->txt = TXT_UNKNOWN;
	s->txt_id[0] = '\0';
}

static void take_sts_hash(struct facts *f, const struct text_field *sts, size_t count, int64_t now)
{
	const char *reason;
	char quoted[160];

	if (!facts_text_take_sts(f, sts, count, now, &reason))
		log_warn("event=fact_malformed fact=sts nexthop=%s reason=%s", f->nexthop.key,
			 log_quote(quoted, sizeof(quoted), reason, strlen(reason)));
}

static void take_dane_hash(struct facts *f, const struct text_field *dane, size_t count, int64_t now)
{
	const char *reason;
	char quoted[160];

	if (!facts_text_take_dane(f, dane, count, now, &reason))
		log_warn("event=fact_malformed fact=dane nexthop=%s reason=%s", f->nexthop.key,
			 log_quote(quoted, sizeof(quoted), reason, strlen(reason)));
}

static const struct text_field *find_field(const struct text_field *field, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (field[i].name_len == strlen(name) && memcmp(field[i].name, name, field[i].name_len) == 0)
			return &field[i];
	return NULL;
}

static bool has_field(const struct text_field *field, size_t count, const char *name)
{
	return find_field(field, count, name);
}

bool ledger_finds_anew(const struct text_field *sts, size_t count)
{
	return has_field(sts, count, LEDGER_FORGOTTEN) || has_field(sts, count, "refresh");
}

/* Takes the hash although F may have its parts already: it is known to have changed. Absent, it says nothing: Redis
 * announces a hash that ended or was evicted just like one that somebody removed, and a valid policy outlives both. */
static void take_changed_sts(struct ledger *l, struct facts *f, const struct text_field *sts, size_t count, int64_t now)
{
	bool forgotten = has_field(sts, count, LEDGER_FORGOTTEN);

	if (forgotten)
		forget_policy(l, f);
	if (forgotten || has_field(sts, count, "txt"))
		forget_live(&f->sts);
	take_sts_hash(f, sts, count, now);
}

/* What Redis says of the TXT record, whether or not that is past its end. */
static void note_shared_txt(struct job *j, const struct text_field *sts, size_t count)
{
	const struct text_field *txt = find_field(sts, count, "txt"), *id = find_field(sts, count, "txt_id");

	j->shared_txt = TXT_UNKNOWN;
	if (txt)
		j->shared_txt = id ? TXT_RECORD : TXT_NONE;
	snprintf(j->shared_id, sizeof(j->shared_id), "%.*s", id ? (int)id->value_len : 0, id ? id->value : "");
}

static void take_sts(struct ledger *l, struct job *j, const struct text_field *sts, size_t count, int64_t now)
{
	struct facts *f = &j->facts;
	int64_t fetched_at = f->sts.fetched_at;

	j->forgot = has_field(sts, count, LEDGER_FORGOTTEN);
	note_shared_txt(j, sts, count);
	j->share_policy = count == 0 && facts_policy(f, now);
	if ((j->marks & KNOWN_MARK_STS) || (j->marks != 0 && j->forgot))
		take_changed_sts(l, f, sts, count, now);
	else
		take_sts_hash(f, sts, count, now);
	j->policy_news = j->policy_news || f->sts.fetched_at != fetched_at;
}

/* The refresher's date may be another node's work by now; an operator's wish (the hash's field "refresh") stands. */
static void take_refresh(struct facts *f, bool dated, int64_t now)
{
	if (dated && facts_policy(f, now) && refresh_date(f) <= now)
		f->sts.refresh = true;
}

void ledger_shared(struct ledger *l, struct job *j, bool served, const struct text_field *sts, size_t sts_count,
		   const struct text_field *dane, size_t dane_count)
{
	struct facts *f = &j->facts;
	int64_t now = tick_wall_s();
	bool dated = f->sts.refresh;

	if (!served) {
		j->unread = j->marks & (KNOWN_MARK_STS | KNOWN_MARK_ALL); /* the rest is found anew without Redis */
		j->marks = 0;
		return;
	}
	f->sts.refresh = false;
	take_sts(l, j, sts, sts_count, now);
	if (j->marks != 0 && ledger_finds_anew(sts, sts_count))
		forget_hop(f);
	take_dane_hash(f, dane, dane_count, now);
	j->marks = 0;
	j->news = true;
	if (j->prefetch)
		facts_begin(f, j->ends_by);
	if (!has_field(sts, sts_count, "refresh")) /* tlsmode cache refresh: whatever the date */
		take_refresh(f, dated, now);
}

bool ledger_other_fetch(struct ledger *l, struct job *j, const struct text_field *sts, size_t count)
{
	struct facts *f = &j->facts;
	int64_t fetched_at = f->sts.fetched_at, fail_at = f->sts.fail_at;

	(void)l;
	take_sts_hash(f, sts, count, tick_wall_s());
	j->stale &= ~(unsigned)KNOWN_MARK_STS; /* this was it */
	if (f->sts.fetched_at <= fetched_at && f->sts.fail_at <= fail_at)
		return false;
	j->policy_news = true;
	return true;
}

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

static struct facts *known_new(struct ledger *l, const struct nexthop *nexthop, bool *known)
{
	struct facts *f = xmalloc(sizeof(*f));

	facts_init(f, nexthop);
	*known = known_facts_get(l->known, nexthop, f);
	return f;
}

static void known_free(struct facts *f)
{
	facts_fini(f);
	free(f);
}

void ledger_take_later(struct ledger *l, struct job *j)
{
	bool known;
	struct facts *f = known_new(l, &j->facts.nexthop, &known);

	if (!j->forgot)
		facts_take_later_policy(&j->facts, f, tick_wall_s());
	known_free(f);
}

bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop)
{
	bool known;
	struct facts *f = known_new(l, nexthop, &known);
	bool in_force = facts_policy(f, tick_wall_s());

	if (known && !in_force)
		known_facts_put(l->known, f, tick_wall_s(), false);
	known_free(f);
	return in_force;
}

bool ledger_alive(struct ledger *l, const struct nexthop *nexthop)
{
	bool known;
	struct facts *f = known_new(l, nexthop, &known);
	bool alive;

	f->shared_known = true;
	facts_begin(f, tick_wall_s());
	alive = known && (facts_policy(f, tick_wall_s()) || facts_ready(f, tick_wall_s()));
	known_free(f);
	return alive;
}

bool ledger_reread(struct ledger *l, const struct nexthop *nexthop, unsigned marks, const struct text_field *sts,
		   size_t sts_count, const struct text_field *dane, size_t dane_count)
{
	bool known;
	struct facts *old = known_new(l, nexthop, &known), *f = known_new(l, nexthop, &known);
	int64_t now = tick_wall_s();
	bool changed;

	if (marks & KNOWN_MARK_STS)
		take_changed_sts(l, f, sts, sts_count, now);
	if (marks & KNOWN_MARK_DANE) {
		forget_hop(f);
		take_dane_hash(f, dane, dane_count, now);
	}
	changed = !known || differ(old, f);
	if (known && changed) {
		known_facts_put(l->known, f, now, true);
		ledger_date(l, f);
	}
	if (known && f->sts.refresh) /* tlsmode cache refresh */
		refresh_set(l->refresh, nexthop->domain, now);
	known_free(old);
	known_free(f);
	return changed;
}
