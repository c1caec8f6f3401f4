/*
 * maps.c - see maps.h: the table of maps, and the way of a request to its row.
 */
#include "mapd/maps/maps.h"

#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "core/sockmap.h"
#include "mapd/serve/client.h"
#include "mapd/maps/map_early.h"
#include "mapd/maps/map_handlers.h"
#include "mapd/mapd.h"
#include "mapd/maps/verdict_cache.h"

#define NAME(text) text, sizeof(text) - 1

static const struct map_row rows[] = {
    {NAME("opportunistic"), MAP_OPPORTUNISTIC, &map_policy, MODE_OPPORTUNISTIC, false},
    {NAME("enforced"), MAP_ENFORCED, &map_policy, MODE_ENFORCED, false},
    {NAME("verified"), MAP_VERIFIED, &map_policy, MODE_VERIFIED, false},
    {NAME("transport"), MAP_TRANSPORT, &map_transport, MODE_OPPORTUNISTIC, false},
    {NAME("refusal"), MAP_REFUSAL, &map_refusal, MODE_OPPORTUNISTIC, false},
    {NAME("opportunistic-tlsrpt"), MAP_OPPORTUNISTIC_TLSRPT, &map_policy, MODE_OPPORTUNISTIC, true},
    {NAME("enforced-tlsrpt"), MAP_ENFORCED_TLSRPT, &map_policy, MODE_ENFORCED, true},
    {NAME("verified-tlsrpt"), MAP_VERIFIED_TLSRPT, &map_policy, MODE_VERIFIED, true},
    {NAME("QUERY"), MAP_OPPORTUNISTIC, &map_policy, MODE_OPPORTUNISTIC, false},
    {NAME("postfix"), MAP_OPPORTUNISTIC, &map_policy, MODE_OPPORTUNISTIC, false},
    {NAME("QUERYwithTLSRPT"), MAP_OPPORTUNISTIC_TLSRPT, &map_policy, MODE_OPPORTUNISTIC, true},
    {NAME("mode"), MAP_MODE, &map_mode, MODE_OPPORTUNISTIC, false},
    {NAME("sts"), MAP_STS, &map_sts, MODE_OPPORTUNISTIC, false},
    {NAME("explain"), MAP_EXPLAIN, &map_explain, MODE_OPPORTUNISTIC, false},
    {NAME("status"), MAP_STATUS, &map_status, MODE_OPPORTUNISTIC, false},
};

#define KEY_MAX 10000 /* octets; Postfix sends no longer one */

static const struct map_row unknown_row = {NAME(""), MAP_UNKNOWN, NULL, MODE_OPPORTUNISTIC, false};

static const struct map_row *find_row(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].len == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	return NULL;
}

static void answer_unknown(struct mapd *m, const struct map_query *q, const char *name, size_t len)
{
	char quoted[100];
	unsigned long suppressed;

	if (ratelimit_ok(&m->unknown_map_lines, tick_mono_ms(), &suppressed))
		log_warn("event=unknown_map name=%s suppressed=%lu", log_quote(quoted, sizeof(quoted), name, len),
			 suppressed);
	map_answer(m, q, SOCKMAP_TEMP, "unknown map name");
}

bool maps_ahead(const struct netstring *requests, size_t count, void *arg)
{
	struct verdict_key keys[VERDICT_AHEAD];
	struct mapd *m = arg;
	struct sockmap_request request;
	size_t named = 0;

	for (size_t i = 0; i < count && named < VERDICT_AHEAD; i++) {
		const struct map_row *row;

		if (!sockmap_parse(&request, requests[i].payload, requests[i].len))
			continue;
		row = find_row(request.map, request.map_len);
		if (row && row->handler == &map_policy)
			keys[named++] = (struct verdict_key){request.key, request.key_len};
	}
	return verdict_cache_ahead(m->cache, keys, named);
}

void maps_request(struct client *client, const char *payload, size_t len, int64_t now_ms, void *arg)
{
	struct mapd *m = arg;
	struct sockmap_request request;
	struct map_query q = {.row = &unknown_row, .client = client, .key = "", .now_ms = now_ms};

	if (!sockmap_parse(&request, payload, len)) {
		if (len > KEY_MAX)
			client_reject(client, "no map name and too long");
		else
			answer_unknown(m, &q, payload, len);
		return;
	}
	if (request.key_len > KEY_MAX) {
		client_reject(client, "key over the limit");
		return;
	}
	q.row = find_row(request.map, request.map_len);
	q.key = request.key;
	q.key_len = request.key_len;
	if (q.row) {
		if (mirror_state(m->mirror) == MIRROR_LIVE || !map_early_ask(m->early, &q))
			q.row->handler->handle(m, &q);
		return;
	}
	q.row = &unknown_row;
	answer_unknown(m, &q, request.map, request.map_len);
}
