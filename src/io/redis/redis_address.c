/*
 * redis_address.c - opens a hiredis context for a configured address (redis_address.h).
 */
#include "io/redis/redis_address.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define IP_SIZE INET6_ADDRSTRLEN

/* "ADDRESS:PORT", IPv6 in brackets */
static bool split(const char *text, char ip[IP_SIZE], int *port)
{
	const char *colon = strrchr(text, ':');
	unsigned char addr[16];
	size_t len;

	if (!colon)
		return false;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= IP_SIZE)
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	*port = atoi(colon + 1);
	return *port > 0 && *port < 65536 && (inet_pton(AF_INET, ip, addr) == 1 || inet_pton(AF_INET6, ip, addr) == 1);
}

redisContext *redis_address_connect(const char *address, const struct timeval *timeout)
{
	char ip[IP_SIZE];
	int port;

	if (strncmp(address, "unix:", 5) == 0)
		return timeout ? redisConnectUnixWithTimeout(address + 5, *timeout)
			       : redisConnectUnixNonBlock(address + 5);
	if (!split(address, ip, &port))
		return NULL;
	return timeout ? redisConnectWithTimeout(ip, port, *timeout) : redisConnectNonBlock(ip, port);
}
