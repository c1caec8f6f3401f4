/*
 * sentinel.h - what Redis Sentinel says: where the master is, and that it has moved. Pure.
 *
 * Sentinel speaks of addresses as two strings, host and port; with resolve-hostnames and announce-hostnames the host
 * may be a name. A name is refused: looking it up would block, and another answer would be another server.
 */
#ifndef TLSMODE_CORE_SENTINEL_H
#define TLSMODE_CORE_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>

#define SENTINEL_ADDRESS_SIZE 56 /* "[IPv6 address]:65535" with the NUL */

/* "10.0.0.1:6379" or "[fd00::1]:6379" in OUT, the form of redis.address, from HOST and PORT as Sentinel says them.
 * False: *REASON (static) and OUT is "". */
bool sentinel_address(char out[SENTINEL_ADDRESS_SIZE], const char *host, size_t host_len, const char *port,
		      size_t port_len, const char **reason);

enum sentinel_switch {
	SENTINEL_SWITCH_OTHER, /* of another master */
	SENTINEL_SWITCH_MOVED, /* ours, to OUT */
	SENTINEL_SWITCH_BAD    /* ours, or not to be understood: *REASON */
};

/* Reads a message of the channel +switch-master: "NAME OLD-HOST OLD-PORT NEW-HOST NEW-PORT". */
enum sentinel_switch sentinel_switch_parse(const char *message, size_t len, const char *name,
					   char out[SENTINEL_ADDRESS_SIZE], const char **reason);

#endif
