/*
 * reload.c - see reload.h.
 */
#include "mapd/reload.h"

#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/proc.h"
#include "mapd/serve/http.h"
#include "mapd/serve/listeners.h"
#include "mapd/mapd.h"
#include "mapd/http_pages.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/serve/server.h"
#include "mapd/maps/verdict_cache.h"

#define FETCH_FILES 6     /* for each of sts.max_fetches: three transfers with two address families */
#define OTHER_FILES 2400  /* libunbound's, Redis, metrics, listeners */
#define CLIENT_SHARE 256  /* of mapd.max_output for one connection */
#define REFUSAL_SHARE 5   /* answers in the cache for each MX host that is remembered */
#define REDIS_EACH 10     /* commands for each job: Redis does not keep up when more of them wait */
#define REDIS_OTHERS 4000 /* the mirror's */

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

static void limit_server(struct mapd *m)
{
	struct server_limits limits = server_default_limits;

	limits.max_clients = m->conf->mapd.max_clients;
	limits.max_asks = m->conf->mapd.max_pipeline;
	limits.max_unsent = m->conf->mapd.max_output << 20;
	limits.max_output = limits.max_unsent / CLIENT_SHARE;
	server_set_limits(m->server, &limits);
}

void reload_limits(struct mapd *m)
{
	const struct conf *conf = m->conf;

	proc_files(conf->mapd.max_clients + FETCH_FILES * conf->sts.max_fetches + OTHER_FILES);
	if (!m->server)
		return; /* sockets are opened first */
	limit_server(m);
	verdict_cache_resize(m->cache, conf->mapd.cache_entries);
	refusal_memory_resize(m->refusals, conf->mapd.cache_entries / REFUSAL_SHARE + 1);
	redis_set_busy(mirror_redis(m->mirror), REDIS_EACH * conf->mapd.max_jobs + REDIS_OTHERS);
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
	       a->threads == b->threads && a->cache_mb == b->cache_mb &&
	       !changed_since(b->trust_anchor, m->dns_since) && !changed_since(b->root_hints, m->dns_since);
}

static bool same_sts(const struct mapd *m, const struct conf_sts *a, const struct conf_sts *b)
{
	return strcmp(a->ca_file, b->ca_file) == 0 && a->allow_private == b->allow_private &&
	       a->timeout_s == b->timeout_s && a->max_fetches == b->max_fetches &&
	       !changed_since(b->ca_file, m->https_since);
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

struct http *reload_http(struct mapd *m, const struct conf *conf, char *error, size_t size)
{
	return http_new(conf->metrics_listen, conf->mapd.socket_mode, http_pages_show, m, error, size);
}

static bool open_http(struct mapd *m, struct parts *p, char *error, size_t size)
{
	const char *listen = p->conf->metrics_listen;

	if (m->http && strcmp(http_listen(m->http), listen) == 0)
		p->http = m->http;
	else if (listen[0])
		p->http = reload_http(m, p->conf, error, size);
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

static void reload_take(struct mapd *m, const struct parts *p)
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
	reload_limits(m);
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
	reload_take(m, &parts);
	m->metrics.value[METRIC_CONF_RELOADS]++;
	log_info("event=reloaded conf=%s listeners=%zu ms=%lld", m->conf->file, listeners_count(m->listeners),
		 (long long)(tick_mono_ms() - begun_ms));
}
