/*
 * ledger.c - the facts' way from a job into memory, Redis, the refresher's dates and the log, and back into the next job.
 *
 * RFC 8461 s3.3 (alert when a refresh fails), s5.1 (what a live failure may not do to a valid policy).
 */
#include "mapd/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/fact_store.h"

static void on_policy_evicted(const char *domain, void *arg)
{
	struct ledger *l = arg;
	unsigned long unsaid;

	refresh_set(l->refresh, domain, INT64_MAX);
	if (rate_pass(&l->say_evicted, wall_s(), &unsaid))
		log_warn("event=policy_evicted domain=%s reason=cache_entries_too_small unsaid=%lu", domain, unsaid);
}

void ledger_init(struct ledger *l, struct redis *redis, size_t max_domains)
{
	memset(l, 0, sizeof *l);
	l->redis = redis;
	l->known = known_facts_new(max_domains, on_policy_evicted, l);
}

void ledger_fini(struct ledger *l)
{
	known_facts_free(&l->known);
}

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
	int64_t now = wall_s();

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

/* Policy, failure and TXT go; a fetch on its way stays. */
static void forget_sts(struct ledger *l, struct job *j)
{
	struct sts_fact *s = &j->facts.sts;

	if (s->have_policy)
		log_info("event=policy_forgotten domain=%s", j->facts.nexthop.domain);
	sts_policy_fini(&s->policy);
	s->have_policy = false;
	s->policy_id[0] = '\0';
	s->fetched_at = 0;
	s->refresh = false;
	refresh_set(l->refresh, j->facts.nexthop.domain, INT64_MAX);
}

static void forget_live(struct sts_fact *s)
{
	s->failure = FETCH_OK;
	s->fail_id[0] = s->fail_why[0] = '\0';
	s->fail_at = 0;
	s->txt = TXT_UNKNOWN;
	s->txt_id[0] = '\0';
}

static void say_malformed(const struct job *j, const char *fact, const char *reason)
{
	char quoted[160];

	log_warn("event=fact_malformed fact=%s nexthop=%s reason=%s", fact, j->facts.nexthop.key,
	    log_quote(quoted, sizeof quoted, reason, strlen(reason)));
}

static void take_sts(struct ledger *l, struct job *j, const struct text_field *sts, size_t count, int64_t now)
{
	struct facts *f = &j->facts;
	int64_t fetched_at = f->sts.fetched_at;
	const char *reason;

	if (j->marks & KNOWN_MARK_STS) {
		forget_live(&f->sts);
		if (count == 0)
			forget_sts(l, j);
	} else if (count == 0 && facts_policy(f, now) != NULL) {
		j->share_policy = true;
	}
	if (!facts_text_take_sts(f, sts, count, now, &reason))
		say_malformed(j, "sts", reason);
	j->policy_news = j->policy_news || f->sts.fetched_at != fetched_at;
}

/* Another node may have done it already. */
static void refresh_still_due(struct facts *f, int64_t now)
{
	if (f->sts.refresh && (facts_policy(f, now) == NULL || refresh_date(f) > now))
		f->sts.refresh = false;
}

void ledger_shared(struct ledger *l, struct job *j, bool served, const struct text_field *sts, size_t sts_count,
    const struct text_field *dane, size_t dane_count)
{
	struct facts *f = &j->facts;
	int64_t now = wall_s();
	const char *reason;

	if (!served) {
		j->unread = j->marks & KNOWN_MARK_STS; /* the rest is found anew without Redis */
		j->marks = 0;
		return;
	}
	take_sts(l, j, sts, sts_count, now);
	if (!facts_text_take_dane(f, dane, dane_count, now, &reason))
		say_malformed(j, "dane", reason);
	j->marks = 0;
	j->news = true;
	if (j->prefetch)
		facts_begin(f, j->ends_by);
	refresh_still_due(f, now);
}

bool ledger_other_fetch(struct ledger *l, struct job *j, const struct text_field *sts, size_t count)
{
	struct facts *f = &j->facts;
	int64_t fetched_at = f->sts.fetched_at, fail_at = f->sts.fail_at;
	const char *reason;

	(void)l;
	if (!facts_text_take_sts(f, sts, count, wall_s(), &reason))
		say_malformed(j, "sts", reason);
	j->stale &= ~(unsigned)KNOWN_MARK_STS; /* this was it */
	if (f->sts.fetched_at <= fetched_at && f->sts.fail_at <= fail_at)
		return false;
	j->policy_news = true;
	return true;
}

static void share_sts(struct ledger *l, struct job *j)
{
	struct text_fields fields;
	int64_t now = wall_s();

	j->sts_asked = j->share_policy = false;
	if (!facts_text_sts(&j->facts, now, &fields))
		return;
	fact_store_write_sts(l->redis, j->facts.nexthop.domain, &fields, facts_text_sts_ttl(&j->facts, now));
	text_fields_fini(&fields);
}

