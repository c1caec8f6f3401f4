/*
 * redis_advice.h - how an error of Redis is told to people: what was said, and what to do about it.
 */
#ifndef TLSMODE_IO_REDIS_ADVICE_H
#define TLSMODE_IO_REDIS_ADVICE_H

#include <stddef.h>

#define REDIS_WHY_SIZE 320

/* What a person should do about an error reply of Redis; "" when there is nothing to say. */
const char *redis_advice(const char *error);

/* "CONTEXT: TEXT; advice" into OUT, what does not fit cut, control characters as '?'. CONTEXT ("HGETALL") NULL or "":
 * without it; no advice: without that. */
void redis_advice_format(char *out, size_t size, const char *context, const char *text);

#endif
