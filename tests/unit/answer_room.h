/*
 * answer_room.h - facts with a policy, and a verdict as the reply a client would read.
 */
#ifndef TLSMODE_TESTS_ANSWER_ROOM_H
#define TLSMODE_TESTS_ANSWER_ROOM_H

#include "unit/check.h"

#include "core/answer.h"

#define NOW 1000000

static char reply[SOCKMAP_REPLY_MAX + 1];

/* "OK ..." as sockmap.c sends it. */
static inline const char *reply_of(struct verdict *v, const struct facts *f, const struct dest_setting *dest,
				   const struct answer_options *o)
{
	static char text[SOCKMAP_REPLY_MAX + 1];
	struct sbuf t, r;
	enum sockmap_status status;

	sbuf_init(&t, text, sizeof(text));
	status = answer_format(&t, v, f, NOW, dest, o);
	assert_true(sbuf_ok(&t));
	sbuf_init(&r, reply, sizeof(reply));
	sockmap_reply(&r, status, text);
	return reply;
}

static inline void set_policy(struct facts *f, const char *patterns)
{
	sts_policy_fini(&f->sts.policy);
	f->sts.have_policy = true;
	f->sts.fetched_at = NOW;
	assert_true(sts_policy_set_mx(&f->sts.policy, patterns, strlen(patterns)));
	f->sts.policy.mode = STS_ENFORCE;
	f->sts.policy.max_age = 86400;
}

static inline struct facts *fresh(const char *key)
{
	static struct facts f;
	struct nexthop nexthop;

	facts_fini(&f);
	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&f, &nexthop);
	return &f;
}

#endif
