/*
 * reply.h - one answer on its way out: its text, its payload, its netstring, in storage that is used again and again.
 */
#ifndef TLSMODE_MAPD_REPLY_H
#define TLSMODE_MAPD_REPLY_H

#include "base/sbuf.h"
#include "core/sockmap.h"

struct reply {
	enum sockmap_status status; /* of what was made: an OK that became TEMP is TEMP */
	size_t len;                 /* octets of framed */
	char framed[SOCKMAP_REPLY_MAX + 16];
	struct sbuf text;                         /* for the maker, over text_bytes; begun by reply_begin() */
	char text_bytes[SOCKMAP_REPLY_MAX + 256]; /* longer than a reply may be: what is too long is seen, not cut */
	char payload[SOCKMAP_REPLY_MAX + 16];
};

/* An empty text to append to. */
struct sbuf *reply_begin(struct reply *r);
/* Makes the netstring of STATUS and the text. */
void reply_end(struct reply *r, enum sockmap_status status);
/* Both, for a short text. */
void reply_make(struct reply *r, enum sockmap_status status, const char *text);

#endif
