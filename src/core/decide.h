/*
 * decide.h - the decision table of doc/decision.md: facts and settings in, a verdict with its reasons out. Pure and
 * total: exactly one row applies to every combination of facts.
 */
#ifndef TLSMODE_CORE_DECIDE_H
#define TLSMODE_CORE_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/names.h"
#include "core/facts.h"
#include "core/mode.h"
#include "core/reason.h"
#include "core/settings.h"

/* The facts as the table sees them: a small finite space, walked whole by the property tests. */
enum mx_column { COL_SECURE, COL_INSECURE, COL_BOGUS, COL_ERROR, COL_ABSENT /* NXDOMAIN or null MX */ };

struct decide_facts {
	enum mx_column mx;
	bool usable, unusable, none, error; /* some host has that TLSA state; all false without hosts */
	bool sts_enforce;                   /* an unexpired enforce policy */
	bool sts_unread;                    /* none is known, but Redis, which may have one, could not be read */
	bool literal; /* address literal or a key that is never asked of DNS: row 9, verified needs a match */
};

struct decide_settings {
	enum mode mode; /* of the map that was asked */
	enum mode rcpt_mode;
	bool match; /* rcpt match is set */
	bool dane_ignore, sts_ignore, plaintext_allow, for_all;
	bool dane; /* conf mapd.dane: Postfix has a DNSSEC resolver */
};

enum level {
	LEVEL_NOTFOUND,
	LEVEL_TEMP,
	LEVEL_MAY,
	LEVEL_ENCRYPT,
	LEVEL_DANE,
	LEVEL_DANE_ONLY,
	LEVEL_VERIFY, /* verify match=hostname servername=hostname */
	LEVEL_SECURE, /* secure with the policy's patterns, the setting's names, or what is in both */
};
extern const struct name_code decide_level_names[]; /* notfound temp may encrypt dane dane-only verify secure */

struct verdict {
	int row; /* 1..15 of doc/decision.md's table, on the facts after exceptions */
	enum level level;
	bool use_policy;  /* LEVEL_SECURE: the policy's patterns bind */
	bool use_match;   /* LEVEL_SECURE: the setting's names bind (with use_policy: both must hold) */
	uint32_t reasons; /* 1 << enum reason */
};

void decide_table(const struct decide_facts *facts, const struct decide_settings *settings, struct verdict *out);

/* The same from the whole facts and merged settings. */
void decide_summary(const struct facts *f, int64_t now, struct decide_facts *out);
void decide(const struct facts *f, int64_t now, enum mode map_mode, const struct dest_setting *dest, bool dane,
	    struct verdict *out);

#endif
