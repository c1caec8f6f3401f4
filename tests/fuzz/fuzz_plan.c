/*
 * fuzz_plan.c - the planner under answers, orders and clocks that the input chooses: it always comes to an end, its
 * replies are ones Postfix understands, and with an enforce policy in force they protect.
 */
#include "fuzz/fuzz.h"

#include "core/answer.h"
#include "core/plan.h"
#include "lib/postfix_grammar.h"

#define STEPS_MAX 3000

struct input {
	const uint8_t *p, *end;
};

static unsigned take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static const char *const names[] = {"",          "a.example", "mx.a.example", "mx2.a.example",
				    "b.example", "192.0.2.1", "MX.a.Example"};

static size_t put_name(uint8_t *out, const char *name)
{
	size_t used = 0;

	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		out[used++] = (uint8_t)len;
		memcpy(out + used, name, len);
		used += len;
		name += len + (name[len] == '.');
	}
	out[used++] = 0;
	return used;
}

/* Well-formed records mostly; now and then bytes as they come. */
static size_t put_rdata(struct input *in, enum rr_type type, uint8_t *out)
{
	static const char record[] = "\x0ev=STSv1; id=a1", other[] = "\x0ev=STSv1; id=b2";
	unsigned how = take(in);

	if (how >= 240) {
		memset(out, (int)take(in), how - 230);
		return how - 230;
	}
	switch (type) {
	case RR_MX:
		out[0] = 0;
		out[1] = (uint8_t)(how % 3);
		return 2 + put_name(out + 2, names[how % (sizeof(names) / sizeof(names[0]))]);
	case RR_CNAME:
		return put_name(out, names[how % (sizeof(names) / sizeof(names[0]))]);
	case RR_TXT:
		memcpy(out, how % 2 ? record : other, sizeof(record) - 1);
		return sizeof(record) - 1;
	case RR_TLSA:
		memset(out, 1, 35);
		out[0] = how % 2 ? 3 : 1;
		return 35;
	case RR_A:
	case RR_AAAA:
		break;
	}
	memset(out, 1, 16);
	return type == RR_A ? 4 : 16;
}

static void give_answer(struct input *in, struct facts *f, const struct ask *ask, int64_t now)
{
	static uint8_t bytes[8][300];
	struct rr_rdata rdata[8];
	struct rr_answer answer = {.status = (enum rr_status)(take(in) % 5), .rdata = rdata};
	unsigned flags = take(in);

	answer.secure = flags & 1;
	answer.ttl = flags & 2 ? 10 : flags;
	if (flags & 4)
		strcpy(answer.canon, names[1 + flags % 4]);
	if (answer.status == RR_OK) {
		for (answer.count = 0; answer.count < 1 + flags % 4; answer.count++) {
			rdata[answer.count].bytes = bytes[answer.count];
			rdata[answer.count].len = put_rdata(in, ask->type, bytes[answer.count]);
		}
	}
	plan_take_answer(f, ask, &answer, now);
}

static void give_policy(struct input *in, struct facts *f, int64_t now)
{
	static const char *const bodies[] = {
	    "version: STSv1\nmode: enforce\nmax_age: 60\nmx: mx.a.example\n",
	    "version: STSv1\nmode: enforce\nmax_age: 0\nmx: *.b.example\n",
	    "version: STSv1\nmode: none\nmax_age: 100\n",
	    "version: STSv1\nmode: testing\nmax_age: 100\nmx: a.example\n",
	    "version: STSv1\nmode: enforce\n",
	};
	unsigned how = take(in);
	const char *body = bodies[how % (sizeof(bodies) / sizeof(bodies[0]))];
	struct policy_result r = {
	    .failure = (enum fetch_failure)(how / 8 % 4), .why = "fuzz", .body = body, .len = strlen(body)};

	if (how < 128)
		r.failure = FETCH_OK;
	plan_take_policy(f, &r, now);
}

static void check_ready(const struct facts *f, int64_t now)
{
	static char text[SOCKMAP_REPLY_MAX + 1], reply[SOCKMAP_REPLY_MAX + 1];
	const struct answer_options o = {.min_tls = "1.2", .tlsrpt = true, .report_failures = true};
	const struct sts_policy *policy = facts_policy(f, now);
	struct dest_setting dest = {.has_match = false};
	struct sbuf t, r;
	struct verdict v;

	sbuf_init(&t, text, sizeof(text));
	sbuf_init(&r, reply, sizeof(reply));
	decide(f, now, MODE_OPPORTUNISTIC, &dest, true, &v);
	sockmap_reply(&r, answer_format(&t, &v, f, now, &dest, &o), text);
	must(!postfix_grammar(reply, r.len, POSTFIX_3_10));
	must(!postfix_grammar_wise(reply, r.len));
	if (policy && policy->mode == STS_ENFORCE)
		must(v.level == LEVEL_SECURE || v.level == LEVEL_DANE_ONLY || v.level == LEVEL_TEMP);
	must(facts_until(f, now) > now && facts_until(f, now) <= now + FACTS_TTL_MAX);
}

struct driver {
	struct facts *f;
	size_t count;
	struct ask waiting[PLAN_ASKS_MAX * 2];
};

static void answer_one(struct driver *d, struct input *in, int64_t now)
{
	size_t i = take(in) % d->count;
	struct ask a = d->waiting[i];

	d->waiting[i] = d->waiting[--d->count];
	if (a.kind == ASK_SHARED)
		plan_take_shared(d->f, take(in) & 1);
	else if (a.kind == ASK_POLICY)
		give_policy(in, d->f, now);
	else
		give_answer(in, d->f, &a, now);
}

/* One round to its end; now and then a deadline comes between. */
static void round_of(struct driver *d, struct input *in, int64_t now)
{
	static struct plan p;

	facts_begin(d->f, now);
	for (unsigned steps = 0;; steps++) {
		must(steps < STEPS_MAX);
		plan_next(d->f, now, &p);
		for (size_t i = 0; i < p.count; i++) {
			must(d->count < PLAN_ASKS_MAX * 2);
			d->waiting[d->count++] = p.ask[i];
		}
		must(p.idle == (d->count == 0));
		must(!p.idle || p.ready);
		if (p.ready)
			check_ready(d->f, now);
		if (d->count == 0)
			return;
		if (take(in) == 255) {
			for (size_t i = 0; i < d->count;)
				if (d->waiting[i].kind < ASK_POLICY_A)
					d->waiting[i] = d->waiting[--d->count];
				else
					i++;
			facts_timeout(d->f, now);
			plan_next(d->f, now, &p);
			must(p.ready);
			for (size_t i = 0; i < p.count; i++)
				d->waiting[d->count++] = p.ask[i];
			continue;
		}
		answer_one(d, in, now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"a.example", "a.example:587", "[a.example]", "[192.0.2.1]", ".a.example"};
	static struct facts f;
	struct driver d = {.f = &f};
	struct input in = {data, data + size};
	struct nexthop nexthop;
	const char *key = keys[take(&in) % (sizeof(keys) / sizeof(keys[0]))];
	int64_t now = 1000000;

	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&f, &nexthop);
	do {
		f.sts.refresh = take(&in) % 8 == 0;
		round_of(&d, &in, now);
		now += take(&in);
	} while (in.p < in.end);
	facts_fini(&f);
	return 0;
}
