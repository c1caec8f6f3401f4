/* fuzz_netstring.c - a stream of netstrings: what is found is inside, encodes back, and shows only when it is complete.
 */
#include "fuzz/fuzz.h"

#include "core/netstring.h"

#define PAYLOAD_MAX 10100

static void check_found(const struct netstring *ns, const char *buf, size_t len)
{
	static char text[PAYLOAD_MAX + 20];
	struct netstring again;
	struct sbuf out;

	must(ns->used <= len && ns->len <= PAYLOAD_MAX);
	must(ns->payload > buf && ns->payload + ns->len + 1 == buf + ns->used);
	sbuf_init(&out, text, sizeof(text));
	netstring_add(&out, ns->payload, ns->len);
	must(sbuf_ok(&out));
	must(netstring_next(&again, text, out.len, PAYLOAD_MAX) == NETSTRING_OK && again.used == out.len);
	must(again.len == ns->len && memcmp(again.payload, ns->payload, ns->len) == 0);
}

static void check_prefixes(const char *buf, size_t used)
{
	struct netstring ns;

	for (size_t len = 0; len < used; len += len < 16 || len + 16 >= used ? 1 : 8)
		must(netstring_next(&ns, buf, len, PAYLOAD_MAX) == NETSTRING_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *buf = (const char *)data;
	enum netstring_status status;
	struct netstring ns;

	while ((status = netstring_next(&ns, buf, size, PAYLOAD_MAX)) == NETSTRING_OK) {
		check_found(&ns, buf, size);
		check_prefixes(buf, ns.used);
		buf += ns.used;
		size -= ns.used;
	}
	must(status == NETSTRING_MORE || ns.reason);
	must(status == NETSTRING_BAD || size < PAYLOAD_MAX + 8);
	return 0;
}
