/*
 * job.c - the planner's driver on the event loop: start what is missing, take what comes, mind the time.
 *
 * Idempotent: job_run() asks plan_next() what is missing, starts it and returns. RFC 8461 s3.3 (limits of the fetch).
 */
#include "mapd/resolve/job.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/fact_store.h"
#include "mapd/resolve/ledger_take.h"

#define READ_AGAIN_MS 200 /* Redis is there, but could not be read */

struct job {
	const struct job_env *env;
	struct finding *finding;
	void *arg;
	struct backend *backend;
	struct due due;
	LIST_HEAD(, job_question) questions;
	struct fact_read *read;
	struct fetch_asker fetch;
	bool kicked;
	bool ready;                      /* on_ready was called for this round */
	int64_t read_at_ms;              /* monotonic: Redis is to be read again; 0: not */
	int64_t dns_by_ms, answer_by_ms; /* limits of the round, */
	int64_t sts_by_ms, fetch_by_ms;  /* and of the fetch under way */
};

/* A DNS question on its way. */
struct job_question {
	LIST_ENTRY(job_question) entry;
	struct job *job;
	struct dns_query *query;
	struct ask ask;
};

/* The fetch may outlive the answer, and so may what it needs. */
static bool of_the_fetch(enum ask_kind kind)
{
	return kind == ASK_POLICY_A || kind == ASK_POLICY_AAAA || kind == ASK_POLICY;
}

static void question_free(struct job_question *q)
{
	LIST_REMOVE(q, entry);
	free(q);
}

static void on_dns(const struct rr_answer *answer, void *arg)
{
	struct job_question *q = arg;
	struct job *j = q->job;

	plan_take_answer(&j->finding->facts, &q->ask, answer, tick_wall_s());
	question_free(q);
	job_kick(j);
}

/* There is no time left to ask. */
static void take_no_answer(struct job *j, const struct ask *ask)
{
	struct rr_answer none = {.status = RR_ERROR, .why = "no answer in time"};

	plan_take_answer(&j->finding->facts, ask, &none, tick_wall_s());
}

static bool dns_is_late(const struct job *j, enum ask_kind kind)
{
	return !of_the_fetch(kind) && tick_mono_ms() >= j->dns_by_ms;
}

static void say_late(struct job *j, enum finding_late limit)
{
	if (j->finding->late >= limit)
		return;
	j->finding->late = limit;
	ledger_late(j->env->ledger, j->finding);
}

/* True: answered on the spot. */
static bool ask_dns(struct job *j, const struct ask *ask)
{
	struct job_question *q;

	finding_asked(j->finding, ask->kind);
	if (dns_is_late(j, ask->kind)) {
		take_no_answer(j, ask);
		say_late(j, FINDING_LATE_DNS);
		return true;
	}
	q = xmalloc(sizeof(*q));
	q->job = j;
	q->ask = *ask;
	LIST_INSERT_HEAD(&j->questions, q, entry);
	q->query = dns_ask(j->backend->dns, j->finding->facts.nexthop.domain, ask->name, ask->type, on_dns, q);
	return false;
}

static void job_on_read(enum facts_shared how, const struct text_field *sts, size_t sts_count,
			const struct text_field *dane, size_t dane_count, void *arg)
{
	struct job *j = arg;

	j->read = NULL;
	ledger_shared(j->env->ledger, j->finding, how, sts, sts_count, dane, dane_count);
	if (how != FACTS_SHARED_UNREAD)
		plan_take_shared(&j->finding->facts, how == FACTS_SHARED_AWAY);
	else if (plan_take_unread(&j->finding->facts, tick_wall_s()))
		j->read_at_ms = tick_mono_ms() + READ_AGAIN_MS;
	job_kick(j);
}

static void read_shared(struct job *j)
{
	j->read_at_ms = 0;
	j->read = fact_store_read(j->env->redis, j->env->base, &j->finding->facts.nexthop, job_on_read, j);
}

