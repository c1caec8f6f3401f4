/*
 * duration.c - spans of time as people write and read them.
 */
#include "ctl/duration.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t ms;
} units[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define UNITS (sizeof(units) / sizeof(units[0]))
#define DURATION_MAX_MS (10LL * 365 * 86400000)

static int64_t unit_ms(const char *name, size_t len)
{
	if (len == 0)
		return 1000;
	for (size_t i = 0; i < UNITS; i++)
		if (strlen(units[i].name) == len && strncmp(units[i].name, name, len) == 0)
			return units[i].ms;
	return 0;
}

int64_t duration_parse(const char *text)
{
	static const char digits[] = "0123456789";
	int64_t sum = 0;

	while (*text != '\0') {
		size_t n = strspn(text, digits);
		size_t name = strcspn(text + n, digits);
		int64_t unit = unit_ms(text + n, name);
		int64_t value = 0;

		if (n == 0 || n > 12 || unit == 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			value = value * 10 + (text[i] - '0');
		if (value > DURATION_MAX_MS / unit || (sum += value * unit) > DURATION_MAX_MS)
			return -1;
		text += n + name;
	}
	return sum > 0 ? sum : -1;
}

const char *duration_format(char *out, size_t size, int64_t ms)
{
	size_t i = 1; /* weeks are written, not shown */
	int len;

	if (ms < 1000) {
		snprintf(out, size, ms > 0 ? "%dms" : "0s", (int)ms);
		return out;
	}
	while (ms < units[i].ms)
		i++;
	len = snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
	ms %= units[i].ms;
	if (i + 1 < UNITS - 1 && ms >= units[i + 1].ms && len > 0 && (size_t)len < size)
		snprintf(out + len, size - (size_t)len, "%lld%s", (long long)(ms / units[i + 1].ms), units[i + 1].name);
	return out;
}
