/*
 * metrics.h - what tlsmode-mapd counts: one table for /metrics and for the status map.
 *
 * Counters are added to where things happen; gauges and what other parts count themselves are read by metrics_gather().
 * A new counter is a line in enum metric and a row in metrics.c.
 */
#ifndef TLSMODE_MAPD_METRICS_H
#define TLSMODE_MAPD_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/sockmap.h"

struct mapd;
struct evbuffer;

enum map_id {
	MAP_OPPORTUNISTIC,
	MAP_ENFORCED,
	MAP_VERIFIED,
	MAP_OPPORTUNISTIC_TLSRPT,
	MAP_ENFORCED_TLSRPT,
	MAP_VERIFIED_TLSRPT,
	MAP_TRANSPORT,
	MAP_REFUSAL,
	MAP_MODE,
	MAP_STS,
	MAP_EXPLAIN,
	MAP_STATUS,
	MAP_UNKNOWN, /* a name that is no map's */
	MAP_IDS
};

enum metric {
	METRIC_UPTIME,
	METRIC_CLIENTS,
	METRIC_WAITING,
	METRIC_ACCEPTED,
	METRIC_CLIENTS_REFUSED,
	METRIC_MALFORMED,
	METRIC_STALLED,
	METRIC_CACHE_HITS,
	METRIC_CACHE_MISSES,
	METRIC_CACHE_ENTRIES,
	METRIC_CACHE_BYTES,
	METRIC_CACHE_EVICTED,
	METRIC_JOBS,
	METRIC_JOBS_STARTED,
	METRIC_JOBS_REFUSED,
	METRIC_JOBS_TIMED_OUT,
	METRIC_FACTS_UNREAD,
	METRIC_JOBS_GIVEN_UP,
	METRIC_KNOWN,
	METRIC_KNOWN_BYTES,
	METRIC_KNOWN_EVICTED,
	METRIC_POLICIES,
	METRIC_FETCHES,
	METRIC_FETCHES_OK,
	METRIC_FETCHES_FAILED,
	METRIC_REFRESHED,
	METRIC_POLICIES_WEAKENED,
	METRIC_DNS_PENDING,
	METRIC_HTTPS_PENDING,
	METRIC_REDIS_UP,
	METRIC_REDIS_RECONNECTS,
	METRIC_SETTINGS_UNKNOWN, /* these four in the order of enum mirror_state */
	METRIC_SETTINGS_LIVE,
	METRIC_SETTINGS_STALE,
	METRIC_SETTINGS_HELD,
	METRIC_SETTINGS,
	METRIC_SETTINGS_HELD_KEYS,
	METRIC_SETTINGS_BAD,
	METRIC_SETTINGS_RELOADS,
	METRIC_SETTINGS_LOADED_AT,
	METRIC_EXCEPTIONS_WITHOUT_END,
	METRIC_SNAPSHOT_AGE,
	METRIC_SNAPSHOT_BEHIND,
	METRIC_EXCEPT_DANE_USED, /* these three in the order of their reasons in decide.h */
	METRIC_EXCEPT_STS_USED,
	METRIC_EXCEPT_PLAINTEXT_USED,
	METRIC_VERDICTS_TEMP,
	METRIC_REFUSALS,
	METRIC_REFUSAL_HOSTS,
	METRIC_CONF_RELOADS,
	METRIC_CONF_RELOADS_FAILED,
	METRIC_LOG_DROPPED,
	METRICS
};

#define METRIC_BUCKETS 12

struct metrics {
	uint64_t value[METRICS];
	uint64_t requests[MAP_IDS][SOCKMAP_TEMP + 1];
	uint64_t bucket[METRIC_BUCKETS + 1]; /* answers that were waited for, by how long; the last: longer */
	uint64_t waited_ms;                  /* sum of them */
};

extern const char *const metrics_map_names[MAP_IDS];

const char *metric_json_name(enum metric metric);

/* An answer that was waited for came after MS. */
void metrics_waited(struct metrics *metrics, int64_t ms);

/* Reads into M->metrics what other parts know. */
void metrics_gather(struct mapd *m);

/* Prometheus text, after metrics_gather(). */
void metrics_format(const struct metrics *metrics, struct evbuffer *out);

#endif
