/*
 * facts_text.c - facts as readable Redis hashes.
 *
 * Not here: the way back (facts_text_take.c), Redis (io/redis/fact_store.c), the ends of facts (facts.c). Called by mapd's
 * ledger; the control tool shows the hashes as they are.
 */
#include "core/facts_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"

struct writer {
	struct text_fields *out;
	struct sbuf b;
};

static void writer_init(struct writer *w, struct text_fields *out, size_t size)
{
	memset(out, 0, sizeof(*out));
	out->storage = xmalloc(size);
	w->out = out;
	sbuf_init(&w->b, out->storage, size);
}

/* A new field; its value is what is added to w->b until the next one. */
static void field(struct writer *w, const char *name)
{
	struct text_field *t;

	if (w->out->count > 0)
		sbuf_addc(&w->b, '\0');
	t = &w->out->field[w->out->count++];
	t->name = name;
	t->name_len = strlen(name);
	t->value = w->b.buf + w->b.len;
}

static void field_text(struct writer *w, const char *name, const char *value)
{
	field(w, name);
	sbuf_add(&w->b, value);
}

static void field_number(struct writer *w, const char *name, int64_t value)
{
	field(w, name);
	sbuf_addf(&w->b, "%lld", (long long)value);
}

static void writer_end(struct writer *w)
{
	for (size_t i = 0; i < w->out->count; i++) {
		const char *end = i + 1 < w->out->count ? w->out->field[i + 1].value - 1 : w->b.buf + w->b.len;

		w->out->field[i].value_len = (size_t)(end - w->out->field[i].value);
	}
}

void facts_text_fini(struct text_fields *t)
{
	free(t->storage);
	memset(t, 0, sizeof(*t));
}

static bool txt_worth(const struct facts *f, int64_t now)
{
	const struct sts_fact *s = &f->sts;

	return (s->txt == TXT_NONE || s->txt == TXT_RECORD) && s->txt_until > now;
}

static bool failure_worth(const struct facts *f, int64_t now)
{
	return f->sts.failure != FETCH_OK && f->sts.fail_at + FACTS_HOLDOFF > now;
}

static void write_txt(struct writer *w, const struct sts_fact *s)
{
	field_text(w, "txt", names_name(facts_txt_state_names, (int)s->txt));
	if (s->txt == TXT_RECORD)
		field_text(w, "txt_id", s->txt_id);
	field_number(w, "txt_until", s->txt_until);
}

static void write_policy(struct writer *w, const struct sts_fact *s)
{
	const char *mx = NULL;
	size_t n = 0;

	field_text(w, "mode", names_name(sts_mode_names, (int)s->policy.mode));
	field_number(w, "max_age", s->policy.max_age);
	field(w, "mx");
	while ((mx = sts_policy_mx(&s->policy, mx)))
		sbuf_addf(&w->b, n++ == 0 ? "%s" : " %s", mx);
	field_text(w, "id", s->policy_id);
	field_number(w, "fetched_at", s->fetched_at);
}

/* FAIL_WHY came from a library: only what prints goes out. */
static void write_failure(struct writer *w, const struct sts_fact *s)
{
	const char *p;

	field_text(w, "failure", names_name(facts_fetch_failure_names, (int)s->failure));
	field_text(w, "fail_id", s->fail_id);
	field_number(w, "fail_at", s->fail_at);
	field(w, "fail_why");
	for (p = s->fail_why; *p != '\0'; p++)
		sbuf_addc(&w->b, *p >= ' ' && *p < 0x7f ? *p : '?');
}

bool facts_text_sts(const struct facts *f, int64_t now, struct text_fields *out)
{
	const struct sts_policy *policy = facts_policy(f, now);
	struct writer w;

	memset(out, 0, sizeof(*out));
	if (!nexthop_in_dns(&f->nexthop) || (!policy && !txt_worth(f, now) && !failure_worth(f, now)))
		return false;
	writer_init(&w, out, 1000 + (policy ? policy->mx_len : 0));
	if (txt_worth(f, now))
		write_txt(&w, &f->sts);
	if (policy)
		write_policy(&w, &f->sts);
	if (failure_worth(f, now))
		write_failure(&w, &f->sts);
	writer_end(&w);
	return true;
}

int64_t facts_text_sts_ttl(const struct facts *f, int64_t now)
{
	int64_t end = now + 1;

	if (facts_policy(f, now) && facts_policy_end(f) > end)
		end = facts_policy_end(f);
	if (failure_worth(f, now) && f->sts.fail_at + FACTS_HOLDOFF > end)
		end = f->sts.fail_at + FACTS_HOLDOFF;
	if (txt_worth(f, now) && f->sts.txt_until > end)
		end = f->sts.txt_until;
	return end - now;
}

/* The end of the whole: the MX RRset's, or for a bracketed host its own. */
static int64_t dane_until(const struct facts *f)
{
	return f->nexthop.kind == NEXTHOP_HOST ? f->host[0].until : f->mx_until;
}

static void write_hosts(struct writer *w, const struct facts *f)
{
	field(w, "hosts");
	for (size_t i = 0; i < f->host_count; i++) {
		const struct host_fact *h = &f->host[i];

		sbuf_addf(&w->b, "%s%s %s %lld %s", i > 0 ? "," : "", h->name,
			  names_name(dane_tlsa_state_names, (int)h->tlsa), (long long)h->until,
			  h->expanded[0] != '\0' ? h->expanded : "-");
	}
}

bool facts_text_dane(const struct facts *f, int64_t now, struct text_fields *out)
{
	struct writer w;

	memset(out, 0, sizeof(*out));
	if (!facts_dane_shareable(f) || dane_until(f) <= now)
		return false;
	writer_init(&w, out, 200 + f->host_count * (2 * DOMAIN_SIZE + 40));
	field_text(&w, "mx", names_name(facts_mx_state_names, (int)f->mx));
	field_text(&w, "kind", names_name(facts_mx_kind_names, (int)f->mx_kind));
	field_number(&w, "until", dane_until(f));
	field_number(&w, "truncated", f->mx_truncated);
	write_hosts(&w, f);
	writer_end(&w);
	return true;
}

int64_t facts_text_dane_ttl(const struct facts *f, int64_t now)
{
	int64_t end = dane_until(f);

	if (end > now + FACTS_TTL_MAX)
		end = now + FACTS_TTL_MAX;
	return end > now ? end - now : 1;
}
