/*
 * settings_entry.h - one key as the table keeps it. Internal to settings.c (the table) and settings_closest.c (the
 * merge).
 */
#ifndef TLSMODE_CORE_SETTINGS_ENTRY_H
#define TLSMODE_CORE_SETTINGS_ENTRY_H

#include "core/settings.h"

struct settings_entry {
	int64_t ends_at_ms;
	uint32_t hash;
	uint16_t name_len, match_len;
	uint8_t via_len, has, bad, unknown;
	uint8_t mode : 4;
	bool dane_ignore : 1, sts_ignore : 1, plaintext_allow : 1, for_all : 1;
	char text[]; /* name, via and match, each with its NUL */
};

static inline const char *settings_entry_via(const struct settings_entry *e)
{
	return e->text + e->name_len + 1;
}

static inline const char *settings_entry_match(const struct settings_entry *e)
{
	return settings_entry_via(e) + e->via_len + 1;
}

/* The end of a key has come: it is as if it were not there. */
static inline bool settings_entry_ended(const struct settings_entry *e, int64_t now_ms)
{
	return e->ends_at_ms != 0 && now_ms >= e->ends_at_ms;
}

/* The entry of KIND and canonical NAME, or NULL. */
const struct settings_entry *settings_entry_find(const struct settings *s, enum setting_kind kind, const char *name);

#endif
