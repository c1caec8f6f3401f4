/*
 * decide.c - the decision table of doc/decision.md as a table; the destination's settings and exceptions on top.
 *
 * Not here: how facts are found (plan.c), which names bind (answer.c). RFC 7672 s2.2, RFC 8461 s2 and s5. Called for
 * every question that is not in the verdict cache.
 */
#include "core/decide.h"

#define R(reason) (1u << REASON_##reason)

const struct name_code decide_level_names[] = {
    {"notfound", LEVEL_NOTFOUND}, {"temp", LEVEL_TEMP},     {"may", LEVEL_MAY},
    {"encrypt", LEVEL_ENCRYPT},   {"dane", LEVEL_DANE},     {"dane-only", LEVEL_DANE_ONLY},
    {"verify", LEVEL_VERIFY},     {"secure", LEVEL_SECURE}, {NULL, 0},
};

#define N LEVEL_NOTFOUND
#define T LEVEL_TEMP
#define E LEVEL_ENCRYPT
#define D LEVEL_DANE
#define DO LEVEL_DANE_ONLY
#define V LEVEL_VERIFY
#define S LEVEL_SECURE

/* doc/decision.md "The table"; the columns are the modes. Row 0 does not exist. */
static const enum level table[][MODE_COUNT] = {
    [1] = {T, T, T},    /* MX bogus */
    [2] = {T, T, T},    /* MX error, STS enforce */
    [3] = {D, T, T},    /* MX error */
    [4] = {DO, DO, DO}, /* secure, all usable */
    [5] = {D, DO, DO},  /* secure, some usable or error */
    [6] = {DO, DO, DO}, /* secure, some usable or error, STS enforce */
    [7] = {D, E, V},    /* secure, unusable at most */
    [8] = {S, S, S},    /* secure, unusable at most, STS enforce */
    [9] = {N, E, V},    /* secure, all none */
    [10] = {S, S, S},   /* secure, all none, STS enforce */
    [11] = {D, E, V},   /* insecure, some usable */
    [12] = {N, E, V},   /* insecure, none usable */
    [13] = {S, S, S},   /* insecure, STS enforce */
    [14] = {N, E, V},   /* NXDOMAIN or null MX */
    [15] = {S, S, S},   /* NXDOMAIN or null MX, STS enforce */
};

#undef N
#undef T
#undef E
#undef D
#undef DO
#undef V
#undef S

static int row_secure(const struct decide_facts *f)
{
	bool all_usable = f->usable && !f->unusable && !f->none && !f->error;

	if (all_usable)
		return 4;
	if (f->usable || f->error)
		return f->sts_enforce ? 6 : 5;
	if (f->unusable)
		return f->sts_enforce ? 8 : 7;
	return f->sts_enforce ? 10 : 9;
}

static int row_insecure(const struct decide_facts *f)
{
	if (f->sts_enforce)
		return 13;
	return f->usable ? 11 : 12;
}

static int row_of(const struct decide_facts *f)
{
	switch (f->mx) {
	case COL_BOGUS:
		return 1;
	case COL_ERROR:
		return f->sts_enforce ? 2 : 3;
	case COL_ABSENT:
		return f->sts_enforce ? 15 : 14;
	case COL_INSECURE:
		return row_insecure(f);
	case COL_SECURE:
		break;
	}
	return row_secure(f);
}

/* What is asked, apart from the facts: exceptions that act, and what is demanded. */
struct demand {
	enum mode mode; /* effective */
	bool match;
	bool dane_ignore, sts_ignore, plaintext;
	bool dane; /* Postfix can do DANE */
};

static bool dane_published(const struct decide_facts *f)
{
	return f->usable || f->unusable || f->error;
}

/* The facts as the exceptions want them read. */
static void except_facts(struct decide_facts *f, const struct demand *d)
{
	if (d->dane_ignore) {
		f->usable = f->unusable = f->error = false;
		if (f->mx == COL_BOGUS || f->mx == COL_ERROR)
			f->mx = COL_INSECURE;
	}
	if (d->sts_ignore)
		f->sts_enforce = f->sts_unread = false;
}

/* A DANE answer towards a Postfix that cannot do DANE: never one that would silently mean `may`. */
static enum level without_dane(const struct decide_facts *f, enum mode mode)
{
	bool lookup_failed = f->mx == COL_ERROR || (f->mx == COL_SECURE && f->error);

	if (lookup_failed)
		return LEVEL_TEMP;
	if (f->sts_enforce)
		return LEVEL_SECURE;
	return mode == MODE_VERIFIED ? LEVEL_VERIFY : LEVEL_ENCRYPT;
}

