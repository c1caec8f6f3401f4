/*
 * conf_same.c - are two parts of the configuration the same? A reload leaves alone what is (conf.h).
 */
#include <string.h>

#include "io/conf/conf.h"

bool conf_list_same(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (strcmp(a->item[i], b->item[i]) != 0)
			return false;
	return a->count == b->count;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool conf_redis_same(const struct conf_redis *a, const struct conf_redis *b)
{
	return same_text(a->address, b->address) && same_text(a->prefix, b->prefix) &&
	       same_text(a->username, b->username) && same_text(a->password, b->password) &&
	       a->database == b->database && a->tls == b->tls && same_text(a->tls_ca_file, b->tls_ca_file) &&
	       same_text(a->tls_cert_file, b->tls_cert_file) && same_text(a->tls_key_file, b->tls_key_file) &&
	       same_text(a->tls_name, b->tls_name) && conf_list_same(&a->sentinels, &b->sentinels) &&
	       same_text(a->master, b->master);
}
