/*
 * facts.c - the life of what is known of one next hop: when each part ends, which policy is in force, when a fetch is
 * due.
 *
 * Not here: what to ask (plan.c), how facts look in Redis (facts_text.c), what they mean (decide.c). RFC 8461 s3.3 and
 * s5.1, RFC 7672 s2.2, RFC 9520 for errors. Called by the planner and its drivers.
 */
#include "core/facts.h"

#include <string.h>

const struct name_code facts_mx_state_names[] = {
    {"unknown", MX_UNKNOWN}, {"secure", MX_SECURE}, {"insecure", MX_INSECURE},
    {"bogus", MX_BOGUS},     {"error", MX_ERROR},   {NULL, 0},
};

const struct name_code facts_mx_kind_names[] = {
    {"records", MX_RECORDS},   {"implicit", MX_IMPLICIT}, {"null", MX_NULL},
    {"nxdomain", MX_NXDOMAIN}, {"none", MX_NONE},         {NULL, 0},
};

const struct name_code facts_txt_state_names[] = {
    {"unknown", TXT_UNKNOWN}, {"none", TXT_NONE}, {"record", TXT_RECORD}, {"error", TXT_ERROR}, {NULL, 0},
};

const struct name_code facts_fetch_failure_names[] = {
    {"", FETCH_OK},
    {"sts-policy-fetch-error", FETCH_FAILED},
    {"sts-webpki-invalid", FETCH_WEBPKI},
    {"sts-policy-invalid", FETCH_INVALID},
    {NULL, 0},
};

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Literals and other keys have no facts: known at once and for good. */
static void complete(struct facts *f)
{
	f->shared_known = true;
	f->mx = MX_SECURE;
	f->mx_kind = MX_NONE;
	f->sts.txt = TXT_NONE;
}

void facts_init(struct facts *f, const struct nexthop *nexthop)
{
	memset(f, 0, sizeof(*f));
	f->nexthop = *nexthop;
	f->mx_until = INT64_MAX;
	f->sts.txt_until = INT64_MAX;
	switch (nexthop->kind) {
	case NEXTHOP_DOMAIN:
		return;
	case NEXTHOP_HOST:
		f->mx = MX_SECURE;
		f->mx_kind = MX_NONE;
		facts_add_host(f, nexthop->domain);
		return;
	case NEXTHOP_LITERAL:
	case NEXTHOP_PARENT:
	case NEXTHOP_OTHER:
		complete(f);
		return;
	}
}

void facts_fini(struct facts *f)
{
	sts_policy_fini(&f->sts.policy);
	f->sts.have_policy = false;
}

struct host_fact *facts_add_host(struct facts *f, const char *name)
{
	struct host_fact *h = &f->host[f->host_count++];

	memset(h, 0, sizeof(*h));
	memcpy(h->name, name, strlen(name) + 1);
	h->until = INT64_MAX;
	return h;
}

static void host_again(struct host_fact *h)
{
	h->expanded[0] = '\0';
	h->tlsa = TLSA_UNKNOWN;
	h->step = HOST_ASK_A;
	h->waiting = false;
	h->until = INT64_MAX;
	h->why = NULL;
}

static bool facts_complete(const struct facts *f)
{
	for (size_t i = 0; i < f->host_count; i++)
		if (f->host[i].step != HOST_DONE)
			return false;
	return f->mx != MX_UNKNOWN && f->sts.txt != TXT_UNKNOWN;
}

static void mx_again(struct facts *f)
{
	f->mx = MX_UNKNOWN;
	f->mx_until = INT64_MAX;
	f->mx_truncated = false;
	f->mx_why = NULL;
	f->host_count = 0;
}

/* A clock that was set back must not make anything live, or be held off, longer than from now on. */
static void cut(int64_t *at, int64_t latest)
{
	if (*at != INT64_MAX && *at > latest)
		*at = latest;
}

static void cut_future(struct facts *f, int64_t now)
{
	cut(&f->mx_until, now + FACTS_TTL_MAX);
	for (size_t i = 0; i < f->host_count; i++)
		cut(&f->host[i].until, now + FACTS_TTL_MAX);
	cut(&f->sts.txt_until, now + FACTS_TXT_TTL_MAX);
	cut(&f->sts.fetched_at, now);
	cut(&f->sts.fail_at, now);
}

