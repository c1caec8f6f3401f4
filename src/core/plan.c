/*
 * plan.c - the planner: which questions are open, and where their answers go.
 *
 * Not here: how a host comes to its TLSA state (plan_host.c), when a part ends (facts.c), any I/O. RFC 8461 s3.1, s3.3
 * and s5.1. Called by mapd's jobs (mapd/resolve/job.c); in tests by the scripted driver (tests/lib/drive.c) and a fuzzer.
 */
#include "core/plan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/sbuf.h"
#include "core/plan_host.h"

const struct name_code plan_ask_kind_names[] = {
    {"shared", ASK_SHARED},     {"mx", ASK_MX},
    {"txt", ASK_TXT},           {"host", ASK_HOST},
    {"policy-a", ASK_POLICY_A}, {"policy-aaaa", ASK_POLICY_AAAA},
    {"policy", ASK_POLICY},     {NULL, 0},
};

static struct ask *plan_add(struct plan *p, enum ask_kind kind)
{
	struct ask *a;

	assert(p->count < PLAN_ASKS_MAX);
	a = &p->ask[p->count++];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	return a;
}

/* LABEL, a dot and the policy domain; false when DNS has no room for it. */
static bool under_domain(const struct facts *f, const char *label, char out[DOMAIN_SIZE])
{
	struct sbuf b;

	sbuf_init(&b, out, DOMAIN_SIZE);
	sbuf_add(&b, label);
	sbuf_addc(&b, '.');
	sbuf_add(&b, f->nexthop.domain);
	return sbuf_ok(&b);
}

static void ask_mx(struct facts *f, struct plan *p)
{
	struct ask *a;

	if (f->mx != MX_UNKNOWN || f->mx_waiting)
		return;
	a = plan_add(p, ASK_MX);
	a->type = RR_MX;
	memcpy(a->name, f->nexthop.domain, sizeof(a->name));
	f->mx_waiting = true;
}

static void ask_txt(struct facts *f, int64_t now, struct plan *p)
{
	struct ask *a;
	char name[DOMAIN_SIZE];

	if (f->sts.txt != TXT_UNKNOWN || f->txt_waiting)
		return;
	if (!under_domain(f, "_mta-sts", name)) {
		f->sts.txt = TXT_NONE;
		f->sts.txt_until = now + FACTS_TXT_TTL_MAX;
		return;
	}
	a = plan_add(p, ASK_TXT);
	a->type = RR_TXT;
	memcpy(a->name, name, sizeof(a->name));
	f->txt_waiting = true;
}

static void ask_hosts(struct facts *f, struct plan *p)
{
	for (size_t i = 0; i < f->host_count; i++) {
		struct host_fact *h = &f->host[i];
		struct ask *a;
		char name[DOMAIN_SIZE];
		enum rr_type type;

		if (h->waiting || !plan_host_question(h, f->nexthop.port, name, &type))
			continue;
		a = plan_add(p, ASK_HOST);
		a->host = i;
		a->type = type;
		memcpy(a->name, name, sizeof(a->name));
		h->waiting = true;
	}
}

static void start_fetch(struct facts *f, struct plan *p)
{
	struct sts_fact *s = &f->sts;
	char host[DOMAIN_SIZE];
	struct ask *a;

	/* "_mta-sts." is the longer prefix: where a record was found, this name fits too */
	if (!under_domain(f, "mta-sts", host))
		return;
	s->fetch = STS_FETCH_ADDRESS;
	s->address_count = 0;
	memcpy(s->fetch_id, s->txt_id, sizeof(s->fetch_id));
	if (s->txt != TXT_RECORD)
		s->fetch_id[0] = '\0';
	a = plan_add(p, ASK_POLICY_A);
	a->type = RR_A;
	memcpy(a->name, host, sizeof(a->name));
	a = plan_add(p, ASK_POLICY_AAAA);
	a->type = RR_AAAA;
	memcpy(a->name, host, sizeof(a->name));
	s->fetch_wait_a = s->fetch_wait_aaaa = true;
}

