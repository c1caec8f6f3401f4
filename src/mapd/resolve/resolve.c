/*
 * resolve.c - who waits for which job, and what happens when one is ready, over, or in the way.
 *
 * Not here: the table of jobs (jobs.c) and of those who wait (waits.c), a job's rounds and deadlines (job.c), what is
 * kept, shared and logged (ledger.c), whose turn a fetch is (fetch_turn.c), when a policy is fetched anew (refresh.c),
 * what a change in Redis means (fact_news.c). Called by mapd's maps and main.
 */
#include "mapd/resolve/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "mapd/resolve/backends.h"
#include "mapd/resolve/due.h"
#include "mapd/resolve/fact_news.h"
#include "mapd/resolve/fetch_turn.h"
#include "mapd/resolve/job.h"
#include "mapd/resolve/jobs.h"
#include "mapd/resolve/ledger.h"
#include "mapd/resolve/ledger_take.h"
#include "mapd/resolve/refresh.h"
#include "mapd/resolve/waits.h"

#define REREAD_SHARE 4        /* of max_jobs: facts that changed and are read again at once */
#define PREFETCH_TOGETHER_S 5 /* what ends so soon after the first is looked at with it */
#define CROWD_NOTE_MS 60000

struct resolver {
	void (*on_facts)(const char *nexthop_key, const struct facts *facts, void *arg);
	void *arg;
	size_t max_jobs;
	struct job_env job_env;
	struct ledger ledger;
	struct backends *backends;
	struct due_queue *mono, *wall;
	struct jobs *jobs;
	struct fact_news *news;
	unsigned long started, refused, given_up;
	int64_t crowd_noted_ms;
};

/* The domain's other next hops share the policy. */
static void tell_variants(struct resolver *r, const struct nexthop *n)
{
	struct nexthop hops[KNOWN_HOPS_MAX];
	size_t count = known_facts_hops(r->ledger.known, n->domain, hops);

	for (size_t i = 0; i < count; i++) {
		struct facts f;

		if (strcmp(hops[i].key, n->key) == 0)
			continue;
		facts_init(&f, &hops[i]);
		known_facts_get(r->ledger.known, &hops[i], &f);
		r->on_facts(hops[i].key, &f, r->arg);
		facts_fini(&f);
	}
}

static void keep(struct resolver *r, struct inquiry *q)
{
	struct finding *found = &q->finding;

	ledger_keep(&r->ledger, found, q->answered || !TAILQ_EMPTY(&q->waits));
	found->news = false;
	if (found->policy_news)
		tell_variants(r, &found->facts.nexthop);
	found->policy_news = false;
}

static void tell_waiters(struct inquiry *q)
{
	q->answered = q->answered || !TAILQ_EMPTY(&q->waits);
	waits_tell(&q->waits, &q->finding.facts);
}

static void resolve_on_ready(bool first, void *arg)
{
	struct inquiry *q = arg;
	struct resolver *r = q->resolver;
	struct finding *found = &q->finding;

	jobs_leave_background(r->jobs, q);
	if (found->news)
		q->answered = false; /* who was told before was told less */
	if (first || found->news)
		keep(r, q);
	tell_waiters(q);
	if (found->stale != 0 && q->answered) /* what was just rendered is to be read again when it is asked next */
		r->on_facts(found->facts.nexthop.key, NULL, r->arg);
	if (TAILQ_EMPTY(&q->waits))
		jobs_enter_background(r->jobs, q);
}

static void inquiry_free(struct inquiry *q)
{
	job_free(&q->job);
	finding_fini(&q->finding);
	free(q);
}

/* It is over, or has to make room. What nobody was told is told now. */
static void finish(struct inquiry *q)
{
	struct resolver *r = q->resolver;
	struct finding *found = &q->finding;

	jobs_remove(r->jobs, q);
	if (found->news)
		keep(r, q);
	if (!q->answered)
		r->on_facts(found->facts.nexthop.key, found->stale != 0 ? NULL : &found->facts, r->arg);
	if (found->refresh)
		refresh_done(r->ledger.refresh);
	inquiry_free(q);
}

static void on_over(void *arg)
{
	finish(arg);
}

/* An inquiry of N, which is asked of DNS; nobody waits for it yet. ENDS_BY: finding.h. */
static struct inquiry *inquiry_start(struct resolver *r, const struct nexthop *n, int64_t ends_by)
{
	struct backend *backend = backend_use(r->backends);
	struct inquiry *q = xcalloc(1, sizeof(*q));

	q->resolver = r;
	TAILQ_INIT(&q->waits);
	finding_init(&q->finding, n);
	q->finding.ends_by = ends_by;
	ledger_begin(&r->ledger, &q->finding);
	q->job = job_new(&r->job_env, &q->finding, backend, q);
	backend_leave(&backend);
	jobs_add(r->jobs, q);
	job_kick(q->job);
	r->started++;
	return q;
}