void facts_begin(struct facts *f, int64_t now)
{
	cut_future(f, now);
	if (f->mx != MX_UNKNOWN && f->mx_until <= now)
		mx_again(f);
	for (size_t i = 0; i < f->host_count; i++)
		if (f->host[i].step == HOST_DONE && f->host[i].until <= now)
			host_again(&f->host[i]);
	if (f->sts.txt != TXT_UNKNOWN && f->sts.txt_until <= now) {
		f->sts.txt = TXT_UNKNOWN;
		f->sts.txt_until = INT64_MAX;
		f->sts.txt_id[0] = '\0';
	}
	if (f->sts.fetch == STS_FETCH_IDLE)
		f->sts.overdue = false;
	/* another node may have found meanwhile what we would ask for */
	if (!facts_complete(f) || (f->sts.fetch == STS_FETCH_IDLE && facts_fetch_due(f, now)) ||
	    f->shared != FACTS_SHARED_READ)
		f->shared_known = false;
}

/* The last second in which the policy may be used. One of max_age 0 still serves the question it was fetched for. */
static int64_t policy_last(const struct sts_fact *s)
{
	return s->fetched_at + max64(s->policy.max_age, 1);
}

const struct sts_policy *facts_policy(const struct facts *f, int64_t now)
{
	if (!f->sts.have_policy || now > policy_last(&f->sts))
		return NULL;
	return &f->sts.policy;
}

bool facts_policy_differs(const struct facts *f, const struct sts_policy *other, int64_t now)
{
	const struct sts_policy *ours = facts_policy(f, now);

	if (!ours || ours->mode != STS_ENFORCE)
		return false;
	return other->mode != STS_ENFORCE || !sts_policy_mx_within(ours, other) || !sts_policy_mx_within(other, ours);
}

bool facts_policy_weakens(const struct facts *f, const struct sts_policy *other, int64_t fetched_at, int64_t now)
{
	const struct sts_policy *ours = facts_policy(f, now);

	if (facts_policy_differs(f, other, now))
		return true;
	return ours && ours->mode == STS_ENFORCE && fetched_at + max64(other->max_age, 1) < policy_last(&f->sts);
}

bool facts_in_doubt(const struct facts *f, int64_t now)
{
	const struct sts_policy *policy = facts_policy(f, now);

	return f->shared == FACTS_SHARED_UNREAD && !(policy && policy->mode == STS_ENFORCE);
}

static bool yields_to(const struct facts *f, const struct facts *kept, int64_t now)
{
	const struct sts_fact *s = &f->sts;

	if (!s->have_policy || s->fetched_at < kept->sts.fetched_at)
		return true;
	return !s->own && facts_policy_weakens(kept, &s->policy, s->fetched_at, now);
}

void facts_take_later_policy(struct facts *to, struct facts *from, int64_t now)
{
	struct sts_fact *s = &to->sts;

	if (!facts_policy(from, now) || !yields_to(to, from, now))
		return;
	sts_policy_fini(&s->policy);
	s->policy = from->sts.policy;
	s->have_policy = true;
	s->fetched_at = from->sts.fetched_at;
	s->own = from->sts.own;
	memcpy(s->policy_id, from->sts.policy_id, sizeof(s->policy_id));
	memset(&from->sts.policy, 0, sizeof(from->sts.policy));
	from->sts.have_policy = false;
	if (s->fail_at > s->fetched_at)
		return;
	s->failure = FETCH_OK;
	s->fail_id[0] = s->fail_why[0] = '\0';
	s->fail_at = 0;
}

int64_t facts_policy_end(const struct facts *f)
{
	return f->sts.have_policy ? policy_last(&f->sts) + 1 : INT64_MAX;
}

/* The id a fetch now would be for; "" without a live TXT record. */
static const char *live_id(const struct sts_fact *s)
{
	return s->txt == TXT_RECORD ? s->txt_id : "";
}

