/*
 * reload.c - see reload.h.
 */
#include "mapd/reload.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/proc.h"
#include "mapd/http.h"
#include "mapd/listeners.h"
#include "mapd/mapd.h"
#include "mapd/server.h"
#include "mapd/verdict_cache.h"

/* What a new configuration needs before it can be taken. */
struct parts {
	struct conf *conf;
	struct http *http; /* the present one when it stays */
	struct dns *dns;
	struct https *https;
};

struct conf *reload_conf(const struct mapd *m, char *error, size_t size)
{
	return conf_load(m->conf_file, CONF_FOR_MAPD | (m->foreground ? 0 : CONF_USE_SYSLOG), error, size);
}

void reload_log(const struct mapd *m, const struct conf *conf)
{
	log_open("tlsmode-mapd", conf->log.target, m->verbose ? LOG_LVL_DEBUG : conf->log.level);
}

static bool changed_since(const char *file, time_t when)
{
	struct stat st;

	return file[0] && (stat(file, &st) != 0 || st.st_mtime >= when);
}

/* A resolver that is made anew begins with empty caches: only when it must be. */
static bool same_dns(const struct mapd *m, const struct conf_dns *a, const struct conf_dns *b)
{
	return conf_list_same(&a->forward, &b->forward) && strcmp(a->root_hints, b->root_hints) == 0 &&
	       strcmp(a->trust_anchor, b->trust_anchor) == 0 && a->timeout_s == b->timeout_s &&
	       a->threads == b->threads && !changed_since(b->trust_anchor, m->dns_since) &&
	       !changed_since(b->root_hints, m->dns_since);
}

static bool same_sts(const struct mapd *m, const struct conf_sts *a, const struct conf_sts *b)
{
	return strcmp(a->ca_file, b->ca_file) == 0 && a->allow_private == b->allow_private &&
	       a->timeout_s == b->timeout_s && !changed_since(b->ca_file, m->https_since);
}

static void parts_drop(struct mapd *m, struct parts *p)
{
	if (p->http != m->http)
		http_free(&p->http);
	if (p->dns && p->dns != m->dns)
		dns_free(&p->dns);
	if (p->https && p->https != m->https)
		https_free(&p->https);
	conf_free(&p->conf);
}

static bool open_http(struct mapd *m, struct parts *p, char *error, size_t size)
{
	const char *listen = p->conf->metrics_listen;

	if (m->http && strcmp(http_listen(m->http), listen) == 0)
		p->http = m->http;
	else if (listen[0])
		p->http = http_new(m, listen, error, size);
	return p->http || !listen[0];
}

/* Everything that can fail. False: ERROR, and nothing has changed. */
static bool parts_make(struct mapd *m, struct parts *p, char *error, size_t size)
{
	memset(p, 0, sizeof(*p));
	p->conf = reload_conf(m, error, size);
	if (!p->conf)
		return false;
	p->dns = same_dns(m, &m->conf->dns, &p->conf->dns) ? m->dns : dns_new(m->base, &p->conf->dns, error, size);
	if (p->dns)
		p->https = same_sts(m, &m->conf->sts, &p->conf->sts) ? m->https
								     : https_new(m->base, &p->conf->sts, error, size);
	if (!p->https)
		conf_blame(p->conf, error, size);
	else if (open_http(m, p, error, size) && listeners_prepare(m->listeners, &p->conf->mapd, error, size))
		return true;
	parts_drop(m, p);
	return false;
}

static void take_http(struct mapd *m, struct http *http)
{
	if (http == m->http)
		return;
	http_free(&m->http);
	m->http = http;
	if (http)
		http_serve(http, m->base);
}

static void take(struct mapd *m, const struct parts *p)
{
	struct conf *old = m->conf;

	if (strcmp(old->user, p->conf->user) != 0)
		log_warn("event=reload_partly option=user reason=\"takes effect with a restart\"");
	m->conf = p->conf;
	reload_log(m, m->conf);
	listeners_commit(m->listeners);
	take_http(m, p->http);
	resolver_reconf(m->resolver, m->conf, p->dns, p->https);
	if (p->dns != m->dns)
		m->dns_since = time(NULL);
	if (p->https != m->https)
		m->https_since = time(NULL);
	m->dns = p->dns;
	m->https = p->https;
	mirror_reconf(m->mirror, m->conf);
	proc_files(m->conf->mapd.max_clients + MAPD_SPARE_FILES);
	server_set_max_clients(m->server, m->conf->mapd.max_clients);
	verdict_cache_resize(m->cache, m->conf->mapd.cache_entries);
	verdict_cache_drop_all(m->cache);
	conf_free(&old);
}

void reload(struct mapd *m)
{
	int64_t begun_ms = tick_mono_ms();
	char error[1024];
	struct parts parts;

	if (!parts_make(m, &parts, error, sizeof(error))) {
		m->metrics.value[METRIC_CONF_RELOADS_FAILED]++;
		log_error("event=reload_failed reason=\"%s\"", error);
		return;
	}
	take(m, &parts);
	m->metrics.value[METRIC_CONF_RELOADS]++;
	log_info("event=reloaded conf=%s listeners=%zu ms=%lld", m->conf->file, listeners_count(m->listeners),
		 (long long)(tick_mono_ms() - begun_ms));
}