static void fetch_over(struct sts_fact *s)
{
	s->fetch = STS_FETCH_IDLE;
	s->fetch_wait_a = s->fetch_wait_aaaa = s->fetch_wait_body = false;
	s->overdue = false;
	s->refresh = false;
}

static void fetch_failed(struct facts *f, enum fetch_failure failure, const char *why, int64_t now)
{
	struct sts_fact *s = &f->sts;

	s->failure = failure;
	memcpy(s->fail_id, s->fetch_id, sizeof(s->fail_id));
	s->fail_at = now;
	snprintf(s->fail_why, sizeof(s->fail_why), "%s", why ? why : "");
	fetch_over(s);
}

static void ask_body(struct facts *f, int64_t now, struct plan *p)
{
	struct sts_fact *s = &f->sts;
	struct ask *a;

	if (s->fetch_wait_a || s->fetch_wait_aaaa)
		return;
	if (s->address_count == 0) {
		fetch_failed(f, FETCH_FAILED, "the policy host has no address", now);
		return;
	}
	s->fetch = STS_FETCH_BODY;
	a = plan_add(p, ASK_POLICY);
	under_domain(f, "mta-sts", a->name);
	s->fetch_wait_body = true;
}

static void ask_policy(struct facts *f, int64_t now, struct plan *p)
{
	if (f->sts.fetch == STS_FETCH_IDLE && facts_fetch_due(f, now))
		start_fetch(f, p);
	if (f->sts.fetch == STS_FETCH_ADDRESS)
		ask_body(f, now, p);
}

static bool on_its_way(const struct facts *f)
{
	for (size_t i = 0; i < f->host_count; i++)
		if (f->host[i].waiting)
			return true;
	return f->shared_waiting || f->mx_waiting || f->txt_waiting || f->sts.fetch_wait_a || f->sts.fetch_wait_aaaa ||
	       f->sts.fetch_wait_body;
}

static void ask_all(struct facts *f, int64_t now, struct plan *p)
{
	if (!f->shared_known) {
		if (!f->shared_waiting) {
			plan_add(p, ASK_SHARED);
			f->shared = FACTS_SHARED_READ;
		}
		f->shared_waiting = true;
		if (f->shared != FACTS_SHARED_UNREAD)
			return;
	}
	ask_mx(f, p);
	ask_txt(f, now, p);
	ask_hosts(f, p);
	ask_policy(f, now, p);
}

void plan_next(struct facts *f, int64_t now, struct plan *out)
{
	out->count = 0;
	ask_all(f, now, out);
	out->ready = facts_ready(f, now);
	out->idle = out->count == 0 && !on_its_way(f);
}

static void take_txt(struct facts *f, const struct rr_answer *answer, int64_t now)
{
	struct sts_fact *s = &f->sts;
	const char *reason;

	s->txt_until = plan_answer_until(answer, now);
	if (s->txt_until > now + FACTS_TXT_TTL_MAX)
		s->txt_until = now + FACTS_TXT_TTL_MAX;
	s->txt_id[0] = '\0';
	switch (answer->status) {
	case RR_OK:
		s->txt = sts_record_find(s->txt_id, answer, &reason) ? TXT_RECORD : TXT_NONE;
		return;
	case RR_NODATA:
	case RR_NXDOMAIN:
		s->txt = TXT_NONE;
		return;
	case RR_ERROR:
	case RR_BOGUS:
		s->txt = TXT_ERROR;
		return;
	}
}

static void take_policy_addresses(struct sts_fact *s, const struct rr_answer *answer, enum rr_type type)
{
	/* half the room for each family: neither shall push out the other, whichever comes first */
	size_t i, max = s->address_count + sizeof(s->address) / sizeof(s->address[0]) / 2;

	if (answer->status != RR_OK)
		return;
	for (i = 0; i < answer->count && s->address_count < max; i++)
		if (rr_address(&answer->rdata[i], type, s->address[s->address_count], sizeof(s->address[0])))
			s->address_count++;
}

