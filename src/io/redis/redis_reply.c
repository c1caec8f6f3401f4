/*
 * redis_reply.c - opens what Redis answered (redis_reply.h).
 *
 * RESP2. The types that hiredis 1.x knows beyond it (maps, sets, doubles) are asked for by nobody and are none here.
 */
#include "io/redis/redis_reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "io/redis/redis_advice.h"

static const redisReply *reply_as(const struct redis_reply *r, int type)
{
	const redisReply *inside = (const void *)r;

	return inside->type == type ? inside : NULL;
}

static const struct redis_reply *reply_element(const redisReply *array, size_t i)
{
	return (const void *)array->element[i];
}

static bool reply_text(const struct redis_reply *r, int type, struct redis_text *out)
{
	const redisReply *inside = reply_as(r, type);

	if (!inside)
		return false;
	*out = (struct redis_text){inside->str, inside->len};
	return true;
}

bool redis_text_is(const struct redis_text *t, const char *word)
{
	return t->len == strlen(word) && memcmp(t->text, word, t->len) == 0;
}

/* ---- one thing ---- */
bool redis_reply_error(const struct redis_reply *r, struct redis_text *out)
{
	return reply_text(r, REDIS_REPLY_ERROR, out);
}

bool redis_reply_is_error(const struct redis_reply *r, const char *code)
{
	struct redis_text t;

	if (!redis_reply_error(r, &t))
		return false;
	return !code || (t.len >= strlen(code) && memcmp(t.text, code, strlen(code)) == 0);
}

bool redis_reply_is_nil(const struct redis_reply *r)
{
	return reply_as(r, REDIS_REPLY_NIL);
}

bool redis_reply_is_status(const struct redis_reply *r, const char *word)
{
	struct redis_text t;

	return reply_text(r, REDIS_REPLY_STATUS, &t) && redis_text_is(&t, word);
}

bool redis_reply_integer(const struct redis_reply *r, int64_t *out)
{
	const redisReply *inside = reply_as(r, REDIS_REPLY_INTEGER);

	if (!inside)
		return false;
	*out = inside->integer;
	return true;
}

bool redis_reply_string(const struct redis_reply *r, struct redis_text *out)
{
	return reply_text(r, REDIS_REPLY_STRING, out);
}

bool redis_reply_info(const struct redis_reply *r, const char *name, char *out, size_t size)
{
	struct redis_text t;
	const char *at;

	out[0] = '\0';
	if (!redis_reply_string(r, &t))
		return false;
	at = memmem(t.text, t.len, name, strlen(name));
	if (at) {
		at += strlen(name);
		snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
	}
	return true;
}

/* ---- several ---- */
bool redis_reply_head(const struct redis_reply *r, struct redis_text *out)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY);

	return array && array->elements > 0 && redis_reply_string(reply_element(array, 0), out);
}

bool redis_reply_list(const struct redis_reply *r, struct redis_list *out)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY);

	if (!array)
		return false;
	for (size_t i = 0; i < array->elements; i++)
		if (!reply_as(reply_element(array, i), REDIS_REPLY_STRING))
			return false;
	*out = (struct redis_list){r, 0, array->elements};
	return true;
}

bool redis_list_next(struct redis_list *l, struct redis_text *out)
{
	if (l->left == 0)
		return false;
	l->left--;
	return redis_reply_string(reply_element((const void *)l->of, l->at++), out);
}

bool redis_reply_pairs(const struct redis_reply *r, struct redis_list *out)
{
	return redis_reply_list(r, out) && out->left % 2 == 0;
}

bool redis_pair_next(struct redis_list *l, struct redis_text *name, struct redis_text *value)
{
	return redis_list_next(l, name) && redis_list_next(l, value);
}

bool redis_reply_page(const struct redis_reply *r, struct redis_text *cursor, struct redis_list *keys)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY);

	return array && array->elements == 2 && redis_reply_string(reply_element(array, 0), cursor) &&
	       redis_reply_list(reply_element(array, 1), keys);
}

bool redis_reply_is_message(const struct redis_reply *r)
{
	struct redis_text head;

	return redis_reply_head(r, &head) && redis_text_is(&head, "message");
}

/* What comes behind "message" and the channel. */
static const struct redis_reply *reply_payload(const struct redis_reply *r)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY);

	return redis_reply_is_message(r) && array->elements == 3 ? reply_element(array, 2) : NULL;
}

bool redis_reply_message(const struct redis_reply *r, struct redis_text *text)
{
	const struct redis_reply *third = reply_payload(r);

	return third && redis_reply_string(third, text);
}

bool redis_reply_changes(const struct redis_reply *r, struct redis_list *keys)
{
	const struct redis_reply *third = reply_payload(r);

	*keys = (struct redis_list){0};
	return third && (redis_reply_is_nil(third) || (redis_reply_list(third, keys) && keys->left > 0));
}

bool redis_reply_counts(const struct redis_reply *r, size_t count, const struct redis_reply **culprit)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY);

	*culprit = r;
	for (size_t i = 0; array && i < array->elements; i++)
		if (!reply_as(reply_element(array, i), REDIS_REPLY_INTEGER)) {
			*culprit = reply_element(array, i);
			return false;
		}
	return array && array->elements == count;
}

/* ---- for people and for the loop ---- */
static void reply_describe_array(const redisReply *array, char *out, size_t size)
{
	struct redis_list strings;

	if (redis_reply_list((const void *)array, &strings))
		snprintf(out, size, "an array of %zu strings", array->elements);
	else
		snprintf(out, size, "an array of %zu, not all strings", array->elements);
}

static void reply_describe(const redisReply *inside, char *out, size_t size)
{
	switch (inside->type) {
	case REDIS_REPLY_STATUS:
		snprintf(out, size, "the status %.40s", inside->str);
		break;
	case REDIS_REPLY_INTEGER:
		snprintf(out, size, "the integer %lld", inside->integer);
		break;
	case REDIS_REPLY_STRING:
		snprintf(out, size, "a string of %zu octets", (size_t)inside->len);
		break;
	case REDIS_REPLY_ARRAY:
		reply_describe_array(inside, out, size);
		break;
	default:
		snprintf(out, size, "%s", inside->type == REDIS_REPLY_NIL ? "nil" : "of no type of RESP2");
		break;
	}
}

void redis_reply_why(char *out, size_t size, const char *command, const struct redis_reply *r)
{
	const redisReply *inside = (const void *)r;
	char what[80], text[120];

	if (inside->type == REDIS_REPLY_ERROR) {
		redis_advice_format(out, size, command, inside->str);
		return;
	}
	reply_describe(inside, what, sizeof(what));
	snprintf(text, sizeof(text), "a reply of the wrong kind: %s", what);
	redis_advice_format(out, size, command, text);
}

size_t redis_reply_weight(const struct redis_reply *r)
{
	const redisReply *array = reply_as(r, REDIS_REPLY_ARRAY), *inner;
	size_t weight = 1;

	if (!array)
		return weight;
	weight += array->elements;
	for (size_t i = 0; i < array->elements; i++)
		if ((inner = reply_as(reply_element(array, i), REDIS_REPLY_ARRAY)))
			weight += inner->elements;
	return weight;
}
