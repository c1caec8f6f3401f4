/*
 * setting_key.c - one settings key as it stands in Redis, with what the daemons make of it.
 */
#include "ctl/setting_key.h"

#include <string.h>

#include "base/tick.h"
#include "io/setting_read.h"

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

static void setting_key_take_fields(struct setting_key *k, enum setting_kind kind, const redisReply *reply)
{
	char complaint[200];

	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *field = reply->element[i], *value = reply->element[i + 1];
		json_t *text = json_stringn(value->str, value->len);

		json_object_set_new(k->fields, field->str, text ? text : json_string("(not UTF-8)"));
		if (!setting_field(&k->read, kind, field->str, field->len, value->str, value->len, complaint,
				   sizeof(complaint)))
			complain(k, complaint);
	}
	k->exists = reply->elements > 0;
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

bool setting_key_read(struct setting_key *out, struct ctl *ctl, const char *name, size_t len)
{
	struct sbuf b;
	redisReply *reply;

	memset(out, 0, sizeof(*out));
	sbuf_init(&b, out->name, sizeof(out->name));
	sbuf_addn(&b, name, len);
	setting_key_format(out->key, ctl, out->name);
	setting_init(&out->read);
	out->fields = json_object();
	check_name(out, ctl->kind);
	if (!ctl_redis(ctl))
		return false;
	reply = redisCommand(ctl->redis, "HGETALL %s", out->key);
	if (!reply) {
		ctl_error(EX_TEMPFAIL, "Redis: %s", ctl->redis->errstr);
		return false;
	}
	if (reply->type == REDIS_REPLY_ARRAY)
		setting_key_take_fields(out, ctl->kind, reply);
	else {
		out->exists = true;
		setting_read_strictly(&out->read, ctl->kind);
		complain(out, reply->type == REDIS_REPLY_ERROR ? reply->str : "not a hash");
	}
	freeReplyObject(reply);
	reply = redisCommand(ctl->redis, "PTTL %s", out->key);
	out->ttl_ms = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 ? reply->integer : -1;
	if (reply)
		freeReplyObject(reply);
	return true;
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
