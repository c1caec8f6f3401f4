/*
 * facts_text_take.c - facts out of Redis hashes, with the same suspicion as anything from outside: Redis is shared.
 *
 * Not here: the way there (facts_text.c). Nothing of a malformed hash is taken; a later policy wins, what is known
 * stays.
 */
#include "core/facts_text.h"

#include <string.h>

#include "core/text_reader.h"

static bool read_txt(struct text_reader *r, struct sts_fact *s)
{
	int state;

	if (!text_reader_has(r, "txt"))
		return !r->reason;
	if (!text_reader_word(r, "txt", facts_txt_state_names, &state) ||
	    !text_reader_number(r, "txt_until", INT64_MAX, &s->txt_until))
		return false;
	if (state != TXT_NONE && state != TXT_RECORD)
		return text_reader_bad(r, "txt is neither none nor record");
	s->txt = (enum txt_state)state;
	return state == TXT_NONE || text_reader_id(r, "txt_id", false, s->txt_id);
}

static bool read_patterns(struct text_reader *r, struct sts_policy *p)
{
	struct text_span s = {NULL, 0};

	if (!text_reader_get(r, "mx", &s) && r->reason)
		return false;
	if (s.len == 0)
		return p->mode == STS_NONE || text_reader_bad(r, "a policy has no mx");
	return (s.len <= STS_BODY_MAX && sts_policy_set_mx(p, s.p, s.len)) || text_reader_bad(r, "mx is malformed");
}

static bool read_policy(struct text_reader *r, struct sts_fact *s)
{
	int64_t max_age;
	int mode;

	if (!text_reader_has(r, "mode"))
		return !r->reason;
	if (!text_reader_word(r, "mode", sts_mode_names, &mode) ||
	    !text_reader_number(r, "max_age", STS_MAX_AGE_LIMIT, &max_age))
		return false;
	s->policy.mode = (enum sts_mode)mode;
	s->policy.max_age = (uint32_t)max_age;
	s->have_policy = true;
	return text_reader_id(r, "id", true, s->policy_id) &&
	       text_reader_number(r, "fetched_at", INT64_MAX, &s->fetched_at) && read_patterns(r, &s->policy);
}

static bool read_why(struct text_reader *r, struct sts_fact *s)
{
	struct text_span why;

	if (!text_reader_get(r, "fail_why", &why))
		return !r->reason;
	if (why.len >= sizeof(s->fail_why))
		return text_reader_bad(r, "fail_why is too long");
	for (size_t i = 0; i < why.len; i++)
		if (why.p[i] < ' ' || why.p[i] >= 0x7f)
			return text_reader_bad(r, "fail_why does not print");
	memcpy(s->fail_why, why.p, why.len);
	s->fail_why[why.len] = '\0';
	return true;
}

static bool read_failure(struct text_reader *r, struct sts_fact *s)
{
	int failure;

	if (!text_reader_has(r, "failure"))
		return !r->reason;
	if (!text_reader_word(r, "failure", facts_fetch_failure_names, &failure) ||
	    !text_reader_number(r, "fail_at", INT64_MAX, &s->fail_at))
		return false;
	s->failure = (enum fetch_failure)failure;
	return text_reader_id(r, "fail_id", true, s->fail_id) && read_why(r, s);
}

static bool read_refresh(struct text_reader *r, int64_t *asked_at)
{
	if (!text_reader_has(r, "refresh"))
		return !r->reason;
	return text_reader_number(r, "refresh", INT64_MAX, asked_at);
}

static void merge_txt(struct sts_fact *to, const struct sts_fact *from, int64_t now)
{
	if (to->txt != TXT_UNKNOWN || from->txt == TXT_UNKNOWN || from->txt_until <= now)
		return;
	to->txt = from->txt;
	to->txt_until = from->txt_until < now + FACTS_TXT_TTL_MAX ? from->txt_until : now + FACTS_TXT_TTL_MAX;
	memcpy(to->txt_id, from->txt_id, sizeof(to->txt_id));
}