/* Fetches that go on in the background give way: the oldest first. */
static bool resolve_make_room(struct resolver *r)
{
	struct inquiry *oldest = jobs_oldest_in_background(r->jobs);

	if (jobs_count(r->jobs) < r->max_jobs)
		return true;
	if (!oldest)
		return false;
	r->given_up++;
	finish(oldest);
	return jobs_count(r->jobs) < r->max_jobs;
}

/* Another variant of DOMAIN: one that goes on in the background gives way, not another domain's. */
static bool room_in_domain(struct resolver *r, const char *domain)
{
	struct inquiry *one;

	if (jobs_of_domain(r->jobs, domain) < JOBS_VARIANTS)
		return true;
	one = jobs_background_of(r->jobs, domain);
	if (!one)
		return false;
	r->given_up++;
	finish(one);
	return jobs_of_domain(r->jobs, domain) < JOBS_VARIANTS;
}

/* What nobody waits for leaves half of the room to what somebody does. */
static bool room_for_unasked(const struct resolver *r)
{
	return jobs_count(r->jobs) < r->max_jobs / 2;
}

static void note_jobs_crowd(struct resolver *r, const char *domain)
{
	char quoted[DOMAIN_SIZE + 8];
	int64_t now = tick_mono_ms();

	if (r->crowd_noted_ms != 0 && now - r->crowd_noted_ms < CROWD_NOTE_MS)
		return;
	r->crowd_noted_ms = now;
	log_warn("event=ports_crowded domain=%s max=%d answer=TEMP why=\"too many ports of one name at once\" "
		 "do=\"find the client that asks for them\"",
		 log_quote(quoted, sizeof(quoted), domain, strlen(domain)), JOBS_VARIANTS);
}

/* Nothing of N is under way: *Q is started when there is room. */
static enum resolve_answer start_asked(struct resolver *r, const struct nexthop *n, struct inquiry **q)
{
	if (!room_in_domain(r, n->domain)) {
		note_jobs_crowd(r, n->domain);
		return RESOLVE_CROWDED;
	}
	if (!resolve_make_room(r))
		return RESOLVE_REFUSED;
	*q = inquiry_start(r, n, 0);
	return RESOLVE_WAITS;
}

/* Somebody asks for what Q is looking for. */
static void join(struct resolver *r, struct inquiry *q)
{
	if (job_is_ready(q->job)) {
		jobs_leave_background(r->jobs, q);
		ledger_again(&r->ledger, &q->finding);
		job_restart(q->job);
	}
}

/* What is kept goes into OUT, just initialised. True: it decides; Q, what is under way, or NULL, will not know better
 * at once. */
static bool at_hand(struct resolver *r, const struct inquiry *q, struct facts *out)
{
	int64_t now = tick_wall_s();

	if (q && !job_is_ready(q->job) && !finding_is_prefetch(&q->finding))
		return false;
	if (known_facts_marks(r->ledger.known, out->nexthop.domain) != 0 ||
	    !known_facts_get(r->ledger.known, &out->nexthop, out))
		return false;
	out->shared_known = true;
	facts_begin(out, now);
	if (!redis_is_up(r->job_env.redis))
		out->shared = FACTS_SHARED_AWAY;
	return facts_ready(out, now);
}

/* True: OUT has the facts. Else *Q is what is under way, or NULL. */
static bool resolve_look(struct resolver *r, const struct nexthop *n, struct facts *out, struct inquiry **q)
{
	facts_init(out, n);
	if (!nexthop_in_dns(n))
		return true;
	*q = jobs_find(r->jobs, n);
	if (at_hand(r, *q, out))
		return true;
	facts_fini(out);
	return false;
}

enum resolve_answer resolve_ask(struct resolver *r, const struct nexthop *nexthop, struct facts *out,
				struct resolve_wait **wait)
{
	enum resolve_answer answer = RESOLVE_WAITS;
	struct inquiry *q;

	if (resolve_look(r, nexthop, out, &q))
		return RESOLVE_KNOWN;
	if (q)
		join(r, q);
	else
		answer = start_asked(r, nexthop, &q);
	if (answer == RESOLVE_WAITS)
		*wait = waits_add(&q->waits);
	else
		r->refused++;
	return answer;
}

void resolve_wait_on(struct resolve_wait *w, resolve_fn *fn, void *arg)
{
	waits_set(w, fn, arg);
}

void resolve_abort(struct resolve_wait **w)
{
	if (*w)
		waits_leave(w);
}

bool resolve_known(struct resolver *r, const struct nexthop *nexthop, struct facts *out)
{
	struct inquiry *q;

	return resolve_look(r, nexthop, out, &q);
}

