/*
 * conf_outside.c - what must be there outside of tlsmode.conf: readable files, the account, groups; and the Redis
 * password.
 *
 * Only what the caller uses is looked at. Called by conf.c.
 */
#include "io/conf/conf_table.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "io/regular.h"

#define PASSWORD_MAX 512

static bool file_readable(const char *path, char *reason, size_t size)
{
	const char *why;
	FILE *f = regular_open(path, &why);

	if (!f) {
		snprintf(reason, size, "cannot read %s: %s", path, why);
		return false;
	}
	fclose(f);
	return true;
}

static bool any_unix(const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->item[i], "unix:", 5) == 0)
			return true;
	return false;
}

static bool group_needed(const struct conf *conf, const struct conf_option *o)
{
	if (o->use == CONF_USE_MAPD)
		return any_unix(&conf->mapd.listen);
	return strncmp(conf->milter.listen, "unix:", 5) == 0;
}

static bool outside_is_there(const struct conf *conf, const struct conf_option *o, const char *value, char *reason,
			     size_t size)
{
	switch (o->outside) {
	case OUTSIDE_FILE:
		return file_readable(value, reason, size);
	case OUTSIDE_USER:
		if (geteuid() != 0 || getpwnam(value))
			return true;
		snprintf(reason, size, "no such account: %s", value);
		return false;
	case OUTSIDE_GROUP:
		if (!group_needed(conf, o) || getgrnam(value))
			return true;
		snprintf(reason, size, "no such group: %s", value);
		return false;
	case OUTSIDE_NOTHING:
		break;
	}
	return true;
}

/* One line; the newline at its end is not part of it. */
static bool read_password(struct conf_redis *r, char *reason, size_t size)
{
	char text[PASSWORD_MAX + 2];
	const char *why;
	FILE *f = regular_open(r->password_file, &why);
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[len] = '\0';
	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		text[--len] = '\0';
	if (len == 0 || len > PASSWORD_MAX || strlen(text) != len || strchr(text, '\n')) {
		snprintf(reason, size, "%s must hold the password on one line (1 to %d octets)", r->password_file,
			 PASSWORD_MAX);
		return false;
	}
	free(r->password);
	r->password = xstrdup(text);
	explicit_bzero(text, sizeof(text));
	return true;
}

const struct conf_option *conf_check_outside(struct conf *conf, unsigned uses, char *reason, size_t size)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		const char *value;
		size_t len;

		if (o->outside == OUTSIDE_NOTHING || (uses & o->use) == 0)
			continue;
		value = *(char **)((char *)conf + o->offset);
		if (*value == '\0' || outside_is_there(conf, o, value, reason, size))
			continue;
		len = strlen(reason);
		if (o->hint && len < size)
			snprintf(reason + len, size - len, " (%s)", o->hint);
		return o;
	}
	if ((uses & CONF_USE_SYSLOG) != 0 && conf->log.target == LOG_TO_STDERR) {
		snprintf(reason, size, "\"stderr\" needs -f: a daemon in the background has no standard error");
		return conf_option_find("log", "target");
	}
	if ((uses & CONF_USE_REDIS) != 0 && *conf->redis.password_file != '\0' &&
	    !read_password(&conf->redis, reason, size))
		return conf_option_find("redis", "password_file");
	return NULL;
}
