/*
 * ledger.c - see ledger.h. RFC 8461 s3.3 (alert when a refresh fails), s5.1.
 */
#include "mapd/resolve/ledger.h"

#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/redis/fact_store.h"

static void on_policy_evicted(const char *domain, void *arg)
{
	struct ledger *l = arg;
	unsigned long unsaid;

	refresh_set(l->refresh, domain, INT64_MAX);
	if (ratelimit_ok(&l->say_evicted, tick_mono_ms(), &unsaid))
		log_warn("event=policy_evicted domain=%s reason=cache_entries_too_small unsaid=%lu", domain, unsaid);
}

void ledger_init(struct ledger *l, struct redis *redis, size_t max_domains)
{
	memset(l, 0, sizeof(*l));
	l->redis = redis;
	l->known = known_facts_new(max_domains, on_policy_evicted, l);
}

void ledger_fini(struct ledger *l)
{
	known_facts_free(&l->known);
}

static void share_sts(struct ledger *l, struct finding *found)
{
	struct text_fields fields;
	int64_t now = tick_wall_s();

	found->sts_asked = found->share_policy = false;
	if (!facts_text_sts(&found->facts, now, &fields))
		return;
	fact_store_write_sts(l->redis, found->facts.nexthop.domain, &fields, facts_text_sts_ttl(&found->facts, now));
	facts_text_fini(&fields);
}

static void share_dane(struct ledger *l, struct finding *found)
{
	struct text_fields fields;
	int64_t now = tick_wall_s();

	found->dane_asked = false;
	if (!facts_text_dane(&found->facts, now, &fields))
		return;
	fact_store_write_dane(l->redis, found->facts.nexthop.key, &fields, facts_text_dane_ttl(&found->facts, now));
	facts_text_fini(&fields);
}

/* The domain itself said so, to us. */
static void say_weakened(struct ledger *l, struct finding *found)
{
	const struct sts_fact *s = &found->facts.sts;

	if (!s->weakened)
		return;
	found->facts.sts.weakened = false;
	l->weakened++;
	log_warn("event=policy_weakened domain=%s id=%s was=enforce mode=%s changed=%s", found->facts.nexthop.domain,
		 s->policy_id[0] != '\0' ? s->policy_id : "-", names_name(sts_mode_names, (int)s->policy.mode),
		 s->policy.mode != STS_ENFORCE ? "mode" : "patterns");
}

static void say_fetched(const struct finding *found)
{
	const struct sts_fact *s = &found->facts.sts;

	log_info("event=sts_fetched domain=%s id=%s was=%s mode=%s max_age=%lu mx=%zu ms=%lld%s",
		 found->facts.nexthop.domain, s->policy_id[0] != '\0' ? s->policy_id : "-",
		 found->was_id[0] != '\0' ? found->was_id : "-", names_name(sts_mode_names, (int)s->policy.mode),
		 (unsigned long)s->policy.max_age, s->policy.mx_count, (long long)(tick_mono_ms() - found->fetch_ms),
		 found->refresh ? " refresh=yes" : "");
}

/* RFC 8461 s3.3: people shall hear of it while a policy of any mode but "none" is in force. */
static void say_failed(struct ledger *l, const struct finding *found)
{
	const struct sts_fact *s = &found->facts.sts;
	const struct sts_policy *policy = facts_policy(&found->facts, tick_wall_s());
	bool alert = policy && policy->mode != STS_NONE;
	unsigned long unsaid = 0;
	char why[3 * sizeof(s->fail_why)];

	if (!alert && !ratelimit_ok(&l->say_failed, tick_mono_ms(), &unsaid))
		return;
	log_quote(why, sizeof(why), s->fail_why, strlen(s->fail_why));
	(alert ? log_warn : log_info)(
	    "event=sts_fetch_failed domain=%s id=%s failure=%s reason=%s ms=%lld in_force=%s%s unsaid=%lu",
	    found->facts.nexthop.domain, s->fail_id[0] != '\0' ? s->fail_id : "-",
	    names_name(facts_fetch_failure_names, (int)s->failure), why, (long long)(tick_mono_ms() - found->fetch_ms),
	    policy ? names_name(sts_mode_names, (int)policy->mode) : "-", found->refresh ? " refresh=yes" : "", unsaid);
}

