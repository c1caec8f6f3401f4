/* fuzz_domain.c - domains, sender addresses and next hops: a canonical form is the canonical form of itself. */
#include "fuzz/fuzz.h"

#include "core/domain.h"
#include "core/nexthop.h"

static void check_canonical(const char *name)
{
	char again[DOMAIN_SIZE];
	size_t len = strlen(name), labels = 0;

	must(len > 0 && len <= DOMAIN_MAX);
	must(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len);
	must(domain_canon(again, name, len) == DOMAIN_OK && strcmp(again, name) == 0);
	for (const char *p = name; p; p = domain_parent(p)) {
		must(strcmp(p, name + len - strlen(p)) == 0);
		must(strcspn(p + (*p == '.'), ".") - 1 < 63);
		must(++labels <= 127);
	}
}

static void check_domain(const char *raw, size_t len)
{
	char name[DOMAIN_SIZE], dotted[DOMAIN_SIZE];
	enum domain_status status = domain_canon(name, raw, len);

	must(domain_status_text(status));
	if (status != DOMAIN_OK) {
		must(name[0] == '\0');
		return;
	}
	check_canonical(name);
	if (raw[len - 1] != '.' && len < 1000) {
		char *with_dot = malloc(len + 1);
		memcpy(with_dot, raw, len);
		with_dot[len] = '.';
		must(domain_canon(dotted, with_dot, len + 1) == DOMAIN_OK && strcmp(dotted, name) == 0);
		free(with_dot);
	}
}

static void check_address(const char *raw, size_t len)
{
	char name[DOMAIN_SIZE];

	if (domain_of_address(name, raw, len) == ADDRESS_DOMAIN)
		check_canonical(name);
	else if (name[0] != '\0') {
		must(name[0] == '.');
		check_canonical(name + 1);
	}
}

static void check_nexthop(const char *raw, size_t len)
{
	struct nexthop n, again;

	nexthop_parse(&n, raw, len);
	must((n.key[0] == '\0') == (n.kind == NEXTHOP_OTHER));
	if (n.kind == NEXTHOP_OTHER)
		return;
	must(n.port != 0);
	nexthop_parse(&again, n.key, strlen(n.key));
	must(again.kind == n.kind && again.port == n.port);
	must(strcmp(again.key, n.key) == 0 && strcmp(again.domain, n.domain) == 0);
	if (n.kind == NEXTHOP_DOMAIN || n.kind == NEXTHOP_HOST) {
		check_canonical(n.domain);
		must(!domain_is_numeric(n.domain));
	}
	must((n.domain[0] == '.') == (n.kind == NEXTHOP_PARENT));
	must((n.domain[0] == '\0') == (n.kind == NEXTHOP_LITERAL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *raw = (const char *)data;

	check_domain(raw, size);
	check_address(raw, size);
	check_nexthop(raw, size);
	return 0;
}
