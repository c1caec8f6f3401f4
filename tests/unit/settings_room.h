/*
 * settings_room.h - keys put as text, and what then holds for a sender or a destination.
 */
#ifndef TLSMODE_TESTS_SETTINGS_ROOM_H
#define TLSMODE_TESTS_SETTINGS_ROOM_H

#include "unit/check.h"

#include "core/settings.h"

#define S SETTING_SENDER
#define R SETTING_RCPT
#define X SETTING_EXCEPT

/* Puts a key with fields "field=value field=value ...". */
static inline void put(struct settings *s, enum setting_kind kind, const char *name, int64_t ends_at_ms,
		       const char *fields)
{
	char copy[256], complaint[160];
	struct setting v;

	setting_init(&v);
	v.ends_at_ms = ends_at_ms;
	snprintf(copy, sizeof(copy), "%s", fields);
	for (char *at = strtok(copy, " "); at; at = strtok(NULL, " ")) {
		char *value = strchr(at, '=');
		*value++ = '\0';
		setting_field(&v, kind, at, strlen(at), value, strlen(value), complaint, sizeof(complaint));
	}
	settings_put(s, kind, name, &v);
}

static inline struct sender_setting sender(const struct settings *s, const char *domain, int64_t now_ms)
{
	struct sender_setting out;

	settings_sender(s, domain, now_ms, &out);
	return out;
}

static inline struct dest_setting dest(const struct settings *s, const char *raw, int64_t now_ms)
{
	struct dest_setting out;
	struct nexthop n;

	nexthop_parse(&n, raw, strlen(raw));
	settings_dest(s, &n, now_ms, &out);
	return out;
}

#endif
