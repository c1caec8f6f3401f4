/*
 * duration.h - spans of time as people write and read them: "90s", "15m", "2h30m", "7d".
 */
#ifndef TLSMODE_CTL_DURATION_H
#define TLSMODE_CTL_DURATION_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds of TEXT: 1*(number unit), unit ms s m h d w, a bare number means seconds. -1 when it is none, or 0, or
 * over 10 years. */
int64_t duration_parse(const char *text);

/* The two largest units of MS: "6d23h", "4m10s", "0s". Returns OUT. */
const char *duration_format(char *out, size_t size, int64_t ms);

#endif
