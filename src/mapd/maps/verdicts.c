/*
 * verdicts.c - see verdicts.h.
 */
#include "mapd/maps/verdicts.h"

#include <string.h>

#include "base/hmap.h"
#include "base/log.h"
#include "base/tick.h"
#include "core/answer.h"
#include "core/decide.h"
#include "mapd/maps/map.h"
#include "mapd/maps/map_settings.h"
#include "mapd/mapd.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/maps/verdict_cache.h"

#define CROWD_NOTE_MS 60000

static void merge_dest(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		       struct dest_setting *out)
{
	settings_dest(map_settings(m, q), nexthop, q->now_ms, out);
	map_settings_done(m);
}

bool verdicts_named(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop)
{
	struct dest_setting dest;

	merge_dest(m, q, nexthop, &dest);
	return dest.named;
}

/* ---- what is remembered for the refusal map ---- */

/* MODE when nothing but the sender's mode demands TLS, else opportunistic. A destination that publishes TLSA records
 * demands it too, usable or not; and so may one whose MTA-STS record or policy could not be had: a permanent error is
 * only for what is known. */
static enum mode mode_alone(const struct verdict *v, const struct facts *f, enum mode mode, int64_t now)
{
	const uint32_t dane = 1u << REASON_DANE_SOME_USABLE | 1u << REASON_DANE_ALL_USABLE | 1u << REASON_DANE_UNUSABLE;
	bool sts_known = f->sts.txt == TXT_NONE || (f->sts.txt == TXT_RECORD && facts_policy(f, now));

	if ((v->level == LEVEL_ENCRYPT || v->level == LEVEL_VERIFY) && !(v->reasons & dane) && sts_known)
		return mode;
	return MODE_OPPORTUNISTIC;
}

static void remember(struct mapd *m, const struct facts *facts, enum mode alone)
{
	const struct nexthop *nexthop = &facts->nexthop;
	int64_t now_ms = tick_mono_ms();
	char address[NEXTHOP_SIZE];

	for (size_t i = 0; i < facts->host_count; i++)
		refusal_memory_note(m->refusals, facts->host[i].name, alone, now_ms);
	if (facts->host_count > 0)
		return;
	if (nexthop->kind != NEXTHOP_LITERAL) {
		if (nexthop->domain[0])
			refusal_memory_note(m->refusals, nexthop->domain, alone, now_ms);
		return;
	}
	/* "[192.0.2.1]:25": Postfix calls that host by its address */
	strcpy(address, nexthop->key + 1);
	address[strcspn(address, "]")] = '\0';
	refusal_memory_note(m->refusals, address, alone, now_ms);
}

static void remember_again(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop)
{
	const enum mode mode = q->row->mode;
	const int64_t now = q->now_ms / 1000;
	struct dest_setting dest;
	struct facts facts;
	struct verdict v;

	if (!resolve_known(m->resolver, nexthop, &facts)) {
		verdict_cache_drop(m->cache, nexthop->key); /* the next answer is made anew, and remembered then */
		return;
	}
	merge_dest(m, q, nexthop, &dest);
	decide(&facts, now, mode, &dest, m->conf->mapd.dane, &v);
	remember(m, &facts, mode_alone(&v, &facts, mode, now));
	facts_fini(&facts);
}

void verdicts_due(struct mapd *m, const struct map_query *q, const char *key, size_t len, unsigned due)
{
	struct nexthop nexthop;

	nexthop_parse(&nexthop, key, len);
	if (due & VERDICT_TOUCH)
		remember_again(m, q, &nexthop);
	if (due & VERDICT_PREFETCH)
		resolve_prefetch(m->resolver, &nexthop);
}

/* ---- what is logged and counted ---- */

static void log_exceptions(struct mapd *m, const struct nexthop *nexthop, const struct verdict *v,
			   const struct dest_setting *dest, enum mode mode)
{
	static const char *const name[] = {"dane", "sts", "plaintext"};
	char key[NEXTHOP_SIZE * 4], dest_key[SETTING_NAME_SIZE * 4];
	unsigned long unsaid;

	for (int i = 0; i < 3; i++) {
		if (!(v->reasons & 1u << (REASON_EXCEPT_DANE + i)))
			continue;
		m->metrics.value[METRIC_EXCEPT_DANE_USED + i]++;
		if (!ratelimit_name_ok(&m->exception_lines, nexthop->key, (unsigned)i, tick_mono_ms(), &unsaid))
			continue;
		log_info("event=exception_used exception=%s nexthop=%s setting=%s mode=%s answer=%s unsaid=%lu",
			 name[i], log_quote(key, sizeof(key), nexthop->key, strlen(nexthop->key)),
			 log_quote(dest_key, sizeof(dest_key), dest->except_key, strlen(dest->except_key)),
			 names_name(mode_names, (int)mode), names_name(decide_level_names, (int)v->level), unsaid);
	}
}

