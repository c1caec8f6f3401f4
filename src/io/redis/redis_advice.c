/*
 * redis_advice.c - how an error of Redis is told to people (redis_advice.h).
 */
#include "io/redis/redis_advice.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *error, *advice;
} advice[] = {
    {"NOAUTH", "Redis asks for a password: set redis.password_file (and redis.username)"},
    {"WRONGPASS", "check redis.username and the contents of redis.password_file"},
    {"ERR invalid password", "check the contents of redis.password_file"},
    {"ERR AUTH", "Redis has no password for this account: check redis.username and redis.password_file"},
    {"ERR Client sent AUTH", "Redis has no password set: empty redis.password_file"},
    {"NOPERM", "the ACL user lacks a right: compare it with etc/redis-acl.sample"},
    {"LOADING", "Redis is reading its data from disk: we wait"},
    {"MASTERDOWN", "this replica has lost its master and does not serve old data"},
    {"READONLY", "this Redis is a replica: facts are not shared until address names the master"},
    {"OOM", "Redis is at maxmemory: facts are not shared; raise maxmemory"},
    {"MISCONF", "Redis cannot save to disk and refuses writes: see its log"},
    {"BUSY", "a script blocks Redis"},
    {"DENIED", "protected mode: give Redis a password or use its unix socket"},
    {"ERR max number of clients", "raise maxclients in redis.conf"},
    {"ERR unknown", "Redis 6 or later (or Valkey) is needed for CLIENT TRACKING"},
    {"ERR Unknown subcommand", "Redis 6 or later (or Valkey) is needed for CLIENT TRACKING"},
    {"ERR DB index", "check redis.database"},
};

const char *redis_advice(const char *error)
{
	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		if (strncmp(error, advice[i].error, strlen(advice[i].error)) == 0)
			return advice[i].advice;
	return "";
}

void redis_advice_format(char *out, size_t size, const char *context, const char *text)
{
	const char *hint = redis_advice(text), *colon = context && context[0] != '\0' ? ": " : "";

	snprintf(out, size, "%s%s%s%s%s", colon[0] ? context : "", colon, text, hint[0] ? "; " : "", hint);
	for (; *out; out++)
		if ((unsigned char)*out < ' ' || *out == 127)
			*out = '?';
}
