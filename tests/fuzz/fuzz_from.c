/* fuzz_from.c - From: fields: one domain or a reason; comments around change nothing, a second mailbox ends it. */
#include "fuzz/fuzz.h"

#include "base/xalloc.h"
#include "core/from.h"

/* The domain of BEFORE + field + AFTER; "" for none. */
static void wrapped(char out[DOMAIN_SIZE], const char *before, const uint8_t *data, size_t size, const char *after)
{
	size_t head = strlen(before), tail = strlen(after);
	char *field = xmalloc(head + size + tail + 1);
	const char *reason;

	memcpy(field, before, head);
	memcpy(field + head, data, size);
	memcpy(field + head + size, after, tail);
	must(from_domain(out, field, head + size + tail, &reason) == (!reason));
	free(field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char domain[DOMAIN_SIZE], other[DOMAIN_SIZE];

	wrapped(domain, "", data, size, "");
	wrapped(other, "(x) ", data, size, "");
	must(strcmp(domain, other) == 0);
	if (domain[0] == '\0')
		return 0;
	must(domain_canon(other, domain, strlen(domain)) == DOMAIN_OK && strcmp(domain, other) == 0);
	must(!domain_is_numeric(domain));
	wrapped(other, "\r\n\t", data, size, " (x(\\)))");
	must(strcmp(domain, other) == 0);
	wrapped(other, "", data, size, ", z@z.example");
	must(other[0] == '\0');
	wrapped(other, "z@z.example, ", data, size, "");
	must(other[0] == '\0');
	wrapped(other, "z@z.example ", data, size, "");
	must(other[0] == '\0');
	return 0;
}
