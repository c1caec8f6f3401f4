/*
 * metrics.c - see metrics.h.
 */
#include "mapd/metrics.h"

#include <inttypes.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/log.h"
#include "base/tick.h"
#include "io/dns/dns_ub.h"
#include "io/https/https_curl.h"
#include "mapd/mapd.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/serve/server.h"
#include "mapd/maps/verdict_cache.h"

const char *const metrics_map_names[MAP_IDS] = {
    [MAP_OPPORTUNISTIC] = "opportunistic",
    [MAP_ENFORCED] = "enforced",
    [MAP_VERIFIED] = "verified",
    [MAP_OPPORTUNISTIC_TLSRPT] = "opportunistic-tlsrpt",
    [MAP_ENFORCED_TLSRPT] = "enforced-tlsrpt",
    [MAP_VERIFIED_TLSRPT] = "verified-tlsrpt",
    [MAP_TRANSPORT] = "transport",
    [MAP_REFUSAL] = "refusal",
    [MAP_MODE] = "mode",
    [MAP_STS] = "sts",
    [MAP_EXPLAIN] = "explain",
    [MAP_STATUS] = "status",
    [MAP_UNKNOWN] = "unknown",
};

enum type { COUNTER, GAUGE };

/* NAME goes on after "tlsmode_mapd_"; JSON is the name in the status map. Rows of one name follow one another. */
static const struct row {
	const char *name, *labels;
	enum type type;
	const char *json, *help;
} rows[METRICS] = {
    [METRIC_UPTIME] = {"uptime_seconds", "", GAUGE, "uptime_s", "Time since the start."},
    [METRIC_CLIENTS] = {"clients", "", GAUGE, "clients", "Open socketmap connections."},
    [METRIC_WAITING] = {"requests_waiting", "", GAUGE, "requests_waiting", "Requests that are not answered yet."},
    [METRIC_ACCEPTED] = {"connections_total", "", COUNTER, "connections", "Connections taken."},
    [METRIC_CLIENTS_REFUSED] = {"connections_refused_total", "", COUNTER, "connections_refused",
				"Connections closed at once (max_clients)."},
    [METRIC_MALFORMED] = {"malformed_total", "", COUNTER, "malformed",
			  "Connections ended for bytes that are no request."},
    [METRIC_STALLED] = {"stalled_total", "", COUNTER, "stalled",
			"Connections ended for a request or answers left half done."},
    [METRIC_CACHE_HITS] = {"cache_hits_total", "", COUNTER, "cache_hits", "Policy answers that were ready."},
    [METRIC_CACHE_MISSES] = {"cache_misses_total", "", COUNTER, "cache_misses",
			     "Policy answers that had to be decided."},
    [METRIC_CACHE_ENTRIES] = {"cache_entries", "", GAUGE, "cache_entries", "Next hops with ready answers."},
    [METRIC_CACHE_BYTES] = {"cache_bytes", "", GAUGE, "cache_bytes", "Octets they take."},
    [METRIC_CACHE_EVICTED] = {"cache_evicted_total", "", COUNTER, "cache_evicted",
			      "Next hops that went for want of room."},
    [METRIC_JOBS] = {"jobs", "", GAUGE, "jobs", "Next hops being resolved."},
    [METRIC_JOBS_STARTED] = {"jobs_started_total", "", COUNTER, "jobs_started", "Resolutions begun."},
    [METRIC_JOBS_REFUSED] = {"jobs_refused_total", "", COUNTER, "jobs_refused", "Resolutions not begun (LIMITS)."},
    [METRIC_JOBS_TIMED_OUT] = {"jobs_timed_out_total", "", COUNTER, "jobs_timed_out",
			       "Resolutions decided at their deadline."},
    [METRIC_FACTS_UNREAD] = {"facts_unread_total", "", COUNTER, "facts_unread",
			     "Readings of shared facts that failed while Redis was up."},
    [METRIC_JOBS_GIVEN_UP] = {"jobs_given_up_total", "", COUNTER, "jobs_given_up",
			      "Resolutions in the background that made room for others."},
    [METRIC_KNOWN] = {"facts", "", GAUGE, "facts", "Domains whose facts are at hand."},
    [METRIC_KNOWN_BYTES] = {"facts_bytes", "", GAUGE, "facts_bytes", "Octets they take."},
    [METRIC_KNOWN_EVICTED] = {"facts_evicted_total", "", COUNTER, "facts_evicted",
			      "Domains whose facts went for want of room."},
    [METRIC_POLICIES] = {"policies", "", GAUGE, "policies", "Of them with an MTA-STS policy in force."},
    [METRIC_FETCHES] = {"fetches", "", GAUGE, "fetches", "MTA-STS policies being fetched."},
    [METRIC_FETCHES_OK] = {"fetches_total", "result=\"ok\"", COUNTER, "fetches_ok", "MTA-STS policy fetches."},
    [METRIC_FETCHES_FAILED] = {"fetches_total", "result=\"failed\"", COUNTER, "fetches_failed", ""},
    [METRIC_REFRESHED] = {"policies_refreshed_total", "", COUNTER, "policies_refreshed",
			  "MTA-STS policies fetched anew before their end."},
    [METRIC_POLICIES_WEAKENED] = {"policies_weakened_total", "", COUNTER, "policies_weakened",
				  "MTA-STS policies in force that a fetch replaced by a weaker or different one."},
    [METRIC_DNS_PENDING] = {"dns_pending", "", GAUGE, "dns_pending", "DNS questions on their way."},
    [METRIC_HTTPS_PENDING] = {"https_pending", "", GAUGE, "https_pending", "HTTPS transfers on their way or waiting."},
    [METRIC_REDIS_UP] = {"redis_up", "", GAUGE, "redis_up", "1: both connections to Redis work."},
    [METRIC_REDIS_RECONNECTS] = {"redis_reconnects_total", "", COUNTER, "redis_reconnects",
				 "Times Redis was connected to again."},
    [METRIC_SETTINGS_UNKNOWN] = {"settings_state", "state=\"unknown\"", GAUGE, NULL, "1: the state of the settings."},
    [METRIC_SETTINGS_LIVE] = {"settings_state", "state=\"live\"", GAUGE, NULL, ""},
    [METRIC_SETTINGS_STALE] = {"settings_state", "state=\"stale\"", GAUGE, NULL, ""},
    [METRIC_SETTINGS_HELD] = {"settings_state", "state=\"held\"", GAUGE, NULL, ""},
    [METRIC_SETTINGS] = {"settings", "", GAUGE, "settings", "Settings in force."},
    [METRIC_SETTINGS_HELD_KEYS] = {"settings_held", "", GAUGE, "settings_held", "Of them held since a mass loss."},
    [METRIC_SETTINGS_BAD] = {"settings_bad_values_total", "", COUNTER, "settings_bad_values",
			     "Values nobody understands, read strictly."},
    [METRIC_SETTINGS_RELOADS] = {"settings_reloads_total", "", COUNTER, "settings_reloads",
				 "Times all settings were read."},
    [METRIC_SETTINGS_LOADED_AT] = {"settings_loaded_timestamp_seconds", "", GAUGE, "settings_loaded_at",
				   "When the settings were last exact."},
    [METRIC_EXCEPTIONS_WITHOUT_END] = {"exceptions_without_end", "", GAUGE, "exceptions_without_end",
				       "Exceptions in force that never expire."},
    [METRIC_SNAPSHOT_AGE] = {"snapshot_age_seconds", "", GAUGE, "snapshot_age_s",
			     "Age of the last good copy in the snapshot file."},
    [METRIC_SNAPSHOT_BEHIND] = {"snapshot_behind_seconds", "", GAUGE, "snapshot_behind_s",
				"How long a change of the settings waits to be in it."},
    [METRIC_EXCEPT_DANE_USED] = {"exceptions_used_total", "exception=\"dane\"", COUNTER, "exceptions_used_dane",
				 "Answers that an exception weakened."},
    [METRIC_EXCEPT_STS_USED] = {"exceptions_used_total", "exception=\"sts\"", COUNTER, "exceptions_used_sts", ""},
    [METRIC_EXCEPT_PLAINTEXT_USED] = {"exceptions_used_total", "exception=\"plaintext\"", COUNTER,
				      "exceptions_used_plaintext", ""},
    [METRIC_VERDICTS_TEMP] = {"verdicts_temp_total", "", COUNTER, "verdicts_temp", "Policy verdicts that defer mail."},
    [METRIC_REFUSALS] = {"refusals_total", "", COUNTER, "refusals", "Refusals that were made permanent (5.7.10)."},
    [METRIC_REFUSAL_HOSTS] = {"refusal_hosts", "", GAUGE, "refusal_hosts",
			      "MX hosts whose strict answers are remembered."},
    [METRIC_CONF_RELOADS] = {"conf_reloads_total", "result=\"ok\"", COUNTER, "conf_reloads", "Configuration reloads."},
    [METRIC_CONF_RELOADS_FAILED] = {"conf_reloads_total", "result=\"failed\"", COUNTER, "conf_reloads_failed", ""},
    [METRIC_LOG_DROPPED] = {"log_dropped_total", "", COUNTER, "log_dropped",
			    "Log lines that the target did not take in time."},
};