static void log_temp(struct mapd *m, const struct nexthop *nexthop, enum mode mode)
{
	char key[NEXTHOP_SIZE * 4], reason[400];
	const char *text = m->reply.payload + strlen("TEMP ");
	unsigned long unsaid;

	m->metrics.value[METRIC_VERDICTS_TEMP]++;
	if (!ratelimit_name_ok(&m->temp_lines, nexthop->key, (unsigned)mode, tick_mono_ms(), &unsaid))
		return;
	log_warn("event=verdict_temp nexthop=%s mode=%s reason=%s unsaid=%lu",
		 log_quote(key, sizeof(key), nexthop->key, strlen(nexthop->key)), names_name(mode_names, (int)mode),
		 log_quote(reason, sizeof(reason), text, strlen(text)), unsaid);
}

static void log_verdict(const struct nexthop *nexthop, const struct verdict *v, enum mode mode, int64_t until_ms,
			int64_t now_ms)
{
	char key[NEXTHOP_SIZE * 4];

	if (log_level() >= LOG_LVL_DEBUG)
		log_debug("event=verdict nexthop=%s mode=%s row=%d level=%s valid_s=%lld",
			  log_quote(key, sizeof(key), nexthop->key, strlen(nexthop->key)),
			  names_name(mode_names, (int)mode), v->row, names_name(decide_level_names, (int)v->level),
			  (long long)(until_ms - now_ms) / 1000);
}

/* Somebody goes through the ports of one name. Its line is the newest; what it displaced is made again when asked. */
static void note_ports_crowd(struct mapd *m, const struct nexthop *nexthop)
{
	int64_t now = tick_mono_ms();
	char key[NEXTHOP_SIZE * 4];

	if (m->crowd_noted_ms != 0 && now - m->crowd_noted_ms < CROWD_NOTE_MS)
		return;
	m->crowd_noted_ms = now;
	log_warn("event=ports_crowded nexthop=%s max=%d answer=given why=\"too many ports of one name to keep\" "
		 "do=\"find the client that asks for them\"",
		 log_quote(key, sizeof(key), nexthop->key, strlen(nexthop->key)), VERDICT_VARIANTS);
}

/* ---- rendering ---- */

/* By an exception: such a verdict is made anew for every answer, so that each use is logged and counted. */
static bool is_weakened(const struct verdict *v)
{
	return (v->reasons & (1u << REASON_EXCEPT_DANE | 1u << REASON_EXCEPT_STS | 1u << REASON_EXCEPT_PLAINTEXT)) != 0;
}

static int64_t valid_until_ms(const struct facts *facts, const struct dest_setting *dest, int64_t now_ms)
{
	int64_t until = facts_until(facts, now_ms / 1000);
	int64_t latest = now_ms / 1000 + FACTS_TTL_MAX;

	if (until > latest)
		until = latest;
	return until * 1000 < dest->valid_until_ms ? until * 1000 : dest->valid_until_ms;
}

void verdicts_render(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
		     const struct facts *facts)
{
	const struct conf_mapd *conf = &m->conf->mapd;
	const struct answer_options options = {conf->min_tls, q->row->tlsrpt, conf->report_failures};
	const enum mode mode = q->row->mode;
	const int64_t now_ms = q->now_ms, now = now_ms / 1000;
	struct dest_setting dest;
	struct verdict v;
	int64_t until_ms;

	merge_dest(m, q, nexthop, &dest);
	decide(facts, now, mode, &dest, conf->dane, &v);
	reply_end(&m->reply, answer_format(reply_begin(&m->reply), &v, facts, now, &dest, &options));
	until_ms = valid_until_ms(facts, &dest, now_ms);
	/* nobody would tell us that settings of our own reading have changed */
	if (nexthop->key[0] && !q->own && !is_weakened(&v) &&
	    verdict_cache_put(m->cache, nexthop->key, verdict_line(mode, q->row->tlsrpt), m->reply.framed, m->reply.len,
			      now_ms, until_ms))
		note_ports_crowd(m, nexthop);
	if (mode != MODE_OPPORTUNISTIC)
		remember(m, facts, mode_alone(&v, facts, mode, now));
	log_verdict(nexthop, &v, mode, until_ms, now_ms);
	log_exceptions(m, nexthop, &v, &dest, mode);
	if (m->reply.status == SOCKMAP_TEMP)
		log_temp(m, nexthop, mode);
}

/* Who sends is not known here: an exception is logged as one for opportunistic mail. */
void verdicts_render_sts(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
			 const struct facts *facts)
{
	const struct verdict ignored = {.level = LEVEL_NOTFOUND, .reasons = 1u << REASON_EXCEPT_STS};
	const int64_t now = q->now_ms / 1000;
	const struct sts_policy *policy = facts_policy(facts, now);
	struct dest_setting dest;

	merge_dest(m, q, nexthop, &dest);
	reply_end(&m->reply, answer_sts(reply_begin(&m->reply), facts, now, &dest));
	if (dest.sts_ignore && policy && policy->mode == STS_ENFORCE)
		log_exceptions(m, nexthop, &ignored, &dest, MODE_OPPORTUNISTIC);
}

void verdicts_setting_changed(struct mapd *m, const char *name)
{
	if (name[0] == '*' || name[0] == '.')
		verdict_cache_drop_all(m->cache); /* decided anew when asked, from facts at hand */
	else
		verdict_cache_drop(m->cache, name);
}
