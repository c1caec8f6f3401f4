/*
 * rkeys.c - the names of our keys in Redis. The one place that knows how they are put together.
 *
 * Not here: what stands in a key (settings, facts_text) and which names are canonical (setting_name_canon()).
 */
#include "core/rkeys.h"

#include <string.h>

#include "base/names.h"

static const struct name_code kinds[] = {
    {"sender", RKEY_SENDER}, {"rcpt", RKEY_RCPT}, {"except", RKEY_EXCEPT}, {"sts", RKEY_STS},
    {"dane", RKEY_DANE},     {"lock", RKEY_LOCK}, {"accept", RKEY_ACCEPT}, {NULL, 0},
};

/* A glob has no "or": the first two letters tell sender, rcpt and except from sts, dane, lock and accept. */
static const char settings_glob[] = "[sre][ecx]*:*";

void rkeys_format(struct sbuf *out, const char *prefix, enum rkey_kind kind, const char *name)
{
	sbuf_add(out, prefix);
	sbuf_add(out, names_name(kinds, (int)kind));
	sbuf_addc(out, ':');
	sbuf_add(out, name);
}

/* key = prefix kind ":" name; the kind to the letter: case counts in Redis, and two keys must not be one to us. */
enum rkey_kind rkeys_parse(const char *prefix, const char *key, size_t len, const char **name, size_t *name_len)
{
	size_t skip = strlen(prefix);

	*name = NULL;
	*name_len = 0;
	if (len < skip || memcmp(key, prefix, skip) != 0)
		return RKEY_OTHER;
	for (const struct name_code *k = kinds; k->name; k++) {
		size_t word = strlen(k->name);
		const char *at = key + skip;

		if (len - skip <= word || memcmp(at, k->name, word) != 0 || at[word] != ':')
			continue;
		*name = at + word + 1;
		*name_len = len - skip - word - 1;
		return (enum rkey_kind)k->code;
	}
	return RKEY_OTHER;
}

static const enum rkey_kind rkey_of[SETTING_KINDS] = {
    [SETTING_SENDER] = RKEY_SENDER, [SETTING_RCPT] = RKEY_RCPT, [SETTING_EXCEPT] = RKEY_EXCEPT};

enum rkey_kind rkeys_of_setting(enum setting_kind kind)
{
	return rkey_of[kind];
}

bool rkeys_is_setting(enum rkey_kind kind, enum setting_kind *out)
{
	for (int i = 0; i < SETTING_KINDS; i++)
		if (rkey_of[i] == kind) {
			*out = (enum setting_kind)i;
			return true;
		}
	return false;
}

void rkeys_settings_glob(struct sbuf *out, const char *prefix)
{
	for (const char *p = prefix; *p; p++) {
		if (strchr("*?[]^-\\", *p))
			sbuf_addc(out, '\\');
		sbuf_addc(out, *p);
	}
	sbuf_add(out, settings_glob);
}
