/*
 * setting_key.c - one settings key as it stands in Redis, with what the daemons make of it.
 */
#include "ctl/setting_key.h"

#include <string.h>

#include "base/tick.h"
#include "io/mirror/setting_read.h"

void setting_key_format(char key[RKEY_SIZE], const struct ctl *ctl, const char *name)
{
	struct sbuf b;

	sbuf_init(&b, key, RKEY_SIZE);
	rkeys_format(&b, ctl->conf->redis.prefix, rkeys_of_setting(ctl->kind), name);
}

static void complain(struct setting_key *k, const char *text)
{
	struct sbuf b;

	sbuf_init(&b, k->complaints + strlen(k->complaints), sizeof(k->complaints) - strlen(k->complaints));
	if (k->complaints[0] != '\0')
		sbuf_add(&b, "; ");
	sbuf_add(&b, text);
}

static void setting_key_take_fields(struct setting_key *k, enum setting_kind kind, struct redis_list pairs)
{
	struct redis_text field, value;
	char complaint[200], quoted[200];

	k->exists = pairs.left > 0;
	while (redis_pair_next(&pairs, &field, &value)) {
		json_object_set_new(k->fields, ctl_text(quoted, sizeof(quoted), &field), ctl_text_json(&value));
		if (!setting_field(&k->read, kind, field.text, field.len, value.text, value.len, complaint,
				   sizeof(complaint)))
			complain(k, complaint);
	}
}

static void check_name(struct setting_key *k, enum setting_kind kind)
{
	char canon[SETTING_NAME_SIZE];
	char text[SETTING_NAME_SIZE + 60];
	const char *reason;

	if (!setting_name_canon(canon, kind, k->name, strlen(k->name), &reason))
		complain(k, reason);
	else if (strcmp(canon, k->name) != 0) {
		snprintf(text, sizeof(text), "the key is not read: its name is written %s", canon);
		complain(k, text);
	}
}

/* Another type of key is read as the daemons read it. */
static bool read_hash(struct setting_key *k, struct ctl *ctl)
{
	const char *argv[] = {"HGETALL", k->key};
	struct redis_reply *reply = ctl_reply(ctl, 2, argv);
	struct redis_list pairs;
	struct redis_text error;
	bool ok = true;

	if (!reply)
		return false;
	if (redis_reply_pairs(reply, &pairs)) {
		setting_key_take_fields(k, ctl->kind, pairs);
	} else if (redis_reply_is_error(reply, "WRONGTYPE")) {
		k->exists = true;
		setting_read_strictly(&k->read, ctl->kind);
		redis_reply_error(reply, &error);
		complain(k, error.text);
	} else {
		ctl_wrong(2, argv, reply);
		ok = false;
	}
	freeReplyObject(reply);
	return ok;
}

static bool read_ttl(struct setting_key *k, struct ctl *ctl)
{
	const char *argv[] = {"PTTL", k->key};
	struct redis_reply *reply = ctl_command(ctl, 2, argv);
	bool ok = reply && redis_reply_integer(reply, &k->ttl_ms) && k->ttl_ms >= -2;

	if (reply && !ok)
		ctl_wrong(2, argv, reply);
	if (reply)
		freeReplyObject(reply);
	if (!ok || k->ttl_ms < 0)
		k->ttl_ms = -1;
	return ok;
}

bool setting_key_read(struct setting_key *out, struct ctl *ctl, const char *name, size_t len)
{
	struct sbuf b;

	memset(out, 0, sizeof(*out));
	sbuf_init(&b, out->name, sizeof(out->name));
	sbuf_addn(&b, name, len);
	setting_key_format(out->key, ctl, out->name);
	setting_init(&out->read);
	out->fields = json_object();
	check_name(out, ctl->kind);
	return read_hash(out, ctl) && read_ttl(out, ctl);
}

void setting_key_fini(struct setting_key *k)
{
	json_decref(k->fields);
	k->fields = NULL;
}

const char *setting_key_field(const struct setting_key *k, const char *field)
{
	return json_string_value(json_object_get(k->fields, field));
}

json_t *setting_key_json(const struct setting_key *k)
{
	json_t *name = json_string(k->name);
	json_t *object = json_object();

	json_object_set_new(object, "name", name ? name : json_string("(not UTF-8)"));
	json_object_set(object, "fields", k->fields);
	if ((k->read.has & SETTING_HAS_MODE) != 0)
		json_object_set_new(object, "mode", json_string(names_name(mode_names, (int)k->read.mode)));
	json_object_set_new(object, "ttl_ms", k->ttl_ms >= 0 ? json_integer(k->ttl_ms) : json_null());
	json_object_set_new(object, "complaint", k->complaints[0] != '\0' ? json_string(k->complaints) : json_null());
	return object;
}
