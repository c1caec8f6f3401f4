/*
 * explain.c - everything behind an answer as one line of JSON, for the `explain` map and `tlsmode explain`.
 *
 * Not here: a decision of its own; the verdicts and lines are those of decide.c and answer.c.
 */
#include "core/explain.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"

#define SHOWN_PATTERNS 100 /* of a policy; all of them could be 64 KiB */
#define SHOWN_ANSWER 2000  /* octets of an answer's text */

static const struct name_code nexthop_kind_names[] = {
    {"domain", NEXTHOP_DOMAIN}, {"host", NEXTHOP_HOST},   {"literal", NEXTHOP_LITERAL},
    {"parent", NEXTHOP_PARENT}, {"other", NEXTHOP_OTHER}, {NULL, 0},
};

/* smtp_tls_security_level is may or dane in main.cf, as tlsmode doctor demands. */
static const char *const postfix_does[] = {
    [LEVEL_NOTFOUND] =
	"Postfix follows its own smtp_tls_security_level: encrypts where the receiver can, else delivers in the clear",
    [LEVEL_TEMP] = "Postfix defers the mail and asks again later",
    [LEVEL_MAY] = "Postfix encrypts where the receiver can, else delivers in the clear",
    [LEVEL_ENCRYPT] = "Postfix delivers over TLS or not at all; the certificate does not matter",
    [LEVEL_DANE] =
	"Postfix goes by each host's TLSA: authenticated if usable, encrypted if not, skipped on failure, else as may",
    [LEVEL_DANE_ONLY] = "Postfix delivers only to hosts whose certificate their TLSA records authenticate",
    [LEVEL_VERIFY] = "Postfix delivers only where a public authority vouches for the MX host's name, or not at all",
    [LEVEL_SECURE] =
	"Postfix delivers only where a public authority vouches for one of the names listed, or not at all",
};

static void explain_put(json_t *o, const char *key, json_t *value)
{
	json_object_set_new_nocheck(o, key, value);
}

/* Text from outside may hold anything: what does not print becomes '?'. */
static void put_text(json_t *o, const char *key, const char *text)
{
	char *copy, *p;

	if (!text || text[0] == '\0')
		return;
	copy = xstrdup(text);
	for (p = copy; *p != '\0'; p++)
		if (*p < ' ' || *p >= 0x7f)
			*p = '?';
	explain_put(o, key, json_string_nocheck(copy));
	free(copy);
}

static void put_number(json_t *o, const char *key, int64_t value)
{
	explain_put(o, key, json_integer(value));
}

/* A point in time and how far it is. INT64_MAX: there is none. */
static void put_end(json_t *o, const char *at_key, const char *in_key, int64_t at, int64_t now)
{
	if (at == INT64_MAX)
		return;
	put_number(o, at_key, at);
	put_number(o, in_key, at - now);
}

static void put_end_ms(json_t *o, int64_t at_ms, int64_t now)
{
	if (at_ms != INT64_MAX)
		put_end(o, "ends_at", "ends_in", at_ms / 1000, now);
}

static void put_not_understood(json_t *o, bool mode_bad, unsigned other)
{
	if (mode_bad)
		explain_put(o, "mode_misspelt", json_true());
	if (other > 0)
		put_number(o, "not_understood", other);
}

static json_t *json_of_sender(const struct explain_input *in)
{
	const struct sender_setting *s = in->sender_setting;
	json_t *o = json_object();

	put_text(o, "domain", in->sender);
	if (!s)
		return o;
	put_text(o, "mode", in->awaited ? "unknown" : names_name(mode_names, (int)s->mode));
	put_text(o, "mode_key", s->mode_key);
	put_not_understood(o, s->mode_bad, s->not_understood);
	put_text(o, "via", s->via);
	put_text(o, "via_key", s->via_key);
	put_end_ms(o, s->valid_until_ms, in->now);
	return o;
}

