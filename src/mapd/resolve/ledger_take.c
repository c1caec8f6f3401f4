/*
 * ledger_take.c - see ledger_take.h. RFC 8461 s5.1: what a live failure, or a lost hash, may not do to a valid policy.
 */
#include "mapd/resolve/ledger_take.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "mapd/resolve/shared_facts.h"

void ledger_begin(struct ledger *l, struct finding *found)
{
	struct facts *f = &found->facts;
	int64_t now = tick_wall_s();

	found->marks = known_facts_marks(l->known, f->nexthop.domain);
	known_facts_unmark(l->known, f->nexthop.domain);
	if (known_facts_get(l->known, &f->nexthop, f) && found->marks == 0)
		f->shared_known = true; /* facts_begin() thinks better of it when something has ended */
	if (found->marks & KNOWN_MARK_DANE)
		shared_forget_hop(f);
	facts_begin(f, found->ends_by > now ? found->ends_by : now);
}

void ledger_again(struct ledger *l, struct finding *found)
{
	const char *domain = found->facts.nexthop.domain;

	found->marks = found->stale | known_facts_marks(l->known, domain);
	found->stale = 0;
	known_facts_unmark(l->known, domain);
	if (found->marks & KNOWN_MARK_DANE)
		shared_forget_hop(&found->facts);
	if (found->marks != 0)
		found->facts.shared_known = false;
}

/* What Redis says of the TXT record, whether or not that is past its end. */
static void note_shared_txt(struct finding *found, const struct text_field *sts, size_t count)
{
	const struct text_field *txt = shared_find(sts, count, "txt"), *id = shared_find(sts, count, "txt_id");

	found->shared_txt = TXT_UNKNOWN;
	if (txt)
		found->shared_txt = id ? TXT_RECORD : TXT_NONE;
	snprintf(found->shared_id, sizeof(found->shared_id), "%.*s", id ? (int)id->value_len : 0, id ? id->value : "");
}

static void take_sts(struct ledger *l, struct finding *found, const struct text_field *sts, size_t count, int64_t now)
{
	struct facts *f = &found->facts;
	int64_t fetched_at = f->sts.fetched_at;

	found->forgot = shared_find(sts, count, SHARED_FORGOTTEN);
	note_shared_txt(found, sts, count);
	found->share_policy = count == 0 && facts_policy(f, now);
	if (!(found->marks & KNOWN_MARK_STS) && !(found->marks != 0 && found->forgot))
		shared_take_sts(f, sts, count, now);
	else if (shared_take_changed_sts(f, sts, count, now))
		refresh_set(l->refresh, f->nexthop.domain, INT64_MAX);
	found->policy_news = found->policy_news || f->sts.fetched_at != fetched_at;
}

/* The refresher's date may be another node's work by now; an operator's wish (the hash's field "refresh") stands. */
static void take_refresh(struct facts *f, bool dated, int64_t now)
{
	if (dated && facts_policy(f, now) && refresh_date(f) <= now)
		f->sts.refresh = true;
}

static void say_unread(struct ledger *l, const struct finding *found)
{
	unsigned long unsaid;

	l->unread++;
	if (ratelimit_ok(&l->say_unread, tick_mono_ms(), &unsaid))
		log_warn(
		    "event=facts_unread nexthop=%s do=\"see what keeps Redis busy: answers wait for it\" unsaid=%lu",
		    found->facts.nexthop.key, unsaid);
}

/* MX and TLSA that changed are found anew without Redis; whatever else it has must be read yet. */
static void not_read(struct ledger *l, struct finding *found, enum facts_shared how)
{
	if (how == FACTS_SHARED_UNREAD)
		say_unread(l, found);
	found->unread = (found->marks & KNOWN_MARK_STS) | KNOWN_MARK_ALL;
}

void ledger_shared(struct ledger *l, struct finding *found, enum facts_shared how, const struct text_field *sts,
		   size_t sts_count, const struct text_field *dane, size_t dane_count)
{
	struct facts *f = &found->facts;
	int64_t now = tick_wall_s();
	bool dated = f->sts.refresh;

	if (how != FACTS_SHARED_READ) {
		not_read(l, found, how);
		return;
	}
	found->unread = 0;
	f->sts.refresh = false;
	take_sts(l, found, sts, sts_count, now);
	if (found->marks != 0 && shared_finds_anew(sts, sts_count))
		shared_forget_hop(f);
	shared_take_dane(f, dane, dane_count, now);
	found->marks = 0;
	found->news = true;
	if (finding_is_prefetch(found))
		facts_begin(f, found->ends_by);
	if (!shared_find(sts, sts_count, SHARED_REFRESH)) /* tlsmode cache refresh: whatever the date */
		take_refresh(f, dated, now);
}

bool ledger_other_fetch(struct finding *found, const struct text_field *sts, size_t count)
{
	struct facts *f = &found->facts;
	int64_t fetched_at = f->sts.fetched_at, fail_at = f->sts.fail_at;

	shared_take_sts(f, sts, count, tick_wall_s());
	found->stale &= ~(unsigned)KNOWN_MARK_STS; /* this was it */
	if (f->sts.fetched_at <= fetched_at && f->sts.fail_at <= fail_at)
		return false;
	found->policy_news = true;
	return true;
}
