/*
 * setting_key.h - one settings key as it stands in Redis, with what the daemons make of it.
 */
#ifndef TLSMODE_CTL_SETTING_KEY_H
#define TLSMODE_CTL_SETTING_KEY_H

#include <jansson.h>

#include "core/rkeys.h"
#include "ctl/ctl.h"

#define COMPLAINTS_SIZE 400

struct setting_key {
	char name[SETTING_NAME_SIZE]; /* as it stands in the key */
	char key[RKEY_SIZE];
	bool exists;
	json_t *fields;                   /* object of strings, as written */
	struct setting read;              /* as the daemons read it */
	char complaints[COMPLAINTS_SIZE]; /* what nobody understands, "; " between; "" for nothing */
	int64_t ttl_ms;                   /* -1: no end */
};

/* Reads the key NAME (as in Redis) of the kind asked for. False: Redis does not say (printed). End it with
 * setting_key_fini(). */
bool setting_key_read(struct setting_key *out, struct ctl *ctl, const char *name, size_t len);
void setting_key_fini(struct setting_key *k);

/* Its object for --json: name, fields, mode as read, complaints, ttl_ms. The caller owns it. */
json_t *setting_key_json(const struct setting_key *k);

/* The text of one field as written, or NULL. */
const char *setting_key_field(const struct setting_key *k, const char *field);

/* The key of NAME in KEY (RKEY_SIZE). */
void setting_key_format(char key[RKEY_SIZE], const struct ctl *ctl, const char *name);

#endif
