/*
 * guard.c - a mass loss of settings is held, a deletion is a deletion (guard.h).
 *
 * A hold begins at the end of a full reading only: an announced loss makes one be read. It ends by a word that is not
 * older than the last exact state, or when nothing is gone. Both clocks are those of people's machines: ours may be
 * ahead of the operator's (his word is ignored, with a warning), his ahead of ours (a word must not accept what has not
 * happened yet).
 */
#include "core/guard.h"

const struct name_code guard_verdict_names[] = {
    {"put_off", GUARD_PUT_OFF},   {"taken", GUARD_TAKE},        {"held", GUARD_HOLD},
    {"accepted", GUARD_ACCEPTED}, {"returned", GUARD_RETURNED}, {NULL, 0},
};

bool guard_trips(size_t had, size_t gone, unsigned percent)
{
	return had >= GUARD_LEAST && gone * 100 > had * percent;
}

static bool is_accepted(const struct guard *g)
{
	return g->accept_ms >= g->exact_at_ms;
}

static void release(struct guard *g, int64_t now_ms)
{
	g->held = false;
	g->blind = false;
	g->exact_at_ms = now_ms;
}

void guard_resume(struct guard *g, bool held, int64_t exact_at_ms)
{
	g->held = held;
	g->exact_at_ms = exact_at_ms;
}

void guard_blind(struct guard *g, int64_t now_ms)
{
	g->blind = true;
	g->exact_at_ms = now_ms;
}

void guard_inexact(struct guard *g, int64_t now_ms)
{
	g->exact_at_ms = now_ms;
}

/* ---- the end of a full reading ---- */
static bool is_put_off(const struct guard_reading *r)
{
	return r->missed && r->known && r->put_off < GUARD_PUT_OFF_MAX;
}

/* What a mass loss left behind is part of it, however little it is by now. */
static bool is_mass_loss(const struct guard *g, const struct guard_reading *r)
{
	if (g->held || g->vanished)
		return r->gone > 0;
	if (g->blind)
		return r->gone > 0 && g->percent < 100;
	return guard_trips(r->had, r->gone, g->percent);
}

enum guard_verdict guard_judge_reading(struct guard *g, const struct guard_reading *r, int64_t now_ms)
{
	bool was_held = g->held;

	if (is_put_off(r))
		return GUARD_PUT_OFF;
	g->held = is_mass_loss(g, r) && !is_accepted(g);
	g->vanished = false;
	if (g->held)
		return GUARD_HOLD;
	release(g, now_ms);
	if (!was_held)
		return GUARD_TAKE;
	return r->gone > 0 ? GUARD_ACCEPTED : GUARD_RETURNED;
}

/* ---- what is announced ---- */
enum guard_loss guard_judge_batch(struct guard *g, size_t had, size_t lost, bool due, int64_t now_ms)
{
	if (due)
		return GUARD_DROP_NEXT;
	if (!guard_trips(had, lost, g->percent))
		return GUARD_DROP;
	if (!g->held)
		g->exact_at_ms = now_ms;
	g->vanished = true;
	return GUARD_MASS_LOSS;
}

void guard_flushed(struct guard *g, size_t had)
{
	if (guard_trips(had, had, g->percent))
		g->vanished = true;
}

/* ---- the ways out of a hold ---- */
enum guard_word guard_accept(struct guard *g, int64_t raw_ms, bool due, int64_t now_ms)
{
	bool is_new = raw_ms != g->accept_raw;

	if (is_new)
		g->accept_ms = raw_ms > now_ms ? now_ms : raw_ms;
	g->accept_raw = raw_ms;
	if (!g->held || due)
		return GUARD_WORD_NOTED;
	if (is_accepted(g)) {
		release(g, now_ms);
		return GUARD_WORD_TAKEN;
	}
	return is_new && raw_ms != 0 ? GUARD_WORD_TOO_OLD : GUARD_WORD_NOTED;
}

bool guard_returned(struct guard *g, size_t gone, bool due, int64_t now_ms)
{
	if (!g->held || due || gone > 0)
		return false;
	release(g, now_ms);
	return true;
}
