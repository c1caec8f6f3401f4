/*
 * facts.h - what is known of one next hop: its mail hosts with their TLSA states, and its domain's MTA-STS policy.
 *
 * Every part has its own state and end. Parts that are unknown, or whose end has come, are asked for by plan.h;
 * answers are taken here, in any order. All times are wall-clock seconds. Pure.
 */
#ifndef TLSMODE_CORE_FACTS_H
#define TLSMODE_CORE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dane.h"
#include "core/nexthop.h"
#include "core/rr.h"
#include "core/sts_policy.h"
#include "core/sts_record.h"

#define FACTS_HOSTS_MAX 50      /* MX hosts looked at; more: mx_truncated, and not all hosts count as usable */
#define FACTS_TTL_MIN 1         /* seconds a fact lives at least */
#define FACTS_TTL_MAX 86400     /* and at most */
#define FACTS_ERROR_TTL 5       /* seconds until an error is asked again (RFC 9520: 1 s to 5 min) */
#define FACTS_TXT_TTL_MAX 300   /* the TXT id is looked at again at least this often */
#define FACTS_HOLDOFF 300       /* a failed fetch is not repeated for so long for the same id */
#define FACTS_REFRESH_MAX 86400 /* a policy is fetched anew at the smaller of this and max_age / 2 ... */
#define FACTS_REFRESH_MIN 60    /* ... by itself never more often than this */

enum mx_state { MX_UNKNOWN, MX_SECURE, MX_INSECURE, MX_BOGUS, MX_ERROR };
extern const struct name_code facts_mx_state_names[]; /* unknown secure insecure bogus error */

enum mx_kind {
	MX_RECORDS,  /* an MX RRset */
	MX_IMPLICIT, /* no MX record: the domain is its own host (RFC 5321 s5.1) */
	MX_NULL,     /* "0 ." alone (RFC 7505) */
	MX_NXDOMAIN,
	MX_NONE /* bracketed or literal: there is no MX to ask for */
};
extern const struct name_code facts_mx_kind_names[]; /* records implicit null nxdomain none */

/* Where a host stands on its way to a TLSA state (RFC 7672 s2.2.2): address, then TLSA at the expanded name when the
 * address was an all-secure alias, then TLSA at the name itself. */
enum host_step {
	HOST_ASK_A,
	HOST_ASK_AAAA,  /* only when there was no A */
	HOST_ASK_CNAME, /* an insecure address behind an alias: is the alias itself secure? */
	HOST_ASK_TLSA_EXPANDED,
	HOST_ASK_TLSA,
	HOST_DONE
};

struct host_fact {
	char name[DOMAIN_SIZE];     /* as the MX record has it, canonical */
	char expanded[DOMAIN_SIZE]; /* after the alias, when TLSA is asked there; "" otherwise */
	enum tlsa_state tlsa;
	enum host_step step;
	bool waiting;    /* the question of STEP is on its way */
	int64_t until;   /* min of all TTLs used */
	const char *why; /* static reason of ERROR or of NONE, or NULL */
};

enum txt_state {
	TXT_UNKNOWN,
	TXT_NONE,   /* absent, several, or no valid record */
	TXT_RECORD, /* ID is the policy's version */
	TXT_ERROR   /* no live answer: not a sign of absence */
};
extern const struct name_code facts_txt_state_names[]; /* unknown none record error */

enum fetch_failure {
	FETCH_OK,
	FETCH_FAILED, /* no address, connection, timeout, HTTP status, media type, size */
	FETCH_WEBPKI, /* the policy host's certificate */
	FETCH_INVALID /* the body is no policy */
};
/* names as Postfix's policy_failure has them: "" sts-policy-fetch-error sts-webpki-invalid sts-policy-invalid */
extern const struct name_code facts_fetch_failure_names[];

struct sts_fact {
	enum txt_state txt;
	char txt_id[STS_ID_SIZE];
	int64_t txt_until; /* look at the TXT record again then */

	bool have_policy; /* a policy was fetched once; whether it is in force depends on the time */
	struct sts_policy policy;
	char policy_id[STS_ID_SIZE]; /* TXT id it was fetched for; "" when refreshed without a live TXT */
	int64_t fetched_at;          /* last successful fetch */
	bool own;                    /* it was ours, since facts_init() */
	bool weakened;               /* and took from a policy that was in force */
	bool contradicted;           /* others say that there is less: a fetch is due as soon as may be */

	enum fetch_failure failure; /* of the last fetch; FETCH_OK: it succeeded or there was none */
	char fail_id[STS_ID_SIZE];
	int64_t fail_at;
	char fail_why[120]; /* for people */