static const int64_t bucket_ms[METRIC_BUCKETS] = {1, 2, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 10000};
static const char *const bucket_text[METRIC_BUCKETS] = {"0.001", "0.002", "0.005", "0.01", "0.02", "0.05",
							"0.1",   "0.25",  "0.5",   "1",    "2.5",  "10"};

const char *metric_json_name(enum metric metric)
{
	return rows[metric].json;
}

void metrics_waited(struct metrics *metrics, int64_t ms)
{
	size_t i = 0;

	while (i < METRIC_BUCKETS && ms > bucket_ms[i])
		i++;
	metrics->bucket[i]++;
	metrics->waited_ms += (uint64_t)ms;
}

static void gather_settings(struct mapd *m, uint64_t *value)
{
	struct mirror_counts counts;
	struct redis *redis = mirror_redis(m->mirror);
	struct redis_about about;

	mirror_counts(m->mirror, &counts);
	for (int state = MIRROR_UNKNOWN; state <= MIRROR_HELD; state++)
		value[METRIC_SETTINGS_UNKNOWN + state] = mirror_state(m->mirror) == (enum mirror_state)state;
	value[METRIC_SETTINGS] = counts.settings;
	value[METRIC_SETTINGS_HELD_KEYS] = counts.held;
	value[METRIC_SETTINGS_BAD] = counts.bad_values;
	value[METRIC_SETTINGS_RELOADS] = counts.reloads;
	value[METRIC_SETTINGS_LOADED_AT] = (uint64_t)(counts.loaded_at_ms / 1000);
	value[METRIC_EXCEPTIONS_WITHOUT_END] = counts.exceptions_without_end;
	value[METRIC_SNAPSHOT_AGE] = (uint64_t)counts.snapshot_age_ms / 1000;
	value[METRIC_SNAPSHOT_BEHIND] = (uint64_t)counts.snapshot_behind_ms / 1000;
	redis_describe(redis, &about);
	value[METRIC_REDIS_UP] = redis_is_up(redis);
	value[METRIC_REDIS_RECONNECTS] = about.reconnects;
}

