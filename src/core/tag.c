/*
 * tag.c - the value of the milter's header.
 *
 * Not here: the header's name (configuration) and the removal of copies that came with a message (milter/message).
 */
#include "core/tag.h"

const struct name_code tag_by_names[] = {
    {"envelope", TAG_BY_ENVELOPE}, {"from", TAG_BY_FROM}, {"auth", TAG_BY_AUTH}, {"unknown", TAG_BY_UNKNOWN}, {NULL, 0},
};

/* value = mode [";" "domain=" domain] ";" "by=" identity */
void tag_format(struct sbuf *out, enum mode mode, const char *domain, enum tag_by by)
{
	sbuf_add(out, names_name(mode_names, (int)mode));
	if (domain[0] != '\0') {
		sbuf_add(out, "; domain=");
		sbuf_add(out, domain);
	}
	sbuf_add(out, "; by=");
	sbuf_add(out, names_name(tag_by_names, (int)by));
}