int64_t facts_holdoff_end(const struct facts *f)
{
	const struct sts_fact *s = &f->sts;

	if (s->failure == FETCH_OK || strcmp(s->fail_id, live_id(s)) != 0)
		return 0;
	return s->fail_at + FACTS_HOLDOFF;
}

/* The verdict needs this fetch: the record names a policy that we do not have. */
static bool fetch_needed(const struct facts *f, int64_t now)
{
	const struct sts_fact *s = &f->sts;

	if (s->txt != TXT_RECORD || now < facts_holdoff_end(f))
		return false;
	return !facts_policy(f, now) || strcmp(s->policy_id, s->txt_id) != 0;
}

bool facts_fetch_due(const struct facts *f, int64_t now)
{
	if (fetch_needed(f, now))
		return true;
	if (!f->sts.refresh || f->sts.txt == TXT_UNKNOWN || now < facts_holdoff_end(f))
		return false;
	return facts_policy(f, now);
}

bool facts_ready(const struct facts *f, int64_t now)
{
	return f->shared_known && facts_complete(f) && (f->sts.overdue || !fetch_needed(f, now));
}

int64_t facts_refresh_at(const struct facts *f)
{
	const struct sts_fact *s = &f->sts;
	int64_t at;

	if (!s->have_policy)
		return INT64_MAX;
	at = s->fetched_at + max64(FACTS_REFRESH_MIN, min64(FACTS_REFRESH_MAX, s->policy.max_age / 2));
	if (s->failure != FETCH_OK && s->fail_at >= s->fetched_at)
		at = max64(at, s->fail_at + FACTS_HOLDOFF);
	return at > policy_last(s) ? INT64_MAX : at;
}

int64_t facts_until(const struct facts *f, int64_t now)
{
	int64_t until = min64(f->mx_until, f->sts.txt_until);

	if (f->mx == MX_UNKNOWN || f->sts.txt == TXT_UNKNOWN || fetch_needed(f, now) || f->shared != FACTS_SHARED_READ)
		until = min64(until, now + FACTS_ERROR_TTL);
	for (size_t i = 0; i < f->host_count; i++)
		until = min64(until, f->host[i].until);
	if (facts_policy(f, now))
		until = min64(until, facts_policy_end(f));
	if (facts_holdoff_end(f) > now)
		until = min64(until, facts_holdoff_end(f));
	return max64(now + FACTS_TTL_MIN, min64(until, now + FACTS_TTL_MAX));
}

bool facts_dane_shareable(const struct facts *f)
{
	if (!nexthop_in_dns(&f->nexthop))
		return false;
	if (f->mx != MX_SECURE && f->mx != MX_INSECURE)
		return false;
	for (size_t i = 0; i < f->host_count; i++)
		if (f->host[i].step != HOST_DONE || f->host[i].tlsa == TLSA_ERROR)
			return false;
	return true;
}

static void host_timeout(struct host_fact *h, int64_t now)
{
	if (h->step == HOST_DONE)
		return;
	h->step = HOST_DONE;
	h->waiting = false;
	h->tlsa = TLSA_ERROR;
	h->why = "no answer in time";
	h->until = min64(h->until, now + FACTS_ERROR_TTL);
}

void facts_timeout(struct facts *f, int64_t now)
{
	if (!f->shared_known)
		f->shared = FACTS_SHARED_UNREAD;
	f->shared_known = true;
	f->shared_waiting = false;
	if (f->mx == MX_UNKNOWN) {
		f->mx = MX_ERROR;
		f->mx_kind = MX_RECORDS;
		f->mx_waiting = false;
		f->mx_why = "no answer in time";
		f->mx_until = now + FACTS_ERROR_TTL;
	}
	for (size_t i = 0; i < f->host_count; i++)
		host_timeout(&f->host[i], now);
	if (f->sts.txt == TXT_UNKNOWN) {
		f->sts.txt = TXT_ERROR;
		f->sts.txt_until = now + FACTS_ERROR_TTL;
	}
	f->txt_waiting = false;
	f->sts.overdue = true;
}

void facts_policy_overdue(struct facts *f)
{
	f->sts.overdue = true;
}
