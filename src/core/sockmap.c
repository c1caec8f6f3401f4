/*
 * sockmap.c - Postfix's socketmap, requests and replies.
 */
#include "core/sockmap.h"

#include <string.h>

bool sockmap_parse(struct sockmap_request *out, const char *payload, size_t len)
{
	const char *space = memchr(payload, ' ', len);

	if (!space || space == payload)
		return false;
	out->map = payload;
	out->map_len = (size_t)(space - payload);
	out->key = space + 1;
	out->key_len = len - out->map_len - 1;
	return true;
}

static void add_clean(struct sbuf *out, const char *text)
{
	for (; *text != '\0'; text++)
		sbuf_addc(out, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

void sockmap_reply(struct sbuf *out, enum sockmap_status status, const char *text)
{
	static const char *const word[] = {
	    [SOCKMAP_OK] = "OK ", [SOCKMAP_NOTFOUND] = "NOTFOUND ", [SOCKMAP_TEMP] = "TEMP "};

	if (status == SOCKMAP_OK && text[0] == '\0')
		sockmap_reply(out, SOCKMAP_TEMP, "internal error: empty answer");
	else if (strlen(text) > SOCKMAP_REPLY_MAX - strlen(word[status]))
		sockmap_reply(out, SOCKMAP_TEMP, "the answer is longer than the protocol allows");
	else {
		sbuf_add(out, word[status]);
		add_clean(out, text);
	}
}