/* Somebody says that there is less than what is in force here: the domain itself is to be asked. */
static void ask_anew(struct sts_fact *s, int64_t now)
{
	s->contradicted = true;
	if (now >= s->fetched_at + FACTS_REFRESH_MIN)
		s->refresh = true;
}

/* Moves the policy when it is the later one and takes nothing from what is in force. */
static void merge_policy(struct facts *f, struct sts_fact *from, int64_t now)
{
	struct sts_fact *to = &f->sts;
	int64_t fetched_at = from->fetched_at < now ? from->fetched_at : now;

	if (!from->have_policy || (to->have_policy && to->fetched_at >= fetched_at))
		return;
	if (facts_policy_weakens(f, &from->policy, fetched_at, now)) {
		ask_anew(to, now);
		return;
	}
	sts_policy_fini(&to->policy);
	to->policy = from->policy;
	memset(&from->policy, 0, sizeof(from->policy));
	to->have_policy = true;
	to->own = to->contradicted = false;
	to->fetched_at = fetched_at;
	memcpy(to->policy_id, from->policy_id, sizeof(to->policy_id));
	to->refresh = false;
	if (to->fail_at <= fetched_at) {
		to->failure = FETCH_OK;
		to->fail_id[0] = to->fail_why[0] = '\0';
		to->fail_at = 0;
	}
}

/* An operator asked for a fetch (tlsmode cache refresh) and none has ended since: it is due, and no hold-off stands in
 * its way. */
static void merge_refresh(struct sts_fact *to, int64_t asked_at)
{
	if (!to->have_policy || asked_at <= to->fetched_at || asked_at <= to->fail_at)
		return;
	to->refresh = true;
	to->failure = FETCH_OK;
}

bool facts_text_take_sts(struct facts *f, const struct text_field *fields, size_t count, int64_t now,
			 const char **reason)
{
	struct text_reader r = {fields, count, NULL};
	struct sts_fact read = {.txt = TXT_UNKNOWN};
	int64_t refresh = 0;
	bool ok =
	    read_txt(&r, &read) && read_policy(&r, &read) && read_failure(&r, &read) && read_refresh(&r, &refresh);

	if (ok && nexthop_in_dns(&f->nexthop)) {
		merge_txt(&f->sts, &read, now);
		merge_policy(f, &read, now);
		merge_refresh(&f->sts, refresh < now ? refresh : now);
	}
	sts_policy_fini(&read.policy);
	*reason = r.reason;
	return ok;
}

/* ---- dane ---- */

struct dane_text {
	int mx, kind;
	int64_t until, truncated;
	size_t count;
	struct host_fact host[FACTS_HOSTS_MAX];
};

/* A host name to the letter as domain.c would write it. */
static bool facts_text_take_take_name(char out[DOMAIN_SIZE], struct text_span s)
{
	return domain_canon(out, s.p, s.len) == DOMAIN_OK && strlen(out) == s.len && memcmp(out, s.p, s.len) == 0;
}

static bool known_host(const struct dane_text *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->host[i].name, name) == 0)
			return true;
	return false;
}

/* host = name SP state SP until SP (expanded / "-") */
static bool read_host(struct text_reader *r, struct dane_text *d, struct text_span s)
{
	struct text_span name, state, until, expanded;
	struct host_fact h = {.step = HOST_DONE};
	int tlsa;

	if (!text_span_split(&s, ' ', &name) || !text_span_split(&s, ' ', &state) ||
	    !text_span_split(&s, ' ', &until) || !text_span_split(&s, ' ', &expanded) || s.p)
		return text_reader_bad(r, "a host has not four parts");
	if (!facts_text_take_take_name(h.name, name) || known_host(d, h.name))
		return text_reader_bad(r, "a host's name is malformed or there twice");
	if (!text_span_word(dane_tlsa_state_names, state, &tlsa) || tlsa == TLSA_UNKNOWN || tlsa == TLSA_ERROR)
		return text_reader_bad(r, "a host's state is not one that is shared");
	if (!text_span_number(until, &h.until))
		return text_reader_bad(r, "a host's end is malformed");
	if (!(expanded.len == 1 && expanded.p[0] == '-') && !facts_text_take_take_name(h.expanded, expanded))
		return text_reader_bad(r, "a host's expanded name is malformed");
	h.tlsa = (enum tlsa_state)tlsa;
	d->host[d->count++] = h;
	return true;
}