/* What the planner asked to be fetched came by another way. */
static bool job_on_other_fetch(const struct text_field *sts, size_t count, void *arg)
{
	struct job *j = arg;

	if (!ledger_other_fetch(j->finding, sts, count))
		return false;
	plan_policy_elsewhere(&j->finding->facts);
	finding_fetch_ends(j->finding);
	j->finding->news = true;
	job_kick(j);
	return true;
}

/* The fetch ended, as the facts say; it was another node's when not OURS. */
static void fetch_ends(struct job *j, bool ours)
{
	j->finding->news = true;
	ledger_policy(j->env->ledger, j->finding, ours);
	finding_fetch_ends(j->finding);
}

static void take_policy(struct job *j, const struct policy_result *result, bool ours)
{
	plan_take_policy(&j->finding->facts, result, tick_wall_s());
	fetch_ends(j, ours);
	job_kick(j);
}

static void job_on_policy(const struct policy_result *result, void *arg)
{
	take_policy(arg, result, true);
}

static void fetch_begins(struct job *j)
{
	finding_fetch_begins(j->finding);
	j->sts_by_ms = j->finding->fetch_ms + (int64_t)j->env->sts_timeout_s * 1000;
	j->fetch_by_ms = j->finding->fetch_ms + HTTPS_LIMIT_S * 1000;
}

/* True: answered on the spot. */
static bool job_start(struct job *j, const struct ask *ask)
{
	if (of_the_fetch(ask->kind) && !finding_fetches(j->finding))
		fetch_begins(j);
	switch (ask->kind) {
	case ASK_SHARED:
		read_shared(j);
		return false;
	case ASK_POLICY:
		fetch_turn_join(j->env->turns, &j->fetch, &j->finding->facts, ask->name, j->backend);
		return false;
	case ASK_MX:
	case ASK_TXT:
	case ASK_HOST:
	case ASK_POLICY_A:
	case ASK_POLICY_AAAA:
		return ask_dns(j, ask);
	}
	return false;
}

/* Questions of the kind the caller means are taken back. ANSWER: the planner is told that there was no answer. */
static size_t abort_questions(struct job *j, bool fetch, bool answer)
{
	struct job_question *next;
	size_t count = 0;

	for (struct job_question *q = LIST_FIRST(&j->questions); q; q = next) {
		next = LIST_NEXT(q, entry);
		if (of_the_fetch(q->ask.kind) != fetch)
			continue;
		dns_abort(&q->query);
		if (answer)
			take_no_answer(j, &q->ask);
		question_free(q);
		count++;
	}
	return count;
}

static void abort_read(struct job *j)
{
	j->read_at_ms = 0;
	if (j->read)
		fact_read_abort(&j->read);
}

/* mapd.deadline: the facts decide now, whatever is missing. */
static void answer_is_due(struct job *j)
{
	if (!j->finding->facts.shared_known)
		ledger_shared(j->env->ledger, j->finding, FACTS_SHARED_UNREAD, NULL, 0, NULL, 0);
	abort_questions(j, false, true);
	facts_timeout(&j->finding->facts, tick_wall_s());
	j->finding->news = true;
	say_late(j, FINDING_LATE_ALL);
}

/* The whole minute is over. Only a transfer of our own is known to have failed; another node's may yet succeed. */
static void fetch_is_due(struct job *j)
{
	static const struct policy_result late = {.failure = FETCH_FAILED, .why = "no answer within a minute"};

	abort_questions(j, true, true);
	if (!j->fetch.turn)
		return;
	take_policy(j, &late, fetch_turn_is_ours(&j->fetch));
	fetch_turn_leave(&j->fetch);
}

/* Redis could not be read. It is read again until it was, or until nobody needs to know any more. */
static void mind_the_read(struct job *j)
{
	if (!j->finding->facts.shared_waiting)
		abort_read(j);
	else if (j->read_at_ms != 0 && tick_mono_ms() >= j->read_at_ms)
		read_shared(j);
}