static json_t *json_of_dest(const struct explain_input *in)
{
	const struct dest_setting *d = in->dest;
	json_t *o = json_object();

	put_text(o, "mode", names_name(mode_names, (int)d->mode));
	put_text(o, "mode_key", d->mode_key);
	put_not_understood(o, d->mode_bad, d->not_understood);
	if (d->has_match)
		put_text(o, "match", d->match[0] != '\0' ? d->match : "(unreadable: nothing matches)");
	put_text(o, "match_key", d->match_key);
	if (d->dane_ignore)
		put_text(o, "dane", "ignore");
	if (d->sts_ignore)
		put_text(o, "sts", "ignore");
	if (d->plaintext_allow)
		put_text(o, "plaintext", "allow");
	if (d->dane_ignore || d->sts_ignore || d->plaintext_allow)
		put_text(o, "for", d->for_all ? "all" : "opportunistic");
	put_text(o, "except_key", d->except_key);
	put_end_ms(o, d->valid_until_ms, in->now);
	return o;
}

static json_t *json_of_host(const struct host_fact *h, int64_t now)
{
	json_t *o = json_object();

	put_text(o, "name", h->name);
	put_text(o, "expanded", h->expanded);
	put_text(o, "tlsa", names_name(dane_tlsa_state_names, (int)h->tlsa));
	put_text(o, "why", h->why);
	put_end(o, "ends_at", "ends_in", h->until, now);
	return o;
}

static json_t *json_of_mx(const struct explain_input *in)
{
	const struct facts *f = in->facts;
	json_t *o = json_object(), *hosts = json_array();

	put_text(o, "state", names_name(facts_mx_state_names, (int)f->mx));
	put_text(o, "kind", names_name(facts_mx_kind_names, (int)f->mx_kind));
	put_text(o, "why", f->mx_why);
	if (f->mx_truncated)
		explain_put(o, "truncated", json_true());
	put_end(o, "ends_at", "ends_in", f->mx_until, in->now);
	for (size_t i = 0; i < f->host_count; i++)
		json_array_append_new(hosts, json_of_host(&f->host[i], in->now));
	explain_put(o, "hosts", hosts);
	return o;
}

static json_t *json_of_patterns(const struct sts_policy *p)
{
	json_t *list = json_array();
	const char *mx = NULL;

	while (json_array_size(list) < SHOWN_PATTERNS && (mx = sts_policy_mx(p, mx)))
		json_array_append_new(list, json_string_nocheck(mx));
	return list;
}

static json_t *json_of_policy(const struct explain_input *in)
{
	const struct sts_fact *s = &in->facts->sts;
	json_t *o = json_object();

	explain_put(o, "in_force", json_boolean(facts_policy(in->facts, in->now)));
	put_text(o, "mode", names_name(sts_mode_names, (int)s->policy.mode));
	put_text(o, "id", s->policy_id);
	put_number(o, "max_age", s->policy.max_age);
	put_number(o, "fetched_at", s->fetched_at);
	put_number(o, "age", in->now - s->fetched_at);
	put_end(o, "expires_at", "expires_in", facts_policy_end(in->facts), in->now);
	put_end(o, "refresh_at", "refresh_in", facts_refresh_at(in->facts), in->now);
	explain_put(o, "mx", json_of_patterns(&s->policy));
	if (s->policy.mx_count > SHOWN_PATTERNS)
		put_number(o, "mx_not_shown", (int64_t)s->policy.mx_count - SHOWN_PATTERNS);
	return o;
}

static json_t *json_of_failure(const struct explain_input *in)
{
	const struct sts_fact *s = &in->facts->sts;
	json_t *o = json_object();

	put_text(o, "kind", names_name(facts_fetch_failure_names, (int)s->failure));
	put_text(o, "id", s->fail_id);
	put_text(o, "why", s->fail_why);
	put_number(o, "at", s->fail_at);
	put_number(o, "age", in->now - s->fail_at);
	if (facts_holdoff_end(in->facts) > in->now)
		put_end(o, "again_at", "again_in", facts_holdoff_end(in->facts), in->now);
	return o;
}

static json_t *json_of_sts(const struct explain_input *in)
{
	const struct sts_fact *s = &in->facts->sts;
	json_t *o = json_object();

	put_text(o, "txt", names_name(facts_txt_state_names, (int)s->txt));
	put_text(o, "txt_id", s->txt_id);
	put_end(o, "txt_ends_at", "txt_ends_in", s->txt_until, in->now);
	if (s->have_policy)
		explain_put(o, "policy", json_of_policy(in));
	if (s->failure != FETCH_OK)
		explain_put(o, "failure", json_of_failure(in));
	if (s->fetch != STS_FETCH_IDLE)
		explain_put(o, "fetching", json_true());
	return o;
}