static void share_dane(struct ledger *l, struct job *j)
{
	struct text_fields fields;
	int64_t now = wall_s();

	j->dane_asked = false;
	if (!facts_text_dane(&j->facts, now, &fields))
		return;
	fact_store_write_dane(l->redis, j->facts.nexthop.key, &fields, facts_text_dane_ttl(&j->facts, now));
	text_fields_fini(&fields);
}

static void say_fetched(const struct job *j)
{
	const struct sts_fact *s = &j->facts.sts;

	log_info("event=sts_fetched domain=%s id=%s mode=%s max_age=%lu mx=%zu ms=%lld%s", j->facts.nexthop.domain,
	    s->policy_id[0] != '\0' ? s->policy_id : "-", names_name(sts_mode_names, (int)s->policy.mode),
	    (unsigned long)s->policy.max_age, s->policy.mx_count, (long long)(tick_mono_ms() - j->fetch_ms),
	    j->refresh ? " refresh=yes" : "");
}

/* RFC 8461 s3.3: people shall hear of it while a policy of any mode but "none" is in force. */
static void say_failed(struct ledger *l, const struct job *j)
{
	const struct sts_fact *s = &j->facts.sts;
	const struct sts_policy *policy = facts_policy(&j->facts, wall_s());
	bool alert = policy != NULL && policy->mode != STS_NONE;
	unsigned long unsaid = 0;
	char why[3 * sizeof s->fail_why];

	if (!alert && !rate_pass(&l->say_failed, wall_s(), &unsaid))
		return;
	log_quote(why, sizeof why, s->fail_why, strlen(s->fail_why));
	(alert ? log_warn : log_info)("event=sts_fetch_failed domain=%s id=%s failure=%s reason=%s ms=%lld in_force=%s%s unsaid=%lu",
	    j->facts.nexthop.domain, s->fail_id[0] != '\0' ? s->fail_id : "-", names_name(fetch_failure_names, (int)s->failure),
	    why, (long long)(tick_mono_ms() - j->fetch_ms),
	    policy != NULL ? names_name(sts_mode_names, (int)policy->mode) : "-", j->refresh ? " refresh=yes" : "", unsaid);
}

void ledger_policy(struct ledger *l, struct job *j, bool ours)
{
	j->policy_news = true;
	if (j->facts.sts.failure == FETCH_OK) {
		l->fetch_ok++;
		l->refreshed += j->refresh;
		say_fetched(j);
	} else {
		l->fetch_failed++;
		say_failed(l, j);
	}
	if (ours)
		share_sts(l, j);
}

void ledger_late(struct ledger *l, const struct job *j, enum job_limit limit)
{
	unsigned long unsaid;

	l->timeouts++;
	if (rate_pass(&l->say_late, wall_s(), &unsaid))
		log_info("event=resolve_timeout nexthop=%s limit=%s ms=%lld unsaid=%lu", j->facts.nexthop.key,
		    limit == JOB_LATE_DNS ? "dns.timeout" : "mapd.deadline", (long long)(tick_mono_ms() - j->started_ms), unsaid);
}

bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop)
{
	struct facts *f = xmalloc(sizeof *f);
	bool in_force;

	facts_init(f, nexthop);
	known_facts_get(l->known, nexthop, f);
	in_force = facts_policy(f, wall_s()) != NULL;
	if (!in_force && f->sts.have_policy)
		known_facts_put(l->known, f, wall_s(), false);
	facts_fini(f);
	free(f);
	return in_force;
}

/* The policy's next fetch, or its end. */
static int64_t next_date(const struct facts *f, int64_t now)
{
	int64_t at = refresh_date(f);

	if (facts_policy(f, now) == NULL)
		return INT64_MAX;
	return at < facts_policy_end(f) ? at : facts_policy_end(f);
}

static void date(struct ledger *l, const struct job *j, int64_t now)
{
	int64_t at = next_date(&j->facts, now);

	if (j->refresh && at < now + FACTS_REFRESH_MIN) /* it was given up or is another's: not at once again */
		at = now + FACTS_REFRESH_MIN;
	refresh_set(l->refresh, j->facts.nexthop.domain, at);
}

/* A prefetch that met with errors does not replace what is still good. */
static bool hop_is_good(const struct job *j)
{
	return !j->prefetch || j->answered || !TAILQ_EMPTY(&j->waits) || facts_dane_shareable(&j->facts);
}

void ledger_keep(struct ledger *l, struct job *j)
{
	const char *domain = j->facts.nexthop.domain;
	int64_t now = wall_s();

	known_facts_put(l->known, &j->facts, now, hop_is_good(j));
	date(l, j, now);
	known_facts_mark(l->known, domain, j->stale | j->unread);
	if (j->stale != 0) /* read first, then speak */
		return;
	if (j->sts_asked || j->share_policy)
		share_sts(l, j);
	if (j->dane_asked)
		share_dane(l, j);
}
