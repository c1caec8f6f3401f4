/*
 * tag.h - the milter's header: "X-TLS-Mode: enforced; domain=example.com; by=envelope".
 */
#ifndef TLSMODE_CORE_TAG_H
#define TLSMODE_CORE_TAG_H

#include "base/names.h"
#include "base/sbuf.h"
#include "core/mode.h"

enum tag_by { TAG_BY_ENVELOPE, TAG_BY_FROM, TAG_BY_AUTH, TAG_BY_UNKNOWN };
extern const struct name_code tag_by_names[]; /* envelope from auth unknown (settings were not to be had) */

/* Appends the header's value. DOMAIN is canonical, "<>" for the null sender, or "" for none: the part is left out. */
void tag_format(struct sbuf *out, enum mode mode, const char *domain, enum tag_by by);

#endif
