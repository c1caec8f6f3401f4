/*
 * postfix_version.c - see postfix_version.h.
 */
#include "core/doctor/postfix_version.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PART_MAX 9999

/* Takes a number of at most four digits off *S. */
static bool take_number(const char **s, unsigned *out)
{
	size_t digits = strspn(*s, "0123456789");

	if (digits == 0 || digits > 4)
		return false;
	*out = (unsigned)strtoul(*s, NULL, 10);
	*s += digits;
	return *out <= PART_MAX;
}

/* version = major "." minor [ "." patch ] [ "-" word ] */
bool postfix_version_parse(struct postfix_version *out, const char *text)
{
	struct postfix_version v = {0};
	const char *s = text;
	bool ok = take_number(&s, &v.major) && *s++ == '.' && take_number(&s, &v.minor);

	if (ok && *s == '.') {
		s++;
		ok = take_number(&s, &v.patch);
	}
	v.snapshot = ok && *s == '-';
	ok = ok && (*s == '\0' || v.snapshot);
	*out = ok ? v : (struct postfix_version){0};
	return ok;
}

bool postfix_version_at_least(const struct postfix_version *v, unsigned major, unsigned minor, unsigned patch)
{
	if (v->major != major)
		return v->major > major;
	if (v->minor != minor)
		return v->minor > minor;
	return v->patch >= patch;
}