static bool read_hosts(struct text_reader *r, struct dane_text *d)
{
	struct text_span hosts, s;

	if (!text_reader_must(r, "hosts", &hosts))
		return false;
	if (hosts.len == 0)
		return true;
	while (text_span_split(&hosts, ',', &s)) {
		if (d->count == FACTS_HOSTS_MAX)
			return text_reader_bad(r, "too many hosts");
		if (!read_host(r, d, s))
			return false;
	}
	return true;
}

/* The parts fit each other and the next hop. */
static bool sensible(struct text_reader *r, const struct dane_text *d, const struct nexthop *nexthop)
{
	bool itself = d->count == 1 && strcmp(d->host[0].name, nexthop->domain) == 0;
	bool fits = false;

	if (d->mx != MX_SECURE && d->mx != MX_INSECURE)
		return text_reader_bad(r, "mx is neither secure nor insecure");
	if (d->truncated != 0 && (d->kind != MX_RECORDS || d->count != FACTS_HOSTS_MAX))
		return text_reader_bad(r, "truncated, but there was room");
	switch ((enum mx_kind)d->kind) {
	case MX_RECORDS:
		fits = nexthop->kind == NEXTHOP_DOMAIN;
		break;
	case MX_IMPLICIT:
		fits = nexthop->kind == NEXTHOP_DOMAIN && itself;
		break;
	case MX_NULL:
	case MX_NXDOMAIN:
		fits = nexthop->kind == NEXTHOP_DOMAIN && d->count == 0;
		break;
	case MX_NONE:
		fits = nexthop->kind == NEXTHOP_HOST && itself && d->mx == MX_SECURE;
		break;
	}
	return fits || text_reader_bad(r, "kind and hosts do not fit");
}

static int64_t bounded(int64_t until, int64_t now)
{
	return until < now + FACTS_TTL_MAX ? until : now + FACTS_TTL_MAX;
}

/* Fills the hosts of F nobody has looked at yet. */
static void merge_hosts(struct facts *f, const struct dane_text *d, int64_t now)
{
	for (size_t i = 0; i < f->host_count; i++) {
		struct host_fact *h = &f->host[i];

		if (h->step != HOST_ASK_A || h->waiting)
			continue;
		for (size_t k = 0; k < d->count; k++) {
			if (strcmp(h->name, d->host[k].name) != 0 || d->host[k].until <= now)
				continue;
			*h = d->host[k];
			h->until = bounded(h->until, now);
		}
	}
}

static void merge_dane(struct facts *f, const struct dane_text *d, int64_t now)
{
	if (f->mx == MX_UNKNOWN && d->until > now) {
		f->mx = (enum mx_state)d->mx;
		f->mx_kind = (enum mx_kind)d->kind;
		f->mx_until = bounded(d->until, now);
		f->mx_truncated = d->truncated != 0;
		for (size_t i = 0; i < d->count; i++)
			facts_add_host(f, d->host[i].name);
	}
	if (f->mx != MX_UNKNOWN)
		merge_hosts(f, d, now);
}

bool facts_text_take_dane(struct facts *f, const struct text_field *fields, size_t count, int64_t now,
			  const char **reason)
{
	struct text_reader r = {fields, count, NULL};
	struct dane_text d = {0};
	bool ok;

	*reason = NULL;
	if (count == 0)
		return true;
	ok = text_reader_word(&r, "mx", facts_mx_state_names, &d.mx) &&
	     text_reader_word(&r, "kind", facts_mx_kind_names, &d.kind) &&
	     text_reader_number(&r, "until", INT64_MAX, &d.until) &&
	     text_reader_number(&r, "truncated", 1, &d.truncated) && read_hosts(&r, &d) &&
	     sensible(&r, &d, &f->nexthop);
	if (ok)
		merge_dane(f, &d, now);
	*reason = r.reason;
	return ok;
}