static void gather_resolver(struct mapd *m, uint64_t *value)
{
	struct resolver_counts counts;

	resolver_counts(m->resolver, &counts);
	value[METRIC_JOBS] = counts.jobs;
	value[METRIC_JOBS_GIVEN_UP] = counts.given_up;
	value[METRIC_KNOWN] = counts.known;
	value[METRIC_KNOWN_BYTES] = counts.known_octets;
	value[METRIC_KNOWN_EVICTED] = counts.evicted;
	value[METRIC_POLICIES] = counts.policies;
	value[METRIC_FETCHES] = counts.fetches;
	value[METRIC_JOBS_STARTED] = counts.started;
	value[METRIC_JOBS_REFUSED] = counts.refused;
	value[METRIC_JOBS_TIMED_OUT] = counts.timeouts;
	value[METRIC_FACTS_UNREAD] = counts.unread;
	value[METRIC_POLICIES_WEAKENED] = counts.weakened;
	value[METRIC_FETCHES_OK] = counts.fetch_ok;
	value[METRIC_FETCHES_FAILED] = counts.fetch_failed;
	value[METRIC_REFRESHED] = counts.refreshed;
	value[METRIC_DNS_PENDING] = dns_pending(m->dns);
	value[METRIC_HTTPS_PENDING] = https_pending(m->https);
}

