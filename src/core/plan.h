/*
 * plan.h - the pure planner: what is still to ask before a verdict, and what to do with an answer.
 *
 * Driver's loop, whatever the driver (event loop, blocking, script):
 *     plan_next(f, now, &p): start every ask in p; when p.ready, the facts decide; when p.idle, the job is over.
 *     each answer: plan_take_*(f, ask, answer, now), then plan_next() again. The order of arrival does not matter.
 * Rounds: shared facts (Redis); MX and _mta-sts TXT; A of the MX hosts and, when a fetch is due, the addresses of
 * mta-sts.DOMAIN; TLSA, and the policy. Hosts behind an insecure MX RRset are still asked: row 11 of the decision
 * table wants to know (RFC 7672 s2.2.1 leaves it optional).
 */
#ifndef TLSMODE_CORE_PLAN_H
#define TLSMODE_CORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/facts.h"

enum ask_kind {
	ASK_SHARED,   /* both hashes of Redis: plan_take_shared(), after plan_take_unread() as often as need be */
	ASK_MX,       /* DNS: plan_take_answer() */
	ASK_TXT,      /* DNS, _mta-sts.<policy domain> */
	ASK_HOST,     /* DNS, one step of host[HOST] */
	ASK_POLICY_A, /* DNS, mta-sts.<policy domain> */
	ASK_POLICY_AAAA,
	ASK_POLICY /* HTTPS from facts->sts.address[]: plan_take_policy() */
};
extern const struct name_code plan_ask_kind_names[];

struct ask {
	enum ask_kind kind;
	size_t host;            /* ASK_HOST: index */
	enum rr_type type;      /* DNS asks */
	char name[DOMAIN_SIZE]; /* DNS: owner name; ASK_POLICY: the policy host, mta-sts.<policy domain> */
};

#define PLAN_ASKS_MAX (FACTS_HOSTS_MAX + 6)

struct plan {
	bool ready; /* the facts decide now; asks that go on in the background may remain */
	bool idle;  /* nothing to ask and nothing on its way: the job is over */
	size_t count;
	struct ask ask[PLAN_ASKS_MAX]; /* to be started now, each exactly once */
};

/* What to ask at NOW (wall seconds). Marks what it gives out as on its way. Names longer than DNS allows are answered
 * here: an _mta-sts name of over 253 octets is "no MTA-STS", a TLSA name "none". */
void plan_next(struct facts *f, int64_t now, struct plan *out);

/* The answer to a DNS ask. */
void plan_take_answer(struct facts *f, const struct ask *ask, const struct rr_answer *answer, int64_t now);
/* Redis was read (facts_text_take_* was called for what it had) or is AWAY. */
void plan_take_shared(struct facts *f, bool away);
/* Redis is there, but could not be read. The rest is asked meanwhile. True: the driver reads again after a pause, for as
 * long as F's shared_waiting stands; false: an enforce policy binds whatever Redis has. */
bool plan_take_unread(struct facts *f, int64_t now);

/* The end of a policy fetch. BODY is read by sts_policy_parse() here. */
struct policy_result {
	enum fetch_failure failure; /* FETCH_OK: BODY counts */
	const char *why;            /* for people, with any failure */
	const char *body;
	size_t len;
};
void plan_take_policy(struct facts *f, const struct policy_result *result, int64_t now);

/* The fetch under way ends without a result of ours: another node made it, and facts_text_take_sts() took what it
 * found. */
void plan_policy_elsewhere(struct facts *f);

#endif
