/*
 * shared_facts.c - see shared_facts.h.
 */
#include "mapd/resolve/shared_facts.h"

#include <string.h>

#include "base/log.h"

const struct text_field *shared_find(const struct text_field *field, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (field[i].name_len == strlen(name) && memcmp(field[i].name, name, field[i].name_len) == 0)
			return &field[i];
	return NULL;
}

bool shared_finds_anew(const struct text_field *sts, size_t count)
{
	return shared_find(sts, count, SHARED_FORGOTTEN) || shared_find(sts, count, SHARED_REFRESH);
}

static void say_malformed(const struct facts *f, const char *fact, const char *reason)
{
	char quoted[160];

	log_warn("event=fact_malformed fact=%s nexthop=%s reason=%s", fact, f->nexthop.key,
		 log_quote(quoted, sizeof(quoted), reason, strlen(reason)));
}

/* At most once for each fetch that it makes due, or little more often. */
static void say_contradicted(const struct facts *f)
{
	if (f->sts.contradicted && f->sts.refresh)
		log_warn(
		    "event=policy_contradicted domain=%s mode=enforce do=\"nothing: the policy stays in force and the "
		    "domain is asked\"",
		    f->nexthop.domain);
}

void shared_take_sts(struct facts *f, const struct text_field *sts, size_t count, int64_t now)
{
	const char *reason;

	if (!facts_text_take_sts(f, sts, count, now, &reason))
		say_malformed(f, "sts", reason);
	say_contradicted(f);
}

void shared_take_dane(struct facts *f, const struct text_field *dane, size_t count, int64_t now)
{
	const char *reason;

	if (!facts_text_take_dane(f, dane, count, now, &reason))
		say_malformed(f, "dane", reason);
}

static void forget_policy(struct facts *f)
{
	struct sts_fact *s = &f->sts;

	if (s->have_policy)
		log_info("event=policy_forgotten domain=%s", f->nexthop.domain);
	sts_policy_fini(&s->policy);
	s->have_policy = false;
	s->policy_id[0] = '\0';
	s->fetched_at = 0;
	s->refresh = false;
}

static void forget_failure(struct sts_fact *s)
{
	s->failure = FETCH_OK;
	s->fail_id[0] = s->fail_why[0] = '\0';
	s->fail_at = 0;
}

/* Whatever Redis has counts more. */
static void forget_txt(struct sts_fact *s)
{
	s->txt = TXT_UNKNOWN;
	s->txt_id[0] = '\0';
}

bool shared_take_changed_sts(struct facts *f, const struct text_field *sts, size_t count, int64_t now)
{
	bool forgotten = shared_find(sts, count, SHARED_FORGOTTEN);

	if (forgotten) {
		forget_policy(f);
		forget_failure(&f->sts);
	}
	if (forgotten || shared_find(sts, count, "txt"))
		forget_txt(&f->sts);
	shared_take_sts(f, sts, count, now);
	return forgotten;
}

void shared_forget_hop(struct facts *f)
{
	struct facts *fresh = &(struct facts){0};

	facts_init(fresh, &f->nexthop);
	f->mx = fresh->mx;
	f->mx_kind = fresh->mx_kind;
	f->mx_until = fresh->mx_until;
	f->mx_truncated = false;
	f->mx_why = NULL;
	f->host_count = fresh->host_count;
	f->host[0] = fresh->host[0];
	facts_fini(fresh);
}
