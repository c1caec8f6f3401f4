/*
 * explain.h - one line of JSON: every fact, its age and end, the settings, the verdict of each mode, the reasons.
 */
#ifndef TLSMODE_CORE_EXPLAIN_H
#define TLSMODE_CORE_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/answer.h"
#include "core/decide.h"
#include "core/facts.h"
#include "core/settings.h"

struct sbuf;

struct explain_input {
	const struct facts *facts;
	int64_t now; /* wall seconds */
	const struct dest_setting *dest;
	const char *sender; /* canonical domain, "<>" or NULL when only a domain was asked about */
	const struct sender_setting *sender_setting; /* with sender */
	enum mode mode;                              /* asked about */
	bool all_modes;                              /* tell the verdict of all three modes, not only of MODE */
	bool dane;
	struct answer_options options;
	bool settings_known; /* false: the mirror has never been filled */
	const char *awaited; /* the reason of the TEMP that every answer is until the settings are known, else NULL */
};

/* Heap string without newline. Long lists are cut and said to be, so that it fits into a reply whatever a domain
 * publishes (tests/unit/test_explain.c has the most); a reply that it did not fit would be TEMP (sockmap.h), not our
 * end. The caller frees it. */
char *explain_json(const struct explain_input *in);

/* What -V says of jansson (io/proc.h). */
void explain_library(struct sbuf *out);

#endif
