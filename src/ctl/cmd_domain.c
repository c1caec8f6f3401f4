/*
 * cmd_domain.c - tlsmode domain list, get, set, unset: checked settings in Redis.
 *
 * What is written here is what redis-cli HSET would write, after the checks the daemons make when they read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "ctl/commands.h"
#include "ctl/duration.h"
#include "ctl/key_scan.h"
#include "ctl/setting_key.h"
#include "ctl/table.h"
#include "io/redis/redis_advice.h"

#define FIELDS_MAX 16

static const char *const columns[SETTING_KINDS][TABLE_COLUMNS_MAX - 3] = {
    [SETTING_SENDER] = {"mode", "via", "note"},
    [SETTING_RCPT] = {"mode", "match", "note"},
    [SETTING_EXCEPT] = {"dane", "sts", "plaintext", "for", "note"},
};

static void add_heading(struct table *t, enum setting_kind kind)
{
	size_t n = 0;
	char upper[16];

	while (n < TABLE_COLUMNS_MAX - 3 && columns[kind][n])
		n++;
	table_init(t, n + 3);
	table_add(t, kind == SETTING_SENDER ? "SENDER DOMAIN" : "DESTINATION");
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		for (; columns[kind][i][j] != '\0'; j++)
			upper[j] = (char)(columns[kind][i][j] - ('a' - 'A'));
		upper[j] = '\0';
		table_add(t, upper);
	}
	table_add(t, "ENDS IN");
	table_add(t, "WARNINGS");
}

static void add_row(struct table *t, enum setting_kind kind, const struct setting_key *k)
{
	char ends[40];
	char text[120];

	table_add(t, k->name);
	for (size_t i = 0; i < TABLE_COLUMNS_MAX - 3 && columns[kind][i]; i++) {
		const char *value = setting_key_field(k, columns[kind][i]);
		bool strict = strcmp(columns[kind][i], "mode") == 0 && (k->read.bad & SETTING_HAS_MODE) != 0;

		if (strict) {
			snprintf(text, sizeof(text), "%.80s%s(read as enforced)", value ? value : "", value ? " " : "");
			value = text;
		}
		table_add(t, value);
	}
	table_add(t, k->ttl_ms >= 0 ? duration_format(ends, sizeof(ends), k->ttl_ms) : "never");
	if (k->complaints[0] == '\0' && kind == SETTING_EXCEPT && k->ttl_ms < 0)
		table_add(t, "an exception without an end");
	else
		table_add(t, k->complaints);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct name_list {
	size_t count, room;
	char **name;
};

static void list_add(struct name_list *list, const char *name, size_t len)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 256 : list->room * 2;
		list->name = xrealloc(list->name, list->room * sizeof(list->name[0]));
	}
	list->name[list->count++] = xstrndup(name, len);
}

static void list_free(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->name[i]);
	free(list->name);
}

/* A name that no key of ours can have is left out, and said to be. */
static void take_name(struct name_list *list, const char *name, size_t len)
{
	char quoted[200];

	if (memchr(name, '\0', len))
		fprintf(stderr, "tlsmode: warning: no name at all: %s\n", log_quote(quoted, sizeof(quoted), name, len));
	else
		list_add(list, name, len);
}

static void take_page(struct ctl *ctl, struct name_list *list, struct redis_list *keys)
{
	struct redis_text key;

	while (redis_list_next(keys, &key)) {
		const char *name;
		size_t len;
		enum rkey_kind kind = rkeys_parse(ctl->conf->redis.prefix, key.text, key.len, &name, &len);

		if (kind == rkeys_of_setting(ctl->kind))
			take_name(list, name, len);
	}
}

/* All names of the kind asked for, sorted, no name twice. */
static bool scan_names(struct ctl *ctl, struct name_list *list, const char *pattern)
{
	char glob[RKEY_SIZE], why[REDIS_WHY_SIZE];
	struct redis_list keys;
	struct key_scan scan;
	size_t kept = 0;

	if (!ctl_redis(ctl))
		return false;
	setting_key_format(glob, ctl, pattern);
	key_scan_begin(&scan, ctl->redis, glob);
	while (key_scan_next(&scan, &keys, why, sizeof(why)))
		take_page(ctl, list, &keys);
	key_scan_end(&scan);
	if (why[0] != '\0') {
		ctl_error(EX_TEMPFAIL, "Redis: %s", why);
		return false;
	}
	if (list->count > 0)
		qsort(list->name, list->count, sizeof(list->name[0]), compare_names);
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && strcmp(list->name[kept - 1], list->name[i]) == 0)
			free(list->name[i]); /* SCAN may return a key twice */
		else
			list->name[kept++] = list->name[i];
	}
	list->count = kept;
	return true;
}

