/*
 * finding.h - what is being found out of one next hop: the facts so far, and what must be remembered about them until
 * they are kept.
 *
 * The job (job.h) fills in the facts and says what it asked; the ledger (ledger.h, ledger_take.h) knows by the notes
 * what to read again, what to share and what to log. Whose it is, and who waits for it, it does not know. No I/O.
 */
#ifndef TLSMODE_MAPD_FINDING_H
#define TLSMODE_MAPD_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/plan.h"

enum finding_late { FINDING_IN_TIME, FINDING_LATE_DNS, FINDING_LATE_ALL };

struct finding {
	struct facts facts;

	/* Why it is found out. */
	int64_t ends_by; /* a prefetch: what ends by then (wall seconds) counts as ended; 0: none */
	bool refresh;    /* the policy's date has come (refresh.h) */

	/* What Redis is to say, known_facts.h. */
	unsigned marks;  /* was to be read again when the round began */
	unsigned stale;  /* another node changed it since */
	unsigned unread; /* Redis could not be read: to be read yet */

	/* What Redis said. */
	bool forgot;               /* an operator made us forget the policy */
	bool share_policy;         /* it has lost our policy: share it again */
	enum txt_state shared_txt; /* as it has it, whatever its end; UNKNOWN: not */
	char shared_id[STS_ID_SIZE];

	/* What was found since. */
	bool news;                  /* facts changed since they were given or kept */
	bool policy_news;           /* also those of the domain's other next hops */
	bool dane_asked, sts_asked; /* by us, not read somewhere: worth sharing */

	/* How long it took; monotonic. */
	enum finding_late late;   /* the limit of this round that was passed */
	int64_t started_ms;       /* this round */
	int64_t fetch_ms;         /* the policy fetch under way began; 0: none */
	char was_id[STS_ID_SIZE]; /* of the policy before that fetch; "" */
};

void finding_init(struct finding *f, const struct nexthop *nexthop);
void finding_fini(struct finding *f);

/* A round begins, the first or another: it has all its time. */
void finding_begin(struct finding *f);
/* DNS is asked a question of KIND. */
void finding_asked(struct finding *f, enum ask_kind kind);
void finding_fetch_begins(struct finding *f);
void finding_fetch_ends(struct finding *f); /* with or without a result; allowed when none is under way */

static inline bool finding_is_prefetch(const struct finding *f)
{
	return f->ends_by != 0;
}

static inline bool finding_fetches(const struct finding *f)
{
	return f->fetch_ms != 0;
}

#endif
