/*
 * map_policy.c - the maps for smtp_tls_policy_maps and what belongs to them: `sts` for Sendmail, `refusal` for bounces.
 */
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "core/refusal.h"
#include "mapd/maps/map_facts.h"
#include "mapd/maps/map_handlers.h"
#include "mapd/maps/map_settings.h"
#include "mapd/mapd.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/maps/verdict_cache.h"
#include "mapd/maps/verdicts.h"

/* The status of a netstring with a reply: its first letter. */
static enum sockmap_status framed_status(const char *framed)
{
	while (*framed++ != ':')
		;
	return *framed == 'O' ? SOCKMAP_OK : *framed == 'N' ? SOCKMAP_NOTFOUND : SOCKMAP_TEMP;
}

/* Answers from the cache. KEY need not be canonical: then it is not found. */
static bool answer_cached(struct mapd *m, const struct map_query *q, const char *key, size_t len)
{
	struct verdict_hit hit;

	if (q->own ||
	    !verdict_cache_get(m->cache, key, len, verdict_line(q->row->mode, q->row->tlsrpt), q->now_ms, &hit))
		return false;
	m->metrics.value[METRIC_CACHE_HITS]++;
	map_count(m, q->row, framed_status(hit.text));
	map_send(q, hit.text, hit.len);
	if (hit.due)
		verdicts_due(m, q, key, len, hit.due);
	return true;
}

static void answer_no_key(struct mapd *m, const struct map_query *q)
{
	if (q->row->mode == MODE_OPPORTUNISTIC)
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
	else
		map_answer(m, q, SOCKMAP_TEMP, "no next hop was given");
}

static void policy_names(const struct map_query *q, settings_name_fn *fn, void *arg)
{
	struct nexthop nexthop;

	nexthop_parse(&nexthop, q->key, q->key_len);
	settings_dest_names(&nexthop, fn, arg);
}

/* No line is there under the key as it was given. */
static void policy_look_up(struct mapd *m, struct map_query *q)
{
	struct nexthop nexthop;

	if (map_settings_awaited(m, q)) {
		map_answer(m, q, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
		return;
	}
	if (q->key_len == 0) {
		answer_no_key(m, q);
		return;
	}
	nexthop_parse(&nexthop, q->key, q->key_len);
	if (nexthop.key[0] && answer_cached(m, q, nexthop.key, strlen(nexthop.key)))
		return;
	if (q->key[0] == '.' && (nexthop.kind != NEXTHOP_PARENT || !verdicts_named(m, q, &nexthop))) {
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
		return;
	}
	m->metrics.value[METRIC_CACHE_MISSES]++;
	map_ask_facts(m, q, &nexthop);
}

static void policy_handle(struct mapd *m, struct map_query *q)
{
	if (!answer_cached(m, q, q->key, q->key_len))
		policy_look_up(m, q);
}

/* Of all who waited for a job the first has made the line. */
static bool take_made(struct mapd *m, const struct map_query *q, const char *key)
{
	struct verdict_hit hit;

	if (q->client || q->own ||
	    !verdict_cache_get(m->cache, key, strlen(key), verdict_line(q->row->mode, q->row->tlsrpt), q->now_ms, &hit))
		return false;
	memcpy(m->reply.framed, hit.text, hit.len);
	m->reply.len = hit.len;
	m->reply.status = framed_status(hit.text);
	if (hit.due)
		verdicts_due(m, q, key, strlen(key), hit.due);
	return true;
}

static void policy_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
			  const struct facts *facts)
{
	if (map_settings_awaited(m, q))
		reply_make(&m->reply, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
	else if (!take_made(m, q, nexthop->key))
		verdicts_render(m, q, nexthop, facts);
}

const struct map_handler map_policy = {policy_handle, policy_names, policy_finish};

/* ---- sts ---- */

static void sts_handle(struct mapd *m, struct map_query *q)
{
	struct nexthop nexthop;

	nexthop_parse(&nexthop, q->key, q->key_len);
	if (map_settings_awaited(m, q))
		map_answer(m, q, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
	else if (nexthop_in_dns(&nexthop))
		map_ask_facts(m, q, &nexthop);
	else
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
}

static void sts_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		       const struct facts *facts)
{
	verdicts_render_sts(m, q, nexthop, facts);
}

const struct map_handler map_sts = {sts_handle, policy_names, sts_finish};

/* ---- refusal ---- */

static void refusal_handle(struct mapd *m, struct map_query *q)
{
	char quoted[DOMAIN_SIZE + 8];
	struct refusal r;
	unsigned modes = 0;

	if (refusal_parse(&r, q->key, q->key_len))
		modes = refusal_memory_modes(m->refusals, r.host, tick_mono_ms());
	if (modes == 0) {
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
		return;
	}
	m->metrics.value[METRIC_REFUSALS]++;
	log_info("event=refusal host=%s answer=5.7.10", log_quote(quoted, sizeof(quoted), r.host, strlen(r.host)));
	refusal_format(reply_begin(&m->reply), &r, modes);
	reply_end(&m->reply, SOCKMAP_OK);
	map_reply(m, q);
}

const struct map_handler map_refusal = {refusal_handle, NULL, NULL};