/* No DANE and no MTA-STS is in force, and no failure hides one. */
static bool plaintext_acts(const struct decide_facts *f)
{
	return !f->sts_enforce && !dane_published(f) && f->mx != COL_BOGUS && f->mx != COL_ERROR;
}

static enum level demanded_level(const struct decide_facts *f, int row, const struct demand *d)
{
	enum level level = table[row][d->mode];

	if (!d->dane && (level == LEVEL_DANE || level == LEVEL_DANE_ONLY))
		level = without_dane(f, d->mode);
	if (f->literal && level == LEVEL_VERIFY && !d->match)
		level = LEVEL_TEMP;
	if (d->match && level == LEVEL_VERIFY)
		level = LEVEL_SECURE;
	if (d->plaintext && level != LEVEL_NOTFOUND && plaintext_acts(f))
		level = LEVEL_MAY;
	/* Postfix's own default may be dane: NOTFOUND would let it do what the exception forgives */
	if (d->dane_ignore && level == LEVEL_NOTFOUND)
		level = LEVEL_MAY;
	return level;
}

/* Of facts as the exceptions want them read, all of them known. */
static void outcome_known(const struct decide_facts *f, const struct demand *d, struct verdict *out)
{
	out->row = row_of(f);
	out->level = demanded_level(f, out->row, d);
	out->use_policy = out->level == LEVEL_SECURE && f->sts_enforce;
	out->use_match = out->level == LEVEL_SECURE && d->match;
	out->reasons = 0;
}

static bool same_answer(const struct verdict *a, const struct verdict *b)
{
	return a->level == b->level && a->use_policy == b->use_policy && a->use_match == b->use_match;
}

/* The verdict without its reasons. A policy that could not be read may be there or not: only what is answered in both
 * cases is known. */
static void outcome(const struct decide_facts *facts, const struct demand *d, struct verdict *out)
{
	struct decide_facts f = *facts;
	struct verdict bound;

	except_facts(&f, d);
	outcome_known(&f, d, out);
	if (!f.sts_unread)
		return;
	f.sts_enforce = true;
	outcome_known(&f, d, &bound);
	if (same_answer(out, &bound))
		return;
	out->level = LEVEL_TEMP;
	out->use_policy = out->use_match = false;
}

static bool differs(const struct decide_facts *f, const struct demand *d, const struct verdict *v)
{
	struct verdict other;

	outcome(f, d, &other);
	return !same_answer(&other, v);
}

static bool unread_counts(const struct decide_facts *f, const struct demand *d, const struct verdict *v)
{
	struct decide_facts read = *f;

	read.sts_unread = false;
	return f->sts_unread && differs(&read, d, v);
}

static uint32_t mx_reasons(const struct decide_facts *f)
{
	if (f->literal)
		return R(LITERAL);
	switch (f->mx) {
	case COL_BOGUS:
		return R(MX_BOGUS);
	case COL_ERROR:
		return R(MX_ERROR);
	case COL_INSECURE:
		return R(MX_INSECURE);
	case COL_ABSENT:
		return R(MX_ABSENT);
	case COL_SECURE:
		break;
	}
	return 0;
}

/* What in the facts (after exceptions) led to ROW. */
static uint32_t fact_reasons(const struct decide_facts *f, int row)
{
	uint32_t r = 0;

	if (row == 4)
		r |= R(DANE_ALL_USABLE);
	if ((row == 5 || row == 6 || row == 11) && f->usable)
		r |= R(DANE_SOME_USABLE);
	if (row >= 5 && row <= 8 && f->unusable)
		r |= R(DANE_UNUSABLE);
	if ((row == 5 || row == 6) && f->error)
		r |= R(DANE_ERROR);
	if (f->sts_enforce)
		r |= R(STS_ENFORCE);
	if ((row == 9 && !f->literal) || row == 12)
		r |= R(NOTHING_PUBLISHED);
	return r;
}

/* Exceptions that were used: without them the answer would be another, or DANE was there to be ignored. */
static uint32_t except_reasons(const struct decide_facts *f, const struct demand *d, const struct verdict *v)
{
	struct demand less;
	uint32_t r = 0;

	less = *d;
	less.dane_ignore = false;
	if (d->dane_ignore && (dane_published(f) || f->mx == COL_BOGUS || f->mx == COL_ERROR || differs(f, &less, v)))
		r |= R(EXCEPT_DANE);
	less = *d;
	less.sts_ignore = false;
	if (d->sts_ignore && differs(f, &less, v))
		r |= R(EXCEPT_STS);
	less = *d;
	less.plaintext = false;
	if (d->plaintext && differs(f, &less, v))
		r |= R(EXCEPT_PLAINTEXT);
	return r;
}

