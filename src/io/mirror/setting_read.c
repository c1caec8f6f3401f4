/*
 * setting_read.c - one settings key as Redis answers it (setting_read.h).
 */
#include "io/mirror/setting_read.h"

#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/tick.h"

#define COMPLAINT_SIZE 200
#define QUOTED_SIZE (COMPLAINT_SIZE * 2)

static uint64_t key_hash(const struct complaints *c, enum setting_kind kind, const char *name, size_t len)
{
	return complaints_hash(c, (uint64_t)kind + 1, name, len);
}

static void setting_read_complain(struct complaints *c, enum setting_kind kind, const char *name, const char *text)
{
	char quoted[QUOTED_SIZE], key[QUOTED_SIZE];

	if (complaints_may_log(c))
		log_warn("event=setting_bad kind=%s name=%s why=%s", names_name(setting_kind_names, (int)kind),
			 log_quote(key, sizeof(key), name, strlen(name)),
			 log_quote(quoted, sizeof(quoted), text, strlen(text)));
}

void setting_read_strictly(struct setting *out, enum setting_kind kind)
{
	static const char *const demands[] = {"mode", NULL}, *const weakens[] = {"dane", "sts", "plaintext", NULL};
	char text[COMPLAINT_SIZE];

	for (const char *const *field = kind == SETTING_EXCEPT ? weakens : demands; *field; field++)
		setting_field(out, kind, *field, strlen(*field), "?", 1, text, sizeof(text));
}

/* Reads all fields. LOG: says what is wrong with them. The number of faulty ones is returned. */
static unsigned read_fields(struct setting *out, enum setting_kind kind, const char *name, struct redis_list pairs,
			    struct complaints *log)
{
	struct redis_text field, value;
	char text[COMPLAINT_SIZE];
	unsigned faulty = 0;

	setting_init(out);
	while (redis_pair_next(&pairs, &field, &value)) {
		if (setting_field(out, kind, field.text, field.len, value.text, value.len, text, sizeof(text)))
			continue;
		faulty++;
		if (log)
			setting_read_complain(log, kind, name, text);
	}
	return faulty;
}

/* The order of a large hash's fields is Redis's affair. */
static uint64_t content_hash(const struct complaints *c, struct redis_list pairs)
{
	struct redis_text field, value;
	uint64_t hash = 1;

	while (redis_pair_next(&pairs, &field, &value))
		hash += complaints_hash(c, complaints_hash(c, 2, field.text, field.len), value.text, value.len);
	return hash;
}

static enum setting_read read_hash(struct setting *out, enum setting_kind kind, const char *name,
				   const struct redis_list *pairs, struct complaints *c, unsigned long *bad)
{
	uint64_t key = key_hash(c, kind, name, strlen(name));
	struct setting again;
	unsigned faulty;

	if (pairs->left == 0) {
		complaints_forget(c, key);
		return SETTING_READ_NONE;
	}
	faulty = read_fields(out, kind, name, *pairs, NULL);
	if (faulty == 0) {
		complaints_forget(c, key);
	} else if (complaints_news(c, key, content_hash(c, *pairs))) {
		read_fields(&again, kind, name, *pairs, c);
		*bad += faulty;
	}
	return SETTING_READ_OK;
}

enum setting_read setting_read(struct setting *out, enum setting_kind kind, const char *name,
			       const struct redis_reply *reply, struct complaints *c, unsigned long *bad)
{
	struct redis_list pairs;

	setting_init(out);
	if (redis_reply_pairs(reply, &pairs))
		return read_hash(out, kind, name, &pairs, c, bad);
	if (!redis_reply_is_error(reply, "WRONGTYPE"))
		return SETTING_READ_FAILED;
	setting_read_strictly(out, kind);
	if (complaints_news(c, key_hash(c, kind, name, strlen(name)), 0)) {
		setting_read_complain(c, kind, name,
				      kind == SETTING_EXCEPT ? "the key is not a hash: no exception is made"
							     : "the key is not a hash: read as mode enforced");
		++*bad;
	}
	return SETTING_READ_OK;
}

/* Redis takes ends that no clock reaches: those are none. */
enum setting_read setting_read_end(struct setting *out, const struct redis_reply *reply)
{
	int64_t now = tick_wall_ms(), pttl;

	if (!redis_reply_integer(reply, &pttl) || pttl < -2)
		return SETTING_READ_FAILED;
	out->ends_at_ms = pttl < 0 || pttl > INT64_MAX - now ? 0 : now + pttl;
	return pttl == -2 ? SETTING_READ_NONE : SETTING_READ_OK;
}

bool setting_read_name(char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw, size_t len,
		       struct complaints *c, unsigned long *bad)
{
	char quoted[QUOTED_SIZE];
	const char *why = "";
	bool valid = setting_name_canon(out, kind, raw, len, &why);

	if (valid && strlen(out) == len && memcmp(out, raw, len) == 0)
		return true;
	if (!complaints_news(c, key_hash(c, kind, raw, len) + 1, 0))
		return false;
	++*bad;
	if (!complaints_may_log(c))
		return false;
	log_quote(quoted, sizeof(quoted), raw, len);
	if (valid)
		log_warn(
		    "event=setting_ignored kind=%s name=%s why=\"not in the canonical form\" do=\"write it as %s\"",
		    names_name(setting_kind_names, (int)kind), quoted, out);
	else
		log_warn("event=setting_ignored kind=%s name=%s why=\"%s\"", names_name(setting_kind_names, (int)kind),
			 quoted, why);
	return false;
}