static int print_keys(struct ctl *ctl, const struct name_list *list)
{
	struct table table;
	json_t *array = json_array();
	struct setting_key k;
	bool ok = true;

	add_heading(&table, ctl->kind);
	for (size_t i = 0; ok && i < list->count; i++) {
		ok = setting_key_read(&k, ctl, list->name[i], strlen(list->name[i]));
		if (ok && k.exists) {
			add_row(&table, ctl->kind, &k);
			json_array_append_new(array, setting_key_json(&k));
		}
		setting_key_fini(&k);
	}
	if (!ok || ctl->json)
		table_drop(&table);
	else
		table_print(&table);
	if (ok && ctl->json)
		ctl_print_json(json_incref(array));
	json_decref(array);
	return ok ? EX_OK : EX_TEMPFAIL;
}

int cmd_domain_list(struct ctl *ctl, int argc, char **args)
{
	struct name_list list = {0};
	int code = EX_TEMPFAIL;

	if (scan_names(ctl, &list, argc > 0 ? args[0] : "*"))
		code = print_keys(ctl, &list);
	list_free(&list);
	return code;
}

/* The canonical name of an argument; false with the error printed. */
static bool canon_name(const struct ctl *ctl, char name[SETTING_NAME_SIZE], const char *raw)
{
	const char *reason;

	if (setting_name_canon(name, ctl->kind, raw, strlen(raw), &reason))
		return true;
	ctl_error(EX_DATAERR, "%s: %s", raw, reason);
	return false;
}

int cmd_domain_get(struct ctl *ctl, int argc, char **args)
{
	char name[SETTING_NAME_SIZE];
	char *one = name;
	struct name_list list = {.count = 1, .name = &one};
	struct setting_key k;
	bool exists;

	(void)argc;
	if (!canon_name(ctl, name, args[0]))
		return EX_DATAERR;
	if (!setting_key_read(&k, ctl, name, strlen(name))) {
		setting_key_fini(&k);
		return EX_TEMPFAIL;
	}
	exists = k.exists;
	setting_key_fini(&k);
	if (!exists && ctl->json) {
		ctl_print_json(json_array());
		return EX_NOTFOUND;
	}
	if (!exists)
		return ctl_error(EX_NOTFOUND, "%s has no %s setting of its own", name,
				 names_name(setting_kind_names, (int)ctl->kind));
	return print_keys(ctl, &list);
}

/* One argument "FIELD=VALUE", or a bare mode, into argv; false with the error printed. The strings are the caller's to
 * free. */
static bool take_assignment(const struct ctl *ctl, struct setting *check, const char *arg, const char **argv, int *argc)
{
	const char *equals = strchr(arg, '=');
	char *field, *value, *read_as;
	char complaint[200];

	if (!equals && names_code(mode_names, arg, strlen(arg)) < 0) {
		ctl_error(EX_DATAERR, "%s: neither a mode (opportunistic, enforced, verified) nor FIELD=VALUE", arg);
		return false;
	}
	field = equals ? xstrndup(arg, (size_t)(equals - arg)) : xstrdup("mode");
	value = xstrdup(equals ? equals + 1 : arg);
	argv[(*argc)++] = field;
	argv[(*argc)++] = value;
	for (int i = 2; i < *argc - 2; i += 2) {
		if (strcmp(argv[i], field) == 0) {
			ctl_error(EX_DATAERR, "%s: %s is given twice; nothing was written", arg, field);
			return false;
		}
	}
	if (setting_field(check, ctl->kind, field, strlen(field), value, strlen(value), complaint, sizeof(complaint)))
		return true;
	/* the words behind the last ": " tell how the daemons would read it */
	if ((read_as = strrchr(complaint, ':')))
		*read_as = '\0';
	ctl_error(EX_DATAERR, "%s; nothing was written", complaint);
	return false;
}

/* Takes the reply to MULTI ("OK"), to what stands in it ("QUEUED"), or (WANTED NULL) to EXEC, of COUNT commands. */
static bool take_written(struct ctl *ctl, const char *key, const char *wanted, size_t count)
{
	const struct redis_reply *culprit;
	struct redis_reply *reply;
	char why[REDIS_WHY_SIZE];
	bool ok;

	if (redisGetReply(ctl->redis, (void **)&reply) != REDIS_OK) {
		ctl_error(EX_TEMPFAIL, "Redis: %s", ctl->redis->errstr);
		return false;
	}
	culprit = reply;
	ok = wanted ? redis_reply_is_status(reply, wanted) : redis_reply_counts(reply, count, &culprit);
	if (!ok) {
		redis_reply_why(why, sizeof(why), NULL, culprit);
		ctl_error(EX_TEMPFAIL, "Redis did not take %s: %s", key, why);
	}
	freeReplyObject(reply);
	return ok;
}

