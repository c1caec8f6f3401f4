/*
 * main.c - tlsmode-mapd: options, the order of the start, signals, and the end.
 *
 * Start: configuration, sockets bound (as root), account dropped, background, then settings, DNS and HTTPS; connections
 * are taken once Redis is there (until all settings are known those of each question are read for it, map_early.c) or
 * is found to be away. Exit codes of sysexits(3): 64 usage, 71 the system, 78 configuration; each with one sentence on
 * standard error.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "core/domain.h"
#include "core/explain.h"
#include "core/rkeys.h"
#include "io/dns/dns_ub.h"
#include "io/event_log.h"
#include "io/https/https_curl.h"
#include "io/proc.h"
#include "io/redis/redis.h"
#include "mapd/serve/http.h"
#include "mapd/serve/listeners.h"
#include "mapd/maps/map_early.h"
#include "mapd/mapd.h"
#include "mapd/maps/maps.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/reload.h"
#include "mapd/serve/server.h"
#include "mapd/maps/verdict_cache.h"
#include "mapd/maps/verdicts.h"

#define SETTLE_S 2      /* the settings are waited for so long at most */
#define DRAIN_EXTRA_S 2 /* beyond the deadline of a look-up */

static struct mapd mapd; /* one per process; passed on as a pointer everywhere */

static void die(struct mapd *m, int code, const char *reason)
{
	log_tell("tlsmode-mapd", reason);
	if (m->conf && m->conf->log.target == LOG_TO_SYSLOG)
		log_error("event=start_failed reason=\"%s\"", reason);
	listeners_free(&m->listeners);
	exit(code);
}

static void die_of_conf(struct mapd *m, char *error, size_t size)
{
	conf_blame(m->conf, error, size);
	die(m, EX_CONFIG, error);
}

/* ---- what changes under us ---- */

static void on_setting(enum setting_kind kind, const char *name, void *arg)
{
	if (kind != SETTING_SENDER)
		verdicts_setting_changed(arg, name);
}

static void on_all(void *arg)
{
	struct mapd *m = arg;

	verdict_cache_drop_all(m->cache);
}

static void on_fact(int rkey_kind, const char *name, void *arg)
{
	struct mapd *m = arg;

	if (m->resolver)
		resolve_fact_changed(m->resolver, rkey_kind, name); /* on_facts() follows where something differs */
	if (!name)
		verdict_cache_drop_all(m->cache);
}

static void main_on_facts(const char *nexthop_key, const struct facts *facts, void *arg)
{
	struct mapd *m = arg;

	(void)facts;
	verdict_cache_drop(m->cache, nexthop_key);
}

/* ---- start ---- */

static void serve(struct mapd *m)
{
	if (m->serving || m->stopping)
		return;
	m->serving = true;
	listeners_serve(m->listeners, m->base);
	log_info("event=serving listeners=%zu settings=%s", listeners_count(m->listeners),
		 names_name(mirror_state_names, (int)mirror_state(m->mirror)));
	proc_ready();
}

static void on_reading(void *arg)
{
	serve(arg);
}

static void on_settled(void *arg)
{
	serve(arg);
}

static void on_settle_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve(arg);
}

static void take_connection(int fd, void *arg)
{
	struct mapd *m = arg;

	server_add(m->server, fd);
}

/* What needs root, and what must be refused before anything is served. */
static void open_sockets(struct mapd *m)
{
	char error[1024];

	reload_limits(m);
	m->listeners = listeners_new(take_connection, m);
	if (!listeners_prepare(m->listeners, &m->conf->mapd, error, sizeof(error)))
		die(m, EX_OSERR, error);
	listeners_commit(m->listeners);
	if (m->conf->metrics_listen[0] && !(m->http = reload_http(m, m->conf, error, sizeof(error))))
		die(m, EX_OSERR, error);
	if (!proc_drop(m->conf->user, m->conf->mapd.socket_group, error, sizeof(error)))
		die(m, EX_OSERR, error);
}

static void start_parts(struct mapd *m)
{
	const struct mirror_events events = {on_setting, on_all, on_fact, on_reading, on_settled};
	struct resolver_env env;
	char error[1024];

	m->server = server_new(m->base, &server_default_limits, maps_request, m);
	server_set_ahead(m->server, maps_ahead);
	m->early = map_early_new(m);
	m->cache = verdict_cache_new(m->conf->mapd.cache_entries);
	m->refusals = refusal_memory_new(1);
	m->mirror = mirror_new(m->base, m->conf, "mapd", &events, m);
	reload_limits(m);
	m->dns_since = m->https_since = time(NULL);
	m->dns = dns_new(m->base, &m->conf->dns, error, sizeof(error));
	if (!m->dns)
		die_of_conf(m, error, sizeof(error));
	m->https = https_new(m->base, &m->conf->sts, error, sizeof(error));
	if (!m->https)
		die_of_conf(m, error, sizeof(error));
	env = (struct resolver_env){m->base, m->conf, m->dns, m->https, mirror_redis(m->mirror), main_on_facts, m};
	m->resolver = resolver_new(&env);
	if (m->http)
		http_serve(m->http, m->base);
}

/* ---- the end ---- */

