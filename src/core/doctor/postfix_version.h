/*
 * postfix_version.h - Postfix's mail_version: "3.7.11", "3.11-20250101", "3.10.0-RC1".
 */
#ifndef TLSMODE_CORE_POSTFIX_VERSION_H
#define TLSMODE_CORE_POSTFIX_VERSION_H

#include <stdbool.h>

struct postfix_version {
	unsigned major, minor, patch; /* patch 0 for snapshots: they stand before the first release of their line */
	bool snapshot;                /* "-DATE" or "-RC1" */
};

/* False: no version (all zero then). */
bool postfix_version_parse(struct postfix_version *out, const char *text);

/* At least MAJOR.MINOR.PATCH. A snapshot of a line counts as its release 0. */
bool postfix_version_at_least(const struct postfix_version *v, unsigned major, unsigned minor, unsigned patch);

#endif
