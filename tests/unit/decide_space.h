/*
 * decide_space.h - the whole finite input space of decide_table(), and how a law is held against all of it.
 */
#ifndef TLSMODE_TESTS_DECIDE_SPACE_H
#define TLSMODE_TESTS_DECIDE_SPACE_H

#include "unit/check.h"

#include "core/decide.h"

#define FACTS_COUNT (5 * 16 * 2 * 2 * 2)
#define SETTINGS_COUNT (3 * 3 * 64)

static inline struct decide_facts facts_at(int i)
{
	struct decide_facts f = {.mx = (enum mx_column)(i % 5)};

	i /= 5;
	f.usable = i & 1;
	f.unusable = i & 2;
	f.none = i & 4;
	f.error = i & 8;
	f.sts_enforce = i & 16;
	f.literal = i & 32;
	f.sts_unread = i & 64;
	return f;
}

static inline struct decide_settings settings_at(int i)
{
	struct decide_settings s = {.mode = (enum mode)(i % 3), .rcpt_mode = (enum mode)(i / 3 % 3)};

	i /= 9;
	s.match = i & 1;
	s.dane_ignore = i & 2;
	s.sts_ignore = i & 4;
	s.plaintext_allow = i & 8;
	s.for_all = i & 16;
	s.dane = i & 32;
	return s;
}

static inline const char *shown(const struct decide_facts *f, const struct decide_settings *s)
{
	static char text[300];

	snprintf(text, sizeof(text),
		 "mx=%d usable=%d unusable=%d none=%d error=%d sts=%d unread=%d literal=%d | mode=%d rcpt=%d match=%d "
		 "dane_ignore=%d "
		 "sts_ignore=%d plaintext=%d for_all=%d dane=%d",
		 (int)f->mx, f->usable, f->unusable, f->none, f->error, f->sts_enforce, f->sts_unread, f->literal,
		 (int)s->mode, (int)s->rcpt_mode, s->match, s->dane_ignore, s->sts_ignore, s->plaintext_allow,
		 s->for_all, s->dane);
	return text;
}

typedef void law_fn(const struct decide_facts *f, const struct decide_settings *s, const struct verdict *v);

static inline void for_all_inputs(law_fn *law)
{
	for (int i = 0; i < FACTS_COUNT; i++) {
		for (int k = 0; k < SETTINGS_COUNT; k++) {
			struct decide_facts f = facts_at(i);
			struct decide_settings s = settings_at(k);
			struct verdict v;

			decide_table(&f, &s, &v);
			law(&f, &s, &v);
		}
	}
}

#define HOLDS(condition, f, s)                                                                                         \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fail_msg("not so: %s\n  at %s", #condition, shown(f, s));                                      \
	} while (0)

static inline bool except_acts(const struct decide_settings *s)
{
	return (s->mode == MODE_OPPORTUNISTIC || s->for_all) && (s->dane_ignore || s->sts_ignore || s->plaintext_allow);
}

static inline enum mode effective(const struct decide_settings *s)
{
	enum mode mode = s->mode > s->rcpt_mode ? s->mode : s->rcpt_mode;

	return s->match ? MODE_VERIFIED : mode;
}

static inline bool lookup_failed(const struct decide_facts *f)
{
	return !f->literal && (f->mx == COL_ERROR || f->mx == COL_BOGUS || (f->mx == COL_SECURE && f->error));
}

#endif
