/*
 * conf_together.c - values of tlsmode.conf that need each other, and what this build does not do. Called by conf.c.
 */
#include "config.h"

#include "io/conf/conf_table.h"

#include <stdio.h>
#include <string.h>

static const struct conf_option *at_fault(const char *section, const char *name, char *reason, size_t size,
					  const char *text)
{
	snprintf(reason, size, "%s", text);
	return conf_option_find(section, name);
}

#ifdef HAVE_HIREDIS_SSL
#define NO_REDIS_TLS NULL
#else
#define NO_REDIS_TLS                                                                                                   \
	"this build has no TLS to Redis: it was made without hiredis_ssl (Debian 13 has it); use a unix socket or a "  \
	"local tunnel"
#endif

static const struct conf_option *check_redis_together(const struct conf_redis *r, char *reason, size_t size)
{
	const struct {
		const char *name, *value;
	} only_tls[] = {{"tls_ca_file", r->tls_ca_file},
			{"tls_cert_file", r->tls_cert_file},
			{"tls_key_file", r->tls_key_file},
			{"tls_name", r->tls_name}};

	if (r->tls && NO_REDIS_TLS)
		return at_fault("redis", "tls", reason, size, NO_REDIS_TLS);
	for (size_t i = 0; !r->tls && i < sizeof(only_tls) / sizeof(only_tls[0]); i++)
		if (*only_tls[i].value != '\0')
			return at_fault("redis", only_tls[i].name, reason, size, "is used with redis.tls = true only");
	if ((*r->tls_cert_file != '\0') != (*r->tls_key_file != '\0'))
		return at_fault("redis", "tls_cert_file", reason, size,
				"tls_cert_file and tls_key_file need each other");
	if (r->sentinels.count > 0 && *r->master == '\0')
		return at_fault("redis", "sentinels", reason, size,
				"redis.master must say which master: the name in the sentinels' \"sentinel monitor\"");
	if (r->sentinels.count == 0 && *r->master != '\0')
		return at_fault("redis", "master", reason, size, "is used with redis.sentinels only");
	return NULL;
}

static bool names_fit(const struct conf_list *names)
{
	size_t len = 2; /* a blank before the first, NUL after the last */

	for (size_t i = 0; i < names->count; i++)
		len += strlen(names->item[i]) + 1;
	return len <= CONF_NAMES_SIZE;
}

static const struct conf_option *check_milter_together(const struct conf_milter *m, char *reason, size_t size)
{
	const struct conf_list *strict = &m->strict_transports;

	if (m->identity == 0)
		return at_fault("milter", "identity", reason, size, "at least one identity is needed");
	if (!names_fit(&m->local_transports))
		return at_fault("milter", "local_transports", reason, size, "too many names: 510 octets at most");
	if (!names_fit(strict))
		return at_fault("milter", "strict_transports", reason, size, "too many names: 510 octets at most");
	if (m->on_escape == ACTION_ACCEPT)
		return NULL;
	if (m->on_mismatch == ACTION_FILTER)
		return at_fault("milter", "on_escape", reason, size,
				"only \"accept\" goes with on_mismatch = \"filter\": the tag routes the mail then, "
				"not the recipient's transport");
	for (size_t i = 0; i < strict->count; i++)
		if (strcmp(strict->item[i], "*") == 0)
			return at_fault("milter", "on_escape", reason, size,
					"only \"accept\" goes with strict_transports = {\"*\"}: nothing escapes then");
	return NULL;
}

const struct conf_option *conf_check_together(const struct conf *conf, char *reason, size_t size)
{
	const struct conf_option *o = check_redis_together(&conf->redis, reason, size);

	if (o)
		return o;
	if (conf->mapd.listen.count == 0)
		return at_fault("mapd", "listen", reason, size, "at least one socket is needed");
	return check_milter_together(&conf->milter, reason, size);
}