static void end_loop(void *arg)
{
	struct mapd *m = arg;

	event_base_loopbreak(m->base);
}

static void on_drain_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_warn("event=stop_forced reason=\"answers were still awaited at the deadline\"");
	end_loop(arg);
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct mapd *m = arg;
	const struct timeval limit = {(time_t)m->conf->mapd.deadline_s + DRAIN_EXTRA_S, 0};

	(void)what;
	if (m->stopping)
		return;
	m->stopping = true;
	log_info("event=stopping signal=%d", (int)sig);
	listeners_close(m->listeners);
	event_base_once(m->base, -1, EV_TIMEOUT, on_drain_timeout, m, &limit);
	server_drain(m->server, end_loop, m);
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct mapd *m = arg;

	(void)sig;
	(void)what;
	if (!m->stopping)
		reload(m);
}

static void free_parts(struct mapd *m)
{
	listeners_free(&m->listeners);
	server_free(&m->server); /* before the resolver, for which its requests wait */
	map_early_free(&m->early);
	resolver_free(&m->resolver);
	http_free(&m->http);
	mirror_free(&m->mirror);
	verdict_cache_free(&m->cache);
	refusal_memory_free(&m->refusals);
}

static void run(struct mapd *m)
{
	static const struct timeval settle = {SETTLE_S, 0};
	struct event *events[] = {
	    evsignal_new(m->base, SIGTERM, on_stop, m),
	    evsignal_new(m->base, SIGINT, on_stop, m),
	    evsignal_new(m->base, SIGHUP, on_hup, m),
	};
	struct event *timer = evtimer_new(m->base, on_settle_timeout, m);

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		event_add(events[i], NULL);
	event_add(timer, &settle);
	event_base_dispatch(m->base);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		event_free(events[i]);
	event_free(timer);
	free_parts(m);
	event_base_free(m->base);
	libevent_global_shutdown();
	log_info("event=stopped");
	conf_free(&m->conf);
}

/* ---- options ---- */

static void put_text(const char *text, void *arg)
{
	fputs(text, arg);
}

static void usage(FILE *to)
{
	fputs("usage: tlsmode-mapd [-c FILE] [-f] [-t] [-v]\n"
	      "       tlsmode-mapd -V | --print-sample-config\n",
	      to);
}

/* What only the libraries can judge: whether they take the trust anchor, the root hints and the CA file. */
static bool try_out(const struct conf *conf, char *error, size_t size)
{
	struct event_base *base = event_base_new();
	struct dns *dns = dns_new(base, &conf->dns, error, size);
	struct https *https = dns ? https_new(base, &conf->sts, error, size) : NULL;
	bool ok = https;

	if (!ok)
		conf_blame(conf, error, size);
	https_free(&https);
	dns_free(&dns);
	event_base_free(base);
	return ok;
}

static int test_configuration(const struct mapd *m)
{
	char error[1024];
	struct conf *conf = conf_load(m->conf_file, CONF_FOR_MAPD, error, sizeof(error));
	/* the daemon reads those files as its account, and so they are tried */
	bool ok = conf && proc_drop(conf->user, "", error, sizeof(error)) && try_out(conf, error, sizeof(error));

	if (ok)
		puts("configuration ok");
	else
		fprintf(stderr, "%s\n", error);
	conf_free(&conf);
	return ok ? EX_OK : EX_CONFIG;
}

static int main_start(struct mapd *m)
{
	char error[1024];

	if (!log_hold())
		die(m, EX_OSERR, "no memory for the log");
	m->conf = reload_conf(m, error, sizeof(error));
	if (!m->conf)
		die(m, EX_CONFIG, error);
	reload_log(m, m->conf);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* until the loop takes it: a reload that comes too early must not end us */
	open_sockets(m);
	if (!m->foreground)
		proc_background();
	if (!log_background()) /* after the fork: the loop waits for no disk and no syslogd */
		die(m, EX_OSERR, "no thread for the log can be had");
	event_log_take();
	m->started_ms = tick_mono_ms();
	m->base = event_base_new();
	if (!m->base)
		die(m, EX_OSERR, "no event loop can be had");
	start_parts(m);
	run(m);
	return EX_OK;
}

static proc_library_fn *const libraries[] = {redis_library,   dns_library,  https_library, domain_library,
					     explain_library, conf_library, NULL};

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"print-sample-config", no_argument, NULL, 's'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {NULL, 0, NULL, 0}};
	bool test = false;
	int opt;

	mapd.conf_file = CONF_DEFAULT_FILE;
	while ((opt = getopt_long(argc, argv, "c:fthvV", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			mapd.conf_file = optarg;
			break;
		case 'f':
			mapd.foreground = true;
			break;
		case 't':
			test = true;
			break;
		case 'v':
			mapd.verbose = true;
			break;
		case 'V':
			proc_print_version("tlsmode-mapd", libraries);
			return EX_OK;
		case 'h':
			usage(stdout);
			return EX_OK;
		case 's':
			conf_print_sample(put_text, stdout);
			return EX_OK;
		default:
			usage(stderr);
			return EX_USAGE;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return EX_USAGE;
	}
	return test ? test_configuration(&mapd) : main_start(&mapd);
}