void resolve_prefetch(struct resolver *r, const struct nexthop *nexthop)
{
	struct facts f;
	int64_t ends_by = 0;

	if (!nexthop_in_dns(nexthop) || jobs_find(r->jobs, nexthop) || !room_for_unasked(r) ||
	    jobs_of_domain(r->jobs, nexthop->domain) >= JOBS_VARIANTS)
		return;
	facts_init(&f, nexthop);
	if (at_hand(r, NULL, &f))
		ends_by = facts_until(&f, tick_wall_s()) + PREFETCH_TOGETHER_S;
	facts_fini(&f);
	inquiry_start(r, nexthop, ends_by);
}

/* refresh.h: the policy of DOMAIN is to be fetched anew, or has ended. */
static bool start_refresh(const char *domain, void *arg)
{
	struct resolver *r = arg;
	struct nexthop hops[KNOWN_HOPS_MAX];
	struct finding *found;

	if (known_facts_hops(r->ledger.known, domain, hops) == 0)
		nexthop_parse(&hops[0], domain, strlen(domain));
	if (!ledger_in_force(&r->ledger, &hops[0]))
		return false;
	if (jobs_has_domain(r->jobs, domain) || !room_for_unasked(r)) {
		refresh_set(r->ledger.refresh, domain, tick_wall_s() + FACTS_REFRESH_MIN);
		return false;
	}
	found = &inquiry_start(r, &hops[0], 0)->finding;
	found->refresh = true;
	found->facts.sts.refresh = true;
	found->facts.shared_known = false; /* another node may have done it */
	return true;
}

void resolve_fact_changed(struct resolver *r, int rkey_kind, const char *name)
{
	fact_news_changed(r->news, rkey_kind, name);
}

static void take_limits(struct resolver *r, const struct conf *conf)
{
	r->max_jobs = conf->mapd.max_jobs;
	fact_news_resize(r->news, r->max_jobs / REREAD_SHARE + 1);
	r->job_env.dns_timeout_s = conf->dns.timeout_s;
	r->job_env.sts_timeout_s = conf->sts.timeout_s;
	r->job_env.deadline_s = conf->mapd.deadline_s;
}

struct resolver *resolver_new(const struct resolver_env *env)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->on_facts = env->on_facts;
	r->arg = env->arg;
	r->mono = due_queue_new(env->base, tick_mono_ms);
	r->wall = due_queue_new(env->base, tick_wall_ms);
	r->backends = backends_new(env->dns, env->https);
	r->job_env = (struct job_env){.base = env->base,
				      .redis = env->redis,
				      .mono = r->mono,
				      .turns = fetch_turns_new(env->base, env->redis, r->mono),
				      .ledger = &r->ledger,
				      .on_ready = resolve_on_ready,
				      .on_over = on_over};
	ledger_init(&r->ledger, env->redis, env->conf->mapd.cache_entries);
	r->ledger.refresh = refresh_new(r->wall, start_refresh, r);
	r->jobs = jobs_new();
	r->news = fact_news_new(&(struct fact_news_env){.base = env->base,
							.redis = env->redis,
							.known = r->ledger.known,
							.refresh = r->ledger.refresh,
							.jobs = r->jobs,
							.turns = r->job_env.turns,
							.on_facts = env->on_facts,
							.arg = env->arg});
	take_limits(r, env->conf);
	return r;
}

static void inquiry_drop(struct inquiry *q, void *arg)
{
	(void)arg;
	waits_drop(&q->waits);
	inquiry_free(q);
}

void resolver_free(struct resolver **r)
{
	struct resolver *gone = *r;

	if (!gone)
		return;
	jobs_free(&gone->jobs, inquiry_drop, NULL);
	fact_news_free(&gone->news);
	fetch_turns_free(&gone->job_env.turns);
	refresh_free(&gone->ledger.refresh);
	ledger_fini(&gone->ledger);
	due_queue_free(&gone->mono);
	due_queue_free(&gone->wall);
	backends_free(&gone->backends);
	free(gone);
	*r = NULL;
}

void resolver_reconf(struct resolver *r, const struct conf *conf, struct dns *dns, struct https *https)
{
	take_limits(r, conf);
	known_facts_resize(r->ledger.known, conf->mapd.cache_entries);
	backends_replace(r->backends, dns, https);
}

void resolver_counts(const struct resolver *r, struct resolver_counts *out)
{
	struct known_facts_counts known;

	known_facts_counts(r->ledger.known, &known);
	*out = (struct resolver_counts){.jobs = jobs_count(r->jobs),
					.known = known.domains,
					.fetches = fetch_turns_count(r->job_env.turns),
					.policies = known.with_policy,
					.policies_dated = refresh_count(r->ledger.refresh),
					.known_octets = known.octets,
					.started = r->started,
					.refused = r->refused,
					.given_up = r->given_up,
					.evicted = known.evicted,
					.policies_evicted = known.policies_evicted,
					.unread = r->ledger.unread,
					.weakened = r->ledger.weakened,
					.timeouts = r->ledger.timeouts,
					.fetch_ok = r->ledger.fetch_ok,
					.fetch_failed = r->ledger.fetch_failed,
					.refreshed = r->ledger.refreshed};
}
