/*
 * mode.h - the TLS mode of a sender domain. The order is the strictness: a larger one is stricter.
 */
#ifndef TLSMODE_CORE_MODE_H
#define TLSMODE_CORE_MODE_H

#include "base/names.h"

enum mode { MODE_OPPORTUNISTIC, MODE_ENFORCED, MODE_VERIFIED };
#define MODE_COUNT 3

extern const struct name_code mode_names[]; /* opportunistic, enforced, verified */

static inline enum mode mode_stricter(enum mode a, enum mode b)
{
	return a > b ? a : b;
}

#endif
