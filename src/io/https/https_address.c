/*
 * https_address.c - may a policy be fetched from this address? Pure; the answer of https_address_public().
 *
 * The tables are the IANA special-purpose registries (RFC 6890 and its updates): whoever controls a domain's DNS must
 * not be able to make us connect to what stands behind our own walls.
 */
#include "io/https/https_curl.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

struct prefix4 {
	uint32_t net; /* host order */
	unsigned bits;
};

static const struct prefix4 special4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local; cloud metadata */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* IETF protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

struct prefix6 {
	uint8_t net[6];
	unsigned bits;
};

/* Within 2000::/3, all that IANA has given out; nothing outside it is public. */
static const struct prefix6 special6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* IETF protocol assignments: Teredo, ORCHID, benchmarks */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4 */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation */
};

static const uint8_t nat64[12] = {0x00, 0x64, 0xff,
				  0x9b}; /* 64:ff9b::/96, RFC 6052: an IPv4 address in its last 32 bits */

static bool public4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(special4) / sizeof(special4[0]); i++)
		if ((address ^ special4[i].net) >> (32 - special4[i].bits) == 0)
			return false;
	return true;
}

static bool in_prefix6(const uint8_t *address, const struct prefix6 *p)
{
	unsigned whole = p->bits / 8, rest = p->bits % 8;

	if (memcmp(address, p->net, whole) != 0)
		return false;
	return rest == 0 || (address[whole] ^ p->net[whole]) >> (8 - rest) == 0;
}

static bool public6(const uint8_t *a)
{
	if (memcmp(a, nat64, sizeof(nat64)) == 0)
		return public4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 | a[15]);
	if (a[0] >> 5 != 1)
		return false;
	for (size_t i = 0; i < sizeof(special6) / sizeof(special6[0]); i++)
		if (in_prefix6(a, &special6[i]))
			return false;
	return true;
}

bool https_address_public(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return public4(ntohl(v4.s_addr));
	return inet_pton(AF_INET6, address, &v6) == 1 && public6(v6.s6_addr);
}