/* Who raised the answer: the map's mode first, then the destination's setting. */
static uint32_t demand_reasons(const struct decide_facts *f, const struct decide_settings *s, const struct demand *d,
			       const struct verdict *v)
{
	struct demand plain = *d, mapped = *d;
	struct verdict of_map;
	uint32_t r = 0;

	if (v->level == LEVEL_MAY) /* an exception has the last word */
		return 0;
	plain.mode = MODE_OPPORTUNISTIC;
	mapped.mode = s->mode;
	plain.match = mapped.match = false;
	outcome(f, &mapped, &of_map);
	if (differs(f, &plain, &of_map))
		r |= R(SENDER_MODE);
	if (differs(f, &mapped, v))
		r |= s->match ? R(RCPT_MATCH) : R(RCPT_MODE);
	return r;
}

static void clear_literal(struct decide_facts *f)
{
	if (f->literal)
		*f = (struct decide_facts){.mx = COL_SECURE, .literal = true};
}

void decide_table(const struct decide_facts *facts, const struct decide_settings *s, struct verdict *out)
{
	bool excepted = s->mode == MODE_OPPORTUNISTIC || s->for_all;
	struct decide_facts f = *facts, read;
	struct demand d = {
	    .mode = s->match ? MODE_VERIFIED : mode_stricter(s->mode, s->rcpt_mode),
	    .match = s->match,
	    .dane_ignore = excepted && s->dane_ignore,
	    .sts_ignore = excepted && s->sts_ignore,
	    .plaintext = excepted && s->plaintext_allow,
	    .dane = s->dane,
	};
	struct demand able = d;

	clear_literal(&f);
	outcome(&f, &d, out);
	read = f;
	except_facts(&read, &d);
	out->reasons = mx_reasons(&f) | fact_reasons(&read, out->row) | demand_reasons(&f, s, &d, out) |
		       except_reasons(&f, &d, out);
	able.dane = true;
	if (differs(&f, &able, out))
		out->reasons |= R(NO_DANE_RESOLVER);
	if (unread_counts(&f, &d, out))
		out->reasons = (out->reasons & ~R(NOTHING_PUBLISHED)) | R(STS_UNREAD);
	if (f.literal && out->level == LEVEL_TEMP)
		out->reasons |= R(NO_MATCH_FOR_LITERAL);
}

static enum mx_column mx_column(const struct facts *f)
{
	if (f->mx_kind == MX_NULL || f->mx_kind == MX_NXDOMAIN) {
		if (f->mx == MX_SECURE || f->mx == MX_INSECURE)
			return COL_ABSENT;
	}
	switch (f->mx) {
	case MX_SECURE:
		return COL_SECURE;
	case MX_INSECURE:
		return COL_INSECURE;
	case MX_BOGUS:
		return COL_BOGUS;
	case MX_UNKNOWN:
	case MX_ERROR:
		break;
	}
	return COL_ERROR;
}

static void summarize_host(const struct host_fact *h, struct decide_facts *out)
{
	switch (h->tlsa) {
	case TLSA_USABLE:
		out->usable = true;
		return;
	case TLSA_UNUSABLE:
		out->unusable = true;
		return;
	case TLSA_NONE:
		out->none = true;
		return;
	case TLSA_UNKNOWN:
	case TLSA_ERROR:
		break;
	}
	out->error = true;
}

void decide_summary(const struct facts *f, int64_t now, struct decide_facts *out)
{
	const struct sts_policy *policy = facts_policy(f, now);

	*out = (struct decide_facts){.mx = mx_column(f)};
	out->literal = !nexthop_in_dns(&f->nexthop);
	out->sts_enforce = policy && policy->mode == STS_ENFORCE;
	out->sts_unread = facts_in_doubt(f, now);
	if (out->mx != COL_SECURE && out->mx != COL_INSECURE)
		return;
	for (size_t i = 0; i < f->host_count; i++)
		summarize_host(&f->host[i], out);
	/* hosts nobody looked at: Postfix may use them, so not all count as usable */
	if (f->mx_truncated)
		out->none = true;
}

void decide(const struct facts *f, int64_t now, enum mode map_mode, const struct dest_setting *dest, bool dane,
	    struct verdict *out)
{
	struct decide_facts summary;
	struct decide_settings s = {
	    .mode = map_mode,
	    .rcpt_mode = dest->mode,
	    .match = dest->has_match,
	    .dane_ignore = dest->dane_ignore,
	    .sts_ignore = dest->sts_ignore,
	    .plaintext_allow = dest->plaintext_allow,
	    .for_all = dest->for_all,
	    .dane = dane,
	};

	decide_summary(f, now, &summary);
	decide_table(&summary, &s, out);
}