static void mind_the_time(struct job *j)
{
	int64_t now = tick_mono_ms();

	if (now >= j->dns_by_ms && abort_questions(j, false, true) > 0)
		say_late(j, FINDING_LATE_DNS);
	if (finding_fetches(j->finding) && !j->finding->facts.sts.overdue && now >= j->sts_by_ms)
		facts_policy_overdue(&j->finding->facts);
	if (!j->ready && now >= j->answer_by_ms)
		answer_is_due(j);
	if (finding_fetches(j->finding) && now >= j->fetch_by_ms)
		fetch_is_due(j);
	mind_the_read(j);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void job_arm(struct job *j)
{
	int64_t at = INT64_MAX;

	if (!j->ready)
		at = earlier(j->dns_by_ms > tick_mono_ms() ? j->dns_by_ms : INT64_MAX, j->answer_by_ms);
	if (j->read_at_ms != 0)
		at = earlier(at, j->read_at_ms);
	if (finding_fetches(j->finding))
		at = earlier(at, j->finding->facts.sts.overdue ? j->fetch_by_ms : j->sts_by_ms);
	if (j->kicked)
		at = 0;
	if (at == INT64_MAX)
		due_clear(j->env->mono, &j->due);
	else
		due_set(j->env->mono, &j->due, at);
}

/* Starts what is missing; what is answered on the spot may leave something else missing. */
static void advance(struct job *j, struct plan *plan)
{
	bool again;

	do {
		plan_next(&j->finding->facts, tick_wall_s(), plan);
		again = false;
		for (size_t i = 0; i < plan->count; i++)
			again |= job_start(j, &plan->ask[i]);
	} while (again);
	if (finding_fetches(j->finding) && j->finding->facts.sts.fetch == STS_FETCH_IDLE)
		fetch_ends(j, true); /* for want of an address */
}

static void be_ready(struct job *j)
{
	bool first = !j->ready;

	j->ready = true; /* before somebody who is told asks again */
	j->env->on_ready(first, j->arg);
}

static void job_run(void *arg)
{
	struct job *j = arg;
	struct plan plan;

	j->kicked = false;
	mind_the_time(j);
	advance(j, &plan);
	if (plan.ready)
		be_ready(j);
	if (plan.idle && !j->kicked)
		j->env->on_over(j->arg);
	else
		job_arm(j);
}

void job_kick(struct job *j)
{
	j->kicked = true;
	due_set(j->env->mono, &j->due, 0);
}

static void round_begins(struct job *j)
{
	finding_begin(j->finding);
	j->ready = false;
	j->dns_by_ms = j->finding->started_ms + (int64_t)j->env->dns_timeout_s * 1000;
	j->answer_by_ms = j->finding->started_ms + (int64_t)j->env->deadline_s * 1000;
}

struct job *job_new(const struct job_env *env, struct finding *f, struct backend *backend, void *arg)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->env = env;
	j->finding = f;
	j->arg = arg;
	j->backend = backend_share(backend);
	LIST_INIT(&j->questions);
	j->fetch = (struct fetch_asker){.on_shared = job_on_other_fetch, .on_result = job_on_policy, .arg = j};
	due_init(&j->due, job_run, j);
	round_begins(j);
	return j;
}

void job_restart(struct job *j)
{
	round_begins(j);
	facts_begin(&j->finding->facts, tick_wall_s());
	job_kick(j);
}

bool job_is_ready(const struct job *j)
{
	return j->ready;
}

void job_free(struct job **j)
{
	struct job *gone = *j;

	abort_read(gone);
	fetch_turn_leave(&gone->fetch);
	abort_questions(gone, false, false);
	abort_questions(gone, true, false);
	due_clear(gone->env->mono, &gone->due);
	backend_leave(&gone->backend);
	free(gone);
	*j = NULL;
}
