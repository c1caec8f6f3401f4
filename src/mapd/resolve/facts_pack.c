/*
 * facts_pack.c - numbers as they lie in memory, texts with their NUL, only what there is.
 *
 * What was packed here is trusted when it comes back: a length that does not fit is our bug. Static texts ("why") are
 * kept as pointers.
 */
#include "mapd/resolve/facts_pack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void facts_packed_add(struct packed *p, const void *bytes, size_t len)
{
	if (p->room - p->len < len) {
		p->room = (p->len + len) * 2;
		p->bytes = xrealloc(p->bytes, p->room);
	}
	if (len > 0)
		memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

void facts_packed_fini(struct packed *p)
{
	free(p->bytes);
	*p = (struct packed){0};
}

#define ADD(p, value) facts_packed_add((p), &(value), sizeof(value))
#define TAKE(from, value) facts_pack_take((from), &(value), sizeof(value))

static void add_text(struct packed *p, const char *text)
{
	facts_packed_add(p, text, strlen(text) + 1);
}

struct source {
	const unsigned char *at, *end;
};

static void facts_pack_take(struct source *from, void *out, size_t len)
{
	assert((size_t)(from->end - from->at) >= len);
	if (len > 0)
		memcpy(out, from->at, len);
	from->at += len;
}

static void take_text(struct source *from, char *out, size_t size)
{
	size_t len = strnlen((const char *)from->at, (size_t)(from->end - from->at)) + 1;

	assert(len <= size);
	facts_pack_take(from, out, len);
}

static void pack_policy(struct packed *p, const struct sts_fact *s)
{
	const struct sts_policy *policy = &s->policy;
	unsigned char mode = (unsigned char)policy->mode;

	ADD(p, mode);
	ADD(p, policy->max_age);
	ADD(p, policy->mx_count);
	ADD(p, policy->mx_len);
	facts_packed_add(p, policy->mx, policy->mx_len);
	add_text(p, s->policy_id);
	ADD(p, s->fetched_at);
}

static void unpack_policy(struct source *from, struct sts_fact *s)
{
	struct sts_policy *policy = &s->policy;
	unsigned char mode;

	TAKE(from, mode);
	policy->mode = mode;
	TAKE(from, policy->max_age);
	TAKE(from, policy->mx_count);
	TAKE(from, policy->mx_len);
	policy->mx = policy->mx_len > 0 ? xmalloc(policy->mx_len) : NULL;
	facts_pack_take(from, policy->mx, policy->mx_len);
	take_text(from, s->policy_id, sizeof(s->policy_id));
	TAKE(from, s->fetched_at);
}

void facts_pack_sts(struct packed *p, const struct sts_fact *s)
{
	unsigned char states = (unsigned char)(s->txt | s->have_policy << 2 | (unsigned)s->failure << 3);

	ADD(p, states);
	ADD(p, s->txt_until);
	add_text(p, s->txt_id);
	if (s->have_policy)
		pack_policy(p, s);
	if (s->failure == FETCH_OK)
		return;
	add_text(p, s->fail_id);
	ADD(p, s->fail_at);
	add_text(p, s->fail_why);
}

void facts_unpack_sts(const unsigned char *bytes, size_t len, struct sts_fact *s)
{
	struct source from = {bytes, bytes + len};
	unsigned char states;

	sts_policy_fini(&s->policy);
	TAKE(&from, states);
	s->txt = states & 3;
	s->have_policy = states >> 2 & 1;
	s->failure = states >> 3;
	TAKE(&from, s->txt_until);
	take_text(&from, s->txt_id, sizeof(s->txt_id));
	if (s->have_policy)
		unpack_policy(&from, s);
	if (s->failure == FETCH_OK)
		return;
	take_text(&from, s->fail_id, sizeof(s->fail_id));
	TAKE(&from, s->fail_at);
	take_text(&from, s->fail_why, sizeof(s->fail_why));
}

enum { HAS_EXPANDED = 1 << 4, HAS_WHY = 1 << 5, IS_DONE = 1 << 6 };

static void pack_host(struct packed *p, const struct host_fact *h)
{
	unsigned char states = (unsigned char)h->tlsa;

	states |= h->expanded[0] != '\0' ? HAS_EXPANDED : 0;
	states |= h->why ? HAS_WHY : 0;
	states |= h->step == HOST_DONE ? IS_DONE : 0;
	ADD(p, states);
	ADD(p, h->until);
	add_text(p, h->name);
	if (states & HAS_EXPANDED)
		add_text(p, h->expanded);
	if (states & HAS_WHY)
		ADD(p, h->why);
}

static void unpack_host(struct source *from, struct host_fact *h)
{
	unsigned char states;

	TAKE(from, states);
	TAKE(from, h->until);
	take_text(from, h->name, sizeof(h->name));
	h->tlsa = states & 15;
	h->step = states & IS_DONE ? HOST_DONE : HOST_ASK_A;
	h->waiting = false;
	h->expanded[0] = '\0';
	h->why = NULL;
	if (states & HAS_EXPANDED)
		take_text(from, h->expanded, sizeof(h->expanded));
	if (states & HAS_WHY)
		TAKE(from, h->why);
}

void facts_pack_hop(struct packed *p, const struct facts *f)
{
	unsigned char mx = (unsigned char)(f->mx | f->mx_kind << 3 | f->mx_truncated << 6 | !!f->mx_why << 7);
	unsigned char hosts = (unsigned char)f->host_count;

	ADD(p, mx);
	ADD(p, f->mx_until);
	if (f->mx_why)
		ADD(p, f->mx_why);
	ADD(p, hosts);
	for (size_t i = 0; i < f->host_count; i++)
		pack_host(p, &f->host[i]);
}

void facts_unpack_hop(const unsigned char *bytes, size_t len, struct facts *f)
{
	struct source from = {bytes, bytes + len};
	unsigned char mx, hosts;

	TAKE(&from, mx);
	f->mx = mx & 7;
	f->mx_kind = mx >> 3 & 7;
	f->mx_truncated = mx >> 6 & 1;
	f->mx_why = NULL;
	TAKE(&from, f->mx_until);
	if (mx >> 7)
		TAKE(&from, f->mx_why);
	TAKE(&from, hosts);
	assert(hosts <= FACTS_HOSTS_MAX);
	f->host_count = hosts;
	for (size_t i = 0; i < f->host_count; i++)
		unpack_host(&from, &f->host[i]);
}
