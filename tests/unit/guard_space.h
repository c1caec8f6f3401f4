/*
 * guard_space.h - the whole input space of the guard, and how a law is held against all of it.
 *
 * A step is one call and all that it depends on. The guard has no memory but its struct: what holds for every single
 * step holds over every life.
 */
#ifndef TLSMODE_TESTS_GUARD_SPACE_H
#define TLSMODE_TESTS_GUARD_SPACE_H

#include "unit/check.h"

#include "core/guard.h"

#define EXACT 1000000 /* when what is in force was last exact */
#define NOW 2000000

/* A guard of these words; what has no word here is zero. */
#define GUARD_OF(p, h, v, at, word, raw)                                                                               \
	{                                                                                                              \
		.percent = (p), .held = (h), .vanished = (v), .exact_at_ms = (at), .accept_ms = (word),                \
		.accept_raw = (raw)                                                                                    \
	}

enum event { READING, BATCH, FLUSHED, WORD, RETURNED, INEXACT };

struct guard_step {
	enum event event;
	struct guard before, after;
	struct guard_reading r; /* gone: what was lost, of a batch */
	bool due;
	int64_t raw_ms;
	int outcome; /* an enum or a bool, as the event has it */
};

static inline int step_run(struct guard *g, const struct guard_step *s)
{
	switch (s->event) {
	case READING:
		return (int)guard_judge_reading(g, &s->r, NOW);
	case BATCH:
		return (int)guard_judge_batch(g, s->r.had, s->r.gone, s->due, NOW);
	case FLUSHED:
		guard_flushed(g, s->r.had);
		break;
	case WORD:
		return (int)guard_accept(g, s->raw_ms, s->due, NOW);
	case RETURNED:
		return guard_returned(g, s->r.gone, s->due, NOW);
	case INEXACT:
		guard_inexact(g, NOW);
		break;
	}
	return 0;
}

static inline void step_take(struct guard_step *s)
{
	s->after = s->before;
	s->outcome = step_run(&s->after, s);
}

static inline bool same(const struct guard *a, const struct guard *b)
{
	return a->percent == b->percent && a->held == b->held && a->vanished == b->vanished &&
	       a->exact_at_ms == b->exact_at_ms && a->accept_ms == b->accept_ms && a->accept_raw == b->accept_raw &&
	       a->blind == b->blind;
}

static inline const char *guard_shown(const struct guard *g)
{
	static char text[2][192];
	static unsigned turn;
	char *out = text[turn++ % COUNT_OF(text)];

	snprintf(out, sizeof(text[0]),
		 "percent=%u held=%d vanished=%d blind=%d exact_at=%lld accept=%lld accept_raw=%lld", g->percent,
		 g->held, g->vanished, g->blind, (long long)g->exact_at_ms, (long long)g->accept_ms,
		 (long long)g->accept_raw);
	return out;
}

static inline const char *step_shown(const struct guard_step *s)
{
	static const char *const names[] = {"reading", "batch", "flushed", "word", "returned", "inexact"};
	static char text[640];

	snprintf(text, sizeof(text),
		 "%s gone=%zu of=%zu known=%d missed=%d put_off=%u due=%d raw=%lld\n  before %s\n  after  %s\n  "
		 "outcome %d",
		 names[s->event], s->r.gone, s->r.had, s->r.known, s->r.missed, s->r.put_off, s->due,
		 (long long)s->raw_ms, guard_shown(&s->before), guard_shown(&s->after), s->outcome);
	return text;
}

typedef void step_fn(const struct guard_step *s);

/* Each of GONE settings of HAD, at each share, in each state. */
static inline void for_all_counts(enum event event, size_t had, size_t gone, step_fn *fn)
{
	static const unsigned percent[] = {1, 9, 10, 50, 99, 100}, put_off[] = {0, 4, 5};
	static const int64_t accept_ms[] = {0, EXACT - 1, EXACT, EXACT + 1};

	for (unsigned i = 0; i < COUNT_OF(percent) * COUNT_OF(put_off) * COUNT_OF(accept_ms) * 32; i++) {
		unsigned bits = i % 32, k = i / 32;
		struct guard_step s = {.event = event, .due = bits & 1};

		s.before.percent = percent[k % COUNT_OF(percent)];
		k /= COUNT_OF(percent);
		s.before.accept_ms = s.before.accept_raw = accept_ms[k % COUNT_OF(accept_ms)];
		s.before.held = bits & 2;
		s.before.vanished = bits & 4;
		s.before.exact_at_ms = EXACT;
		s.before.blind = bits & 16;
		if (s.before.blind && (had > 1 || bits & 8)) /* then at most one is gone, and LIVE is not known */
			continue;
		s.r = (struct guard_reading){had, gone, bits & 8, bits & 1, put_off[k / COUNT_OF(accept_ms)]};
		step_take(&s);
		fn(&s);
	}
}

/* Each word, after each word. */
static inline void for_all_words(enum event event, step_fn *fn)
{
	static const int64_t at[] = {0, EXACT - 1, EXACT, EXACT + 1, NOW - 1, NOW, NOW + 1, INT64_MAX, -1, INT64_MIN};
	const unsigned n = COUNT_OF(at);

	for (unsigned i = 0; i < n * n * n * 8; i++) {
		unsigned bits = i % 8, k = i / 8;
		struct guard_step s = {
		    .event = event, .due = bits & 1, .raw_ms = at[k % n], .r = {30, 30, true, false, 0}};

		s.before = (struct guard)GUARD_OF(50, bits & 2, bits & 4, EXACT, at[k / n % n], at[k / n / n]);
		step_take(&s);
		fn(&s);
	}
}

static inline void for_all_steps(step_fn *fn)
{
	static const size_t had[] = {0, 1, 2, 8, 9, 10, 11, 12, 20, 21, 99, 100, 101};
	static const enum event counted[] = {READING, BATCH, FLUSHED, RETURNED};

	for (size_t i = 0; i < COUNT_OF(had); i++)
		for (size_t gone = 0; gone <= had[i]; gone++)
			for (size_t k = 0; k < COUNT_OF(counted); k++)
				for_all_counts(counted[k], had[i], gone, fn);
	for_all_words(WORD, fn);
	for_all_words(INEXACT, fn);
}

#endif