	enum { STS_FETCH_IDLE, STS_FETCH_ADDRESS, STS_FETCH_BODY } fetch;
	char fetch_id[STS_ID_SIZE];                          /* the TXT id the fetch under way is for */
	bool fetch_wait_a, fetch_wait_aaaa, fetch_wait_body; /* on their way */
	bool overdue; /* nobody waits for this fetch any more (sts.timeout): it goes on, the answer does not */
	bool refresh; /* asked by the refresher: fetch although the id is the same */
	size_t address_count;
	char address[8][46]; /* of the policy host, as text */
};

/* How the last reading of Redis ended. "Could not be read" is never "there is nothing". */
enum facts_shared {
	FACTS_SHARED_READ,  /* what is there was taken; or nothing was asked yet */
	FACTS_SHARED_AWAY,  /* Redis is away: memory and the network speak, for a short time */
	FACTS_SHARED_UNREAD /* Redis is there, but it was too slow, too busy or refused: a policy may be there */
};

struct facts {
	struct nexthop nexthop;
	bool shared_known; /* Redis was read, is away, or is no longer waited for: see SHARED */
	bool shared_waiting;
	enum facts_shared shared;

	enum mx_state mx;
	enum mx_kind mx_kind;
	bool mx_waiting;
	bool mx_truncated;
	int64_t mx_until;
	const char *mx_why; /* static, for people; or NULL */
	size_t host_count;
	struct host_fact host[FACTS_HOSTS_MAX]; /* lowest preference first, no name twice */

	bool txt_waiting;
	struct sts_fact sts;
};

void facts_init(struct facts *f, const struct nexthop *nexthop); /* literals and others are complete at once */
void facts_fini(struct facts *f);
/* For plan_host.c and facts_text_take.c: a host at its first step. The caller minds FACTS_HOSTS_MAX and names used
 * twice. */
struct host_fact *facts_add_host(struct facts *f, const char *name);

/* Makes F ready for a new round at NOW: parts whose end has come (by NOW) are unknown again; a valid policy stays.
 * Times a clock set back has left in the future are cut. */
void facts_begin(struct facts *f, int64_t now);

/* The policy in force at NOW: fetched, not past max_age. NULL otherwise. */
const struct sts_policy *facts_policy(const struct facts *f, int64_t now);
/* A policy that binds more than what is known may be in Redis, which could not be read. */
bool facts_in_doubt(const struct facts *f, int64_t now);
/* An enforce policy is in force at NOW, and OTHER does not bind as it does: another mode, other patterns. */
bool facts_policy_differs(const struct facts *f, const struct sts_policy *other, int64_t now);
/* Or OTHER, fetched at FETCHED_AT, ends sooner. Such a word of others is no reason to do with less than what is in force
 * here, but one to ask the domain. */
bool facts_policy_weakens(const struct facts *f, const struct sts_policy *other, int64_t fetched_at, int64_t now);
/* The policy of FROM becomes TO's when it is in force at NOW and the later one, or when TO's is another node's and
 * weakens it; FROM has none then. */
void facts_take_later_policy(struct facts *to, struct facts *from, int64_t now);
/* The first second in which the policy is no longer in force; INT64_MAX without one. A policy of max_age 0 still
 * serves the question it was fetched for: it lives a second. */
int64_t facts_policy_end(const struct facts *f);
/* End of the hold-off after a failed fetch for the live TXT id; 0 when there is none. */
int64_t facts_holdoff_end(const struct facts *f);
/* Everything the verdict waits for is known. A due fetch is waited for until facts_policy_overdue(), a refresh never.
 * */
bool facts_ready(const struct facts *f, int64_t now);
/* A fetch is due: TXT id new or no valid policy, and no hold-off for this id; or refresh asked. */
bool facts_fetch_due(const struct facts *f, int64_t now);
/* When the policy should be fetched anew by itself; INT64_MAX without a policy in force. */
int64_t facts_refresh_at(const struct facts *f);
/* The end of what was decided from F: the least of all ends, of the policy's expiry and of the hold-off; soon, when Redis
 * was not read. > NOW. */
int64_t facts_until(const struct facts *f, int64_t now);
/* Everything that is worth sharing is known: no part is an error or unknown. */
bool facts_dane_shareable(const struct facts *f);

/* Deadline: whatever is missing or on its way becomes an error (DNS), overdue (policy fetch) or unread (Redis). */
void facts_timeout(struct facts *f, int64_t now);
/* sts.timeout: the verdict no longer waits for the policy fetch. */
void facts_policy_overdue(struct facts *f);

#endif
