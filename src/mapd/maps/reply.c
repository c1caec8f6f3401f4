/*
 * reply.c - see reply.h.
 */
#include "mapd/maps/reply.h"

#include <string.h>

#include "core/netstring.h"

struct sbuf *reply_begin(struct reply *r)
{
	sbuf_init(&r->text, r->text_bytes, sizeof(r->text_bytes));
	return &r->text;
}

void reply_end(struct reply *r, enum sockmap_status status)
{
	struct sbuf payload, framed;

	sbuf_init(&payload, r->payload, sizeof(r->payload));
	sockmap_reply(&payload, status, r->text_bytes);
	r->status = status == SOCKMAP_OK && payload.buf[0] == 'T' ? SOCKMAP_TEMP : status;
	sbuf_init(&framed, r->framed, sizeof(r->framed));
	netstring_add(&framed, payload.buf, payload.len);
	r->len = framed.len;
}

void reply_make(struct reply *r, enum sockmap_status status, const char *text)
{
	sbuf_add(reply_begin(r), text);
	reply_end(r, status);
}
