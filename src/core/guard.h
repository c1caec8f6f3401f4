/*
 * guard.h - the judgement over settings that vanish: a deletion, or an accident (doc/decision.md "Settings that vanish
 * all at once").
 *
 * More than a share of them gone at once looks like an accident (FLUSHALL, an empty replica after a failover): the last
 * known are held until the operator's word, one that is later than the loss, or until the last of them is back. Fewer
 * than GUARD_LEAST settings, and what goes by and by, are never held.
 *
 * Pure: io/mirror counts what is gone, keeps tables, timers and log, and asks. LIVE is what is in force, NEXT beside it
 * what Redis is known to have (io/mirror/mirror_table.h). Times are wall clock, milliseconds since 1970; NOW_MS is our clock's.
 * A full reading of all settings is DUE from when a change was missed, or it was begun, to its end.
 */
#ifndef TLSMODE_CORE_GUARD_H
#define TLSMODE_CORE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

#define GUARD_LEAST 10      /* settings */
#define GUARD_PUT_OFF_MAX 5 /* readings in a row that are not judged */

/* All zero at first, but for percent. Anybody may read it; the functions below write it. */
struct guard {
	unsigned percent;    /* settings.guard_percent, from 1 to 100: the caller's, after a reload too */
	bool held;           /* LIVE has what Redis has not, and the operator is waited for */
	bool vanished;       /* a mass loss was announced: a reading may find some of it back already */
	int64_t exact_at_ms; /* since when LIVE is not what Redis has, or when it was last found to be */
	int64_t accept_ms;   /* the operator's word; one in the future counts as when it was first seen. 0: none */
	int64_t accept_raw;  /* the same as it was written */
	bool blind;          /* there were settings before the start, and nobody knows which (guard_blind()) */
};

/* GONE of HAD settings are more than PERCENT of at least GUARD_LEAST. GONE <= HAD. 100: never. */
bool guard_trips(size_t had, size_t gone, unsigned percent);

/* What the snapshot tells, at the start. */
void guard_resume(struct guard *g, bool held, int64_t exact_at_ms);

/* The snapshot cannot be read, at the start. What was in force before is one setting to the guard, which any setting
 * returns: GONE is 1 while Redis has none, and 0 else, until a reading was taken. None at all is held as a mass loss
 * is, unless PERCENT is 100; LIVE stays unknown then. The word must be later than this. */
void guard_blind(struct guard *g, int64_t now_ms);

/* LIVE ceases to be exact now: the connection is lost, Redis was flushed, a change was missed. Only when it was exact up
 * to now: what was lost since then needs a later word. */
void guard_inexact(struct guard *g, int64_t now_ms);

/* ---- the end of a full reading ---- */
struct guard_reading {
	size_t had;       /* settings in LIVE */
	size_t gone;      /* of these, the ones that NEXT lacks */
	bool known;       /* LIVE was filled once */
	bool missed;      /* changes found no room: a setting that was away when SCAN came by may be back */
	unsigned put_off; /* readings right before this one that were put off */
};

enum guard_verdict {
	GUARD_PUT_OFF,  /* read everything again and ask then; both tables stay */
	GUARD_TAKE,     /* NEXT is in force, without what is gone: little, or accepted before it was held */
	GUARD_HOLD,     /* an alarm: LIVE stays in force, NEXT is kept exact beside it. Also when it was held before */
	GUARD_ACCEPTED, /* the hold is over by the operator's word: NEXT is in force, what was held is dropped */
	GUARD_RETURNED  /* the hold is over as nothing is gone any more: NEXT is in force */
};
extern const struct name_code guard_verdict_names[]; /* put_off taken held accepted returned */

/* The operator's word must be known by now: it is asked for before the reading. */
enum guard_verdict guard_judge_reading(struct guard *g, const struct guard_reading *r, int64_t now_ms);

/* ---- what is announced ---- */
enum guard_loss {
	GUARD_DROP,      /* each is dropped from both tables, also while others are held */
	GUARD_DROP_NEXT, /* each from NEXT only: the reading that is DUE judges all at its end */
	GUARD_MASS_LOSS  /* none is dropped: read everything, guard_judge_reading() decides */
};

/* LOST settings of HAD (NEXT's, or LIVE's without a NEXT) vanished together. What came to its own end is not among them;
 * LOST is not looked at while a reading is DUE. */
enum guard_loss guard_judge_batch(struct guard *g, size_t had, size_t lost, bool due, int64_t now_ms);

/* Redis was flushed, with HAD settings in LIVE. A full reading must follow. */
void guard_flushed(struct guard *g, size_t had);

/* ---- the ways out of a hold, beside a full reading ---- */
enum guard_word {
	GUARD_WORD_NOTED,  /* nothing to do: it counts later, if it is not older than the loss */
	GUARD_WORD_TAKEN,  /* as GUARD_ACCEPTED */
	GUARD_WORD_TOO_OLD /* new, but older than the loss: a warning with accept_ms and exact_at_ms. The hold stays */
};

/* The operator's key was read: RAW_MS is its number, 0 for none. DUE also when there is no NEXT. */
enum guard_word guard_accept(struct guard *g, int64_t raw_ms, bool due, int64_t now_ms);

/* After each change while held: GONE settings of LIVE are not in NEXT. True: as GUARD_RETURNED. DUE as above. */
bool guard_returned(struct guard *g, size_t gone, bool due, int64_t now_ms);

#endif