/* HSET and the change of its end take effect together. */
static int write_setting(struct ctl *ctl, const char *key, int argc, const char **argv)
{
	size_t count = 1 + (ctl->ttl_ms > 0 || ctl->no_ttl);
	char ttl[32];
	bool ok;

	if (!ctl_redis(ctl))
		return EX_TEMPFAIL;
	snprintf(ttl, sizeof(ttl), "%lld", (long long)ctl->ttl_ms);
	redisAppendCommand(ctl->redis, "MULTI");
	redisAppendCommandArgv(ctl->redis, argc, argv, NULL);
	if (ctl->ttl_ms > 0)
		redisAppendCommand(ctl->redis, "PEXPIRE %s %s", key, ttl);
	else if (ctl->no_ttl)
		redisAppendCommand(ctl->redis, "PERSIST %s", key);
	redisAppendCommand(ctl->redis, "EXEC");
	ok = take_written(ctl, key, "OK", 0);
	for (size_t i = 0; ok && i < count; i++)
		ok = take_written(ctl, key, "QUEUED", 0);
	return ok && take_written(ctl, key, NULL, count) ? EX_OK : EX_TEMPFAIL;
}

/* HSET leaves the end as it was: a mode that is written over a temporary one is temporary, too. */
static int warn_about_end(struct ctl *ctl, const char *name)
{
	struct setting_key k;
	char ends[40];
	bool ok = setting_key_read(&k, ctl, name, strlen(name));

	if (ok && ctl->kind == SETTING_EXCEPT && k.ttl_ms < 0)
		fprintf(stderr, "tlsmode: warning: the exception for %s has no end; give it one with --ttl\n", name);
	else if (ok && ctl->kind != SETTING_EXCEPT && k.ttl_ms >= 0)
		fprintf(stderr,
			"tlsmode: warning: the setting for %s ends by itself in %s; what holds without it holds then "
			"(--no-ttl lets it stay)\n",
			name, duration_format(ends, sizeof(ends), k.ttl_ms));
	setting_key_fini(&k);
	return ok ? EX_OK : EX_TEMPFAIL;
}

int cmd_domain_set(struct ctl *ctl, int argc, char **args)
{
	char name[SETTING_NAME_SIZE], key[RKEY_SIZE];
	const char *argv[2 + 2 * FIELDS_MAX] = {"HSET", key};
	struct setting check;
	int n = 2;
	int code = EX_OK;

	if (!canon_name(ctl, name, args[0]))
		return EX_DATAERR;
	if (argc - 1 > FIELDS_MAX)
		return ctl_error(EX_USAGE, "at most %d fields at once", FIELDS_MAX);
	setting_key_format(key, ctl, name);
	setting_init(&check);
	for (int i = 1; i < argc && code == EX_OK; i++)
		if (!take_assignment(ctl, &check, args[i], argv, &n))
			code = EX_DATAERR;
	if (code == EX_OK)
		code = write_setting(ctl, key, n, argv);
	for (int i = 2; i < n; i++)
		free((char *)(uintptr_t)argv[i]);
	if (code == EX_OK)
		code = warn_about_end(ctl, name);
	return code == EX_OK && ctl->json ? cmd_domain_get(ctl, 1, args) : code;
}

int cmd_domain_unset(struct ctl *ctl, int argc, char **args)
{
	char name[SETTING_NAME_SIZE], key[RKEY_SIZE];
	const char *argv[2 + FIELDS_MAX] = {argc > 1 ? "HDEL" : "DEL", key};
	int64_t removed;

	if (!canon_name(ctl, name, args[0]))
		return EX_DATAERR;
	if (argc - 1 > FIELDS_MAX)
		return ctl_error(EX_USAGE, "at most %d fields at once", FIELDS_MAX);
	setting_key_format(key, ctl, name);
	for (int i = 1; i < argc; i++)
		argv[1 + i] = args[i];
	if (!ctl_count(ctl, argc + 1, argv, &removed))
		return EX_TEMPFAIL;
	if (ctl->json)
		ctl_print_json(json_pack("{s:s, s:b}", "name", name, "removed", removed > 0));
	else if (removed == 0)
		ctl_error(EX_NOTFOUND, "%s: nothing to remove", name);
	return removed > 0 ? EX_OK : EX_NOTFOUND;
}