static void take_policy_address(struct facts *f, const struct ask *ask, const struct rr_answer *answer)
{
	bool *waiting = ask->kind == ASK_POLICY_A ? &f->sts.fetch_wait_a : &f->sts.fetch_wait_aaaa;

	if (*waiting)
		take_policy_addresses(&f->sts, answer, ask->type);
	*waiting = false;
}

static void take_host(struct facts *f, const struct ask *ask, const struct rr_answer *answer, int64_t now)
{
	struct host_fact *h = &f->host[ask->host];
	char name[DOMAIN_SIZE];
	enum rr_type type;

	if (ask->host >= f->host_count || !h->waiting || !plan_host_question(h, f->nexthop.port, name, &type))
		return;
	if (type == ask->type && strcmp(name, ask->name) == 0)
		plan_host_take(h, answer, now);
}

/* An answer nobody waits for any more (it came after the deadline) changes nothing. */
void plan_take_answer(struct facts *f, const struct ask *ask, const struct rr_answer *answer, int64_t now)
{
	switch (ask->kind) {
	case ASK_MX:
		if (f->mx_waiting)
			plan_take_mx(f, answer, now);
		f->mx_waiting = false;
		return;
	case ASK_TXT:
		if (f->txt_waiting)
			take_txt(f, answer, now);
		f->txt_waiting = false;
		return;
	case ASK_HOST:
		take_host(f, ask, answer, now);
		return;
	case ASK_POLICY_A:
	case ASK_POLICY_AAAA:
		take_policy_address(f, ask, answer);
		return;
	case ASK_SHARED:
	case ASK_POLICY:
		assert(!"not a DNS question");
	}
}

void plan_take_shared(struct facts *f, bool away)
{
	f->shared = away ? FACTS_SHARED_AWAY : FACTS_SHARED_READ;
	f->shared_known = true;
	f->shared_waiting = false;
}

bool plan_take_unread(struct facts *f, int64_t now)
{
	f->shared = FACTS_SHARED_UNREAD;
	if (facts_in_doubt(f, now))
		return f->shared_waiting;
	f->shared_known = true;
	f->shared_waiting = false;
	return false;
}

/* What the domain said just now counts more than anything that Redis may have. */
static void doubt_over(struct facts *f)
{
	if (f->shared == FACTS_SHARED_UNREAD)
		plan_take_shared(f, false);
}

static void policy_fetched(struct facts *f, struct sts_policy *policy, int64_t now)
{
	struct sts_fact *s = &f->sts;

	s->weakened = facts_policy_differs(f, policy, now);
	s->own = true;
	s->contradicted = false;
	sts_policy_fini(&s->policy);
	s->policy = *policy;
	s->have_policy = true;
	memcpy(s->policy_id, s->fetch_id, sizeof(s->policy_id));
	s->fetched_at = now;
	s->failure = FETCH_OK;
	s->fail_id[0] = s->fail_why[0] = '\0';
	s->fail_at = 0;
	fetch_over(s);
	doubt_over(f);
}

void plan_take_policy(struct facts *f, const struct policy_result *result, int64_t now)
{
	struct sts_policy policy;
	const char *reason;

	if (!f->sts.fetch_wait_body)
		return;
	f->sts.fetch_wait_body = false;
	if (result->failure != FETCH_OK)
		fetch_failed(f, result->failure, result->why, now);
	else if (!sts_policy_parse(&policy, result->body, result->len, &reason))
		fetch_failed(f, FETCH_INVALID, reason, now);
	else
		policy_fetched(f, &policy, now);
}

void plan_policy_elsewhere(struct facts *f)
{
	fetch_over(&f->sts);
}