void metrics_gather(struct mapd *m)
{
	uint64_t *value = m->metrics.value;
	struct server_counts server;
	struct verdict_cache_counts cache;

	value[METRIC_UPTIME] = (uint64_t)(tick_mono_ms() - m->started_ms) / 1000;
	server_counts(m->server, &server);
	value[METRIC_CLIENTS] = server.clients;
	value[METRIC_WAITING] = server.waiting;
	value[METRIC_ACCEPTED] = server.accepted;
	value[METRIC_CLIENTS_REFUSED] = server.refused;
	value[METRIC_MALFORMED] = server.malformed;
	value[METRIC_STALLED] = server.stalled;
	verdict_cache_counts(m->cache, &cache);
	value[METRIC_CACHE_ENTRIES] = cache.entries;
	value[METRIC_CACHE_BYTES] = cache.bytes;
	value[METRIC_CACHE_EVICTED] = cache.evicted;
	value[METRIC_LOG_DROPPED] = log_unwritten();
	value[METRIC_REFUSAL_HOSTS] = refusal_memory_count(m->refusals);
	gather_settings(m, value);
	gather_resolver(m, value);
}

static void format_head(struct evbuffer *out, const char *name, const char *help, const char *type)
{
	evbuffer_add_printf(out, "# HELP tlsmode_mapd_%s %s\n# TYPE tlsmode_mapd_%s %s\n", name, help, name, type);
}

static void format_rows(const struct metrics *metrics, struct evbuffer *out)
{
	for (int i = 0; i < METRICS; i++) {
		const struct row *r = &rows[i];

		if (r->help[0])
			format_head(out, r->name, r->help, r->type == COUNTER ? "counter" : "gauge");
		evbuffer_add_printf(
		    out, r->labels[0] ? "tlsmode_mapd_%s{%s} %" PRIu64 "\n" : "tlsmode_mapd_%s%s %" PRIu64 "\n",
		    r->name, r->labels, metrics->value[i]);
	}
}

static void format_requests(const struct metrics *metrics, struct evbuffer *out)
{
	static const char *const result[] = {
	    [SOCKMAP_OK] = "ok", [SOCKMAP_NOTFOUND] = "notfound", [SOCKMAP_TEMP] = "temp"};

	format_head(out, "requests_total", "Answers by map and result.", "counter");
	for (int map = 0; map < MAP_IDS; map++)
		for (int r = SOCKMAP_OK; r <= SOCKMAP_TEMP; r++)
			evbuffer_add_printf(out, "tlsmode_mapd_requests_total{map=\"%s\",result=\"%s\"} %" PRIu64 "\n",
					    metrics_map_names[map], result[r], metrics->requests[map][r]);
}

static void format_histogram(const struct metrics *metrics, struct evbuffer *out)
{
	uint64_t sum = 0;

	format_head(out, "wait_seconds", "How long answers that had to be resolved were waited for.", "histogram");
	for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
		sum += metrics->bucket[i];
		evbuffer_add_printf(out, "tlsmode_mapd_wait_seconds_bucket{le=\"%s\"} %" PRIu64 "\n",
				    i < METRIC_BUCKETS ? bucket_text[i] : "+Inf", sum);
	}
	evbuffer_add_printf(out, "tlsmode_mapd_wait_seconds_sum %" PRIu64 ".%03" PRIu64 "\n", metrics->waited_ms / 1000,
			    metrics->waited_ms % 1000);
	evbuffer_add_printf(out, "tlsmode_mapd_wait_seconds_count %" PRIu64 "\n", sum);
}

void metrics_format(const struct metrics *metrics, struct evbuffer *out)
{
	format_rows(metrics, out);
	format_requests(metrics, out);
	format_histogram(metrics, out);
}
