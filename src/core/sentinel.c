/*
 * sentinel.c - addresses and moves as Redis Sentinel says them (sentinel.h).
 */
#include "core/sentinel.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 5 /* of +switch-master */

struct word {
	const char *at;
	size_t len;
};

/* 1 to 65535, digits only; 0: it is none */
static unsigned port_number(const char *text, size_t len)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port <= 65535 ? port : 0;
}

/* 4 or 6; 0: not an IP address */
static int ip_version(const char *text, size_t len, char ip[INET6_ADDRSTRLEN])
{
	unsigned char octets[16];

	if (len == 0 || len >= INET6_ADDRSTRLEN || memchr(text, '\0', len))
		return 0;
	memcpy(ip, text, len);
	ip[len] = '\0';
	return inet_pton(AF_INET, ip, octets) == 1 ? 4 : inet_pton(AF_INET6, ip, octets) == 1 ? 6 : 0;
}

bool sentinel_address(char out[SENTINEL_ADDRESS_SIZE], const char *host, size_t host_len, const char *port,
		      size_t port_len, const char **reason)
{
	char ip[INET6_ADDRSTRLEN];
	unsigned number = port_number(port, port_len);
	int version = ip_version(host, host_len, ip);

	out[0] = '\0';
	if (version == 0)
		*reason = "not an IP address (host names are not looked up)";
	else if (number == 0)
		*reason = "not a port";
	else
		snprintf(out, SENTINEL_ADDRESS_SIZE, version == 6 ? "[%s]:%u" : "%s:%u", ip, number);
	return out[0] != '\0';
}

/* WORD *4(SP WORD) */
static bool split(const char *text, size_t len, struct word word[WORDS])
{
	const char *end = text + len;

	for (int i = 0; i < WORDS; i++) {
		const char *space = memchr(text, ' ', (size_t)(end - text));

		if ((!space) != (i == WORDS - 1))
			return false;
		word[i].at = text;
		word[i].len = (size_t)((space ? space : end) - text);
		text = space ? space + 1 : end;
		if (word[i].len == 0)
			return false;
	}
	return true;
}

enum sentinel_switch sentinel_switch_parse(const char *message, size_t len, const char *name,
					   char out[SENTINEL_ADDRESS_SIZE], const char **reason)
{
	struct word word[WORDS];

	out[0] = '\0';
	if (!split(message, len, word)) {
		*reason = "not five words";
		return SENTINEL_SWITCH_BAD;
	}
	if (word[0].len != strlen(name) || memcmp(word[0].at, name, word[0].len) != 0)
		return SENTINEL_SWITCH_OTHER;
	return sentinel_address(out, word[3].at, word[3].len, word[4].at, word[4].len, reason) ? SENTINEL_SWITCH_MOVED
											       : SENTINEL_SWITCH_BAD;
}
