/*
 * mapd.h - what the parts of tlsmode-mapd have in common: one process, one loop, one thread that owns all of this.
 */
#ifndef TLSMODE_MAPD_MAPD_H
#define TLSMODE_MAPD_MAPD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <event2/event.h>

#include "io/conf/conf.h"
#include "io/dns/dns_ub.h"
#include "io/https/https_curl.h"
#include "io/mirror/mirror.h"
#include "mapd/metrics.h"
#include "base/ratelimit.h"
#include "mapd/maps/reply.h"
#include "mapd/resolve/resolve.h"

struct mapd {
	struct event_base *base;
	const char *conf_file; /* as given; read again on SIGHUP */
	bool verbose;          /* -v */
	bool foreground;       /* -f */
	struct conf *conf;

	struct mirror *mirror;
	struct map_early *early;   /* requests whose settings are being read */
	struct resolver *resolver; /* owns dns and https once it is there */
	struct dns *dns;
	struct https *https;
	time_t dns_since, https_since; /* they were made then, from files as they were */

	struct listeners *listeners;
	struct server *server;
	struct http *http;
	struct verdict_cache *cache;
	struct refusal_memory *refusals;
	struct metrics metrics;
	struct reply reply; /* the answer being made */
	struct ratelimit unknown_map_lines;
	struct ratelimit_names exception_lines, temp_lines;
	int64_t crowd_noted_ms; /* verdicts.c: last line about one name's too many variants */

	int64_t started_ms; /* monotonic */
	bool serving;
	bool stopping;
};

#endif
