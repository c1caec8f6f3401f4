/*
 * map_explain.c - the map `explain`: "[mode ]domain" or "sender recipient" -> one line of JSON (explain.h).
 */
#include <stdlib.h>
#include <string.h>

#include "core/explain.h"
#include "mapd/maps/map_facts.h"
#include "mapd/maps/map_handlers.h"
#include "mapd/maps/map_settings.h"
#include "mapd/mapd.h"

/* key = domain / mode SP domain / sender SP recipient */
struct explain_key {
	bool has_mode, has_sender;
	enum mode mode;
	char sender[DOMAIN_SIZE]; /* as settings_sender() wants it */
	struct nexthop nexthop;   /* of the domain, or of the recipient's domain */
};

static void read_destination(struct nexthop *out, const char *text, size_t len)
{
	const char *at = memrchr(text, '@', len);
	char domain[DOMAIN_SIZE];

	if (!at)
		nexthop_parse(out, text, len);
	else if (domain_of_address(domain, text, len) == ADDRESS_DOMAIN)
		nexthop_parse(out, domain, strlen(domain));
	else /* user@[192.0.2.1] */
		nexthop_parse(out, at + 1, len - (size_t)(at + 1 - text));
}

static void read_sender(char out[DOMAIN_SIZE], const char *text, size_t len)
{
	enum address_status status = domain_of_address(out, text, len);

	if (status == ADDRESS_NULL)
		strcpy(out, "<>");
	else if (status == ADDRESS_NONE && !memchr(text, '@', len) && domain_canon(out, text, len) != DOMAIN_OK)
		domain_closest_parent(out, text, len);
}

static void read_key(struct explain_key *out, const char *key, size_t len)
{
	const char *space = memrchr(key, ' ', len);
	size_t first = space ? (size_t)(space - key) : 0;
	int mode = first ? names_code(mode_names, key, first) : -1;

	memset(out, 0, sizeof(*out));
	out->has_mode = mode >= 0;
	out->has_sender = first && mode < 0;
	if (out->has_mode)
		out->mode = (enum mode)mode;
	if (out->has_sender)
		read_sender(out->sender, key, first);
	read_destination(&out->nexthop, space ? space + 1 : key, space ? len - first - 1 : len);
}

static void explain_names(const struct map_query *q, settings_name_fn *fn, void *arg)
{
	struct explain_key key;

	read_key(&key, q->key, q->key_len);
	settings_dest_names(&key.nexthop, fn, arg);
	if (key.has_sender)
		settings_sender_names(key.sender, fn, arg);
}

static void explain_handle(struct mapd *m, struct map_query *q)
{
	struct explain_key key;

	read_key(&key, q->key, q->key_len);
	if (q->key_len == 0)
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
	else
		map_ask_facts(m, q, &key.nexthop);
}

static void explain_finish(struct mapd *m, const struct map_query *q, const struct nexthop *nexthop,
			   const struct facts *facts)
{
	const struct settings *settings = map_settings(m, q);
	struct explain_key key;
	struct sender_setting sender;
	struct dest_setting dest;
	struct explain_input in = {
	    .facts = facts,
	    .now = q->now_ms / 1000,
	    .dest = &dest,
	    .dane = m->conf->mapd.dane,
	    .options = {m->conf->mapd.min_tls, false, m->conf->mapd.report_failures},
	    .settings_known = !map_settings_unknown(m, q),
	    .awaited = map_settings_awaited(m, q) ? MAP_SETTINGS_AWAITED : NULL,
	};
	char *json;

	read_key(&key, q->key, q->key_len);
	settings_dest(settings, nexthop, q->now_ms, &dest);
	if (key.has_sender) {
		settings_sender(settings, key.sender, q->now_ms, &sender);
		map_settings_sender(m, q, &sender);
		in.sender = key.sender;
		in.sender_setting = &sender;
		key.mode = sender.mode;
	}
	in.mode = key.mode;
	in.all_modes = !key.has_mode && (!key.has_sender || in.awaited);
	json = explain_json(&in);
	map_settings_done(m);
	reply_make(&m->reply, SOCKMAP_OK, json);
	free(json);
}

const struct map_handler map_explain = {explain_handle, explain_names, explain_finish};