void ledger_policy(struct ledger *l, struct finding *found, bool ours)
{
	found->policy_news = true;
	if (found->facts.sts.failure == FETCH_OK) {
		l->fetch_ok++;
		l->refreshed += found->refresh;
		say_fetched(found);
		say_weakened(l, found);
	} else {
		l->fetch_failed++;
		say_failed(l, found);
	}
	if (ours)
		share_sts(l, found);
}

void ledger_late(struct ledger *l, const struct finding *found)
{
	unsigned long unsaid;

	l->timeouts++;
	if (ratelimit_ok(&l->say_late, tick_mono_ms(), &unsaid))
		log_info("event=resolve_timeout nexthop=%s limit=%s ms=%lld unsaid=%lu", found->facts.nexthop.key,
			 found->late == FINDING_LATE_DNS ? "dns.timeout" : "mapd.deadline",
			 (long long)(tick_mono_ms() - found->started_ms), unsaid);
}

static void date_found(struct ledger *l, const struct finding *found, int64_t now)
{
	int64_t at = refresh_next(&found->facts, now);

	if (found->refresh && at < now + FACTS_REFRESH_MIN) /* it was given up or is another's: not at once again */
		at = now + FACTS_REFRESH_MIN;
	refresh_set(l->refresh, found->facts.nexthop.domain, at);
}

/* A prefetch that met with errors does not replace what is still good. */
static bool hop_is_good(const struct finding *found, bool wanted)
{
	return wanted || !finding_is_prefetch(found) || facts_dane_shareable(&found->facts);
}

/* Each write of an sts hash is announced to all nodes. So nobody is told of a record that is still as Redis has it, nor
 * of none where there is no policy: every node looks for itself when its TTL ends, which costs its resolver a question.
 */
static bool txt_is_news(const struct finding *found)
{
	const struct sts_fact *s = &found->facts.sts;

	if (s->txt != TXT_NONE && s->txt != TXT_RECORD)
		return false;
	if (!s->have_policy && s->failure == FETCH_OK)
		return false;
	return s->txt != found->shared_txt || (s->txt == TXT_RECORD && strcmp(s->txt_id, found->shared_id) != 0);
}

/* Another finding of the domain may have been kept with a later policy: it is FOUND's, too. */
static void take_later(struct ledger *l, struct finding *found, int64_t now)
{
	struct facts kept;

	if (found->forgot)
		return;
	facts_init(&kept, &found->facts.nexthop);
	known_facts_get(l->known, &found->facts.nexthop, &kept);
	facts_take_later_policy(&found->facts, &kept, now);
	facts_fini(&kept);
}

void ledger_keep(struct ledger *l, struct finding *found, bool wanted)
{
	const char *domain = found->facts.nexthop.domain;
	int64_t now = tick_wall_s();

	take_later(l, found, now);
	known_facts_put(l->known, &found->facts, now, hop_is_good(found, wanted));
	date_found(l, found, now);
	known_facts_mark(l->known, domain, found->stale | found->unread);
	if (found->stale != 0) /* read first, then speak */
		return;
	if ((found->sts_asked && txt_is_news(found)) || found->share_policy)
		share_sts(l, found);
	if (found->dane_asked)
		share_dane(l, found);
}

bool ledger_in_force(struct ledger *l, const struct nexthop *nexthop)
{
	int64_t now = tick_wall_s();
	struct facts f;
	bool known, in_force;

	facts_init(&f, nexthop);
	known = known_facts_get(l->known, nexthop, &f);
	in_force = facts_policy(&f, now);
	if (known && !in_force)
		known_facts_put(l->known, &f, now, false);
	facts_fini(&f);
	return in_force;
}
