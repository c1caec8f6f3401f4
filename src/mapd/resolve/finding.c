/*
 * finding.c - see finding.h.
 */
#include "mapd/resolve/finding.h"

#include <string.h>

#include "base/tick.h"

void finding_init(struct finding *f, const struct nexthop *nexthop)
{
	memset(f, 0, sizeof(*f));
	facts_init(&f->facts, nexthop);
}

void finding_fini(struct finding *f)
{
	facts_fini(&f->facts);
}

void finding_begin(struct finding *f)
{
	f->late = FINDING_IN_TIME;
	f->started_ms = tick_mono_ms();
}

void finding_asked(struct finding *f, enum ask_kind kind)
{
	f->news = true;
	if (kind == ASK_TXT)
		f->sts_asked = true;
	else if (kind == ASK_MX || kind == ASK_HOST)
		f->dane_asked = true;
}

void finding_fetch_begins(struct finding *f)
{
	memcpy(f->was_id, f->facts.sts.policy_id, sizeof(f->was_id));
	f->fetch_ms = tick_mono_ms();
}

void finding_fetch_ends(struct finding *f)
{
	f->fetch_ms = 0;
}
