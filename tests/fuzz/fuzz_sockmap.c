/* fuzz_sockmap.c - socketmap requests are split whole; a reply with anything in it is one Postfix can read. */
#include "fuzz/fuzz.h"

#include "core/sockmap.h"

static void check_reply(enum sockmap_status status, const char *text)
{
	static char reply[SOCKMAP_REPLY_MAX + 1];
	struct sbuf out;

	sbuf_init(&out, reply, sizeof(reply));
	sockmap_reply(&out, status, text);
	must(sbuf_ok(&out));
	must(strncmp(reply, "OK ", 3) == 0 || strncmp(reply, "NOTFOUND ", 9) == 0 || strncmp(reply, "TEMP ", 5) == 0);
	must(strcmp(reply, "OK ") != 0);
	must(status == SOCKMAP_OK || strncmp(reply, "OK ", 3) != 0);
	for (size_t i = 0; i < out.len; i++)
		must((unsigned char)reply[i] >= ' ' && reply[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *payload = (const char *)data;
	struct sockmap_request request;
	char *text;

	if (sockmap_parse(&request, payload, size)) {
		must(request.map == payload && request.map_len > 0);
		must(!memchr(request.map, ' ', request.map_len));
		must(request.key == payload + request.map_len + 1 && request.map_len + 1 + request.key_len == size);
	} else {
		must(size == 0 || payload[0] == ' ' || !memchr(payload, ' ', size));
	}
	text = strndup(payload, size);
	check_reply(SOCKMAP_OK, text);
	check_reply(SOCKMAP_NOTFOUND, text);
	check_reply(SOCKMAP_TEMP, text);
	free(text);
	return 0;
}