static json_t *json_of_reasons(uint32_t reasons)
{
	json_t *list = json_array();

	for (int i = 0; i < REASON_COUNT; i++) {
		json_t *o;

		if ((reasons & 1u << i) == 0)
			continue;
		o = json_object();
		put_text(o, "name", names_name(reason_names, i));
		put_text(o, "text", reason_text((enum reason)i));
		json_array_append_new(list, o);
	}
	return list;
}

static void put_answer(json_t *o, struct verdict *v, const struct explain_input *in)
{
	static const char *const words[] = {
	    [SOCKMAP_OK] = "OK ", [SOCKMAP_NOTFOUND] = "NOTFOUND ", [SOCKMAP_TEMP] = "TEMP "};
	char *storage = xmalloc(SOCKMAP_REPLY_MAX + 1);
	enum sockmap_status status;
	char *line;
	struct sbuf text;

	sbuf_init(&text, storage, SOCKMAP_REPLY_MAX + 1);
	status = answer_format(&text, v, in->facts, in->now, in->dest, &in->options);
	line = xasprintf("%s%.*s", words[status], SHOWN_ANSWER, text.buf);
	put_text(o, "answer", line);
	if (text.len > SHOWN_ANSWER)
		put_number(o, "answer_not_shown", (int64_t)text.len - SHOWN_ANSWER);
	free(line);
	free(storage);
}

/* Nothing is decided before the settings are known. */
static json_t *json_of_awaited(const struct explain_input *in, enum mode mode)
{
	json_t *o = json_object();
	char *line = xasprintf("TEMP %s", in->awaited);

	put_text(o, "mode", names_name(mode_names, (int)mode));
	put_text(o, "answer", line);
	put_text(o, "level", names_name(decide_level_names, LEVEL_TEMP));
	explain_put(o, "reasons", json_array());
	put_text(o, "postfix", postfix_does[LEVEL_TEMP]);
	free(line);
	return o;
}

static json_t *json_of_verdict(const struct explain_input *in, enum mode mode)
{
	json_t *o = json_object();
	struct verdict v;

	decide(in->facts, in->now, mode, in->dest, in->dane, &v);
	put_text(o, "mode", names_name(mode_names, (int)mode));
	put_number(o, "row", v.row);
	put_answer(o, &v, in); /* may change the verdict */
	put_text(o, "level", names_name(decide_level_names, (int)v.level));
	explain_put(o, "reasons", json_of_reasons(v.reasons));
	put_text(o, "postfix", postfix_does[v.level]);
	return o;
}

static json_t *json_of_verdicts(const struct explain_input *in)
{
	json_t *list = json_array();

	for (int mode = MODE_OPPORTUNISTIC; mode < MODE_COUNT; mode++)
		if (in->all_modes || mode == (int)in->mode)
			json_array_append_new(list, in->awaited ? json_of_awaited(in, (enum mode)mode)
								: json_of_verdict(in, (enum mode)mode));
	return list;
}

static json_t *json_of_nexthop(const struct nexthop *n)
{
	json_t *o = json_object();

	put_text(o, "key", n->key);
	put_text(o, "kind", names_name(nexthop_kind_names, (int)n->kind));
	put_text(o, "domain", n->domain);
	put_number(o, "port", n->port);
	return o;
}

char *explain_json(const struct explain_input *in)
{
	json_t *o = json_object();
	char *text;

	explain_put(o, "nexthop", json_of_nexthop(&in->facts->nexthop));
	put_number(o, "now", in->now);
	explain_put(o, "settings_known", json_boolean(in->settings_known));
	if (in->sender)
		explain_put(o, "sender", json_of_sender(in));
	explain_put(o, "destination", json_of_dest(in));
	explain_put(o, "mx", json_of_mx(in));
	explain_put(o, "sts", json_of_sts(in));
	put_end(o, "ends_at", "ends_in", facts_until(in->facts, in->now), in->now);
	explain_put(o, "verdicts", json_of_verdicts(in));
	text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(o);
	if (!text) /* every string in it prints: only memory can be what was missing */
		abort();
	return text;
}

void explain_library(struct sbuf *out)
{
	sbuf_add(out, "jansson " JANSSON_VERSION);
}
