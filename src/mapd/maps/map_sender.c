/*
 * map_sender.c - the maps that read the sender's setting and nothing else: `transport` and `mode`. They wait for
 * nothing, but for their own keys in Redis while the mirror is being filled.
 */
#include <string.h>

#include "core/domain.h"
#include "mapd/maps/map_handlers.h"
#include "mapd/maps/map_settings.h"
#include "mapd/mapd.h"

/* The domain as settings_sender() wants it: "<>" the null sender, "" an address without a domain, ".parent" of what is
 * no domain name. */
static void address_of(const struct map_query *q, char out[DOMAIN_SIZE])
{
	if (domain_of_address(out, q->key, q->key_len) == ADDRESS_NULL)
		strcpy(out, "<>");
}

/* The same from a bare domain too. */
static void address_or_domain_of(const struct map_query *q, char out[DOMAIN_SIZE])
{
	bool address = q->key_len == 0 || memchr(q->key, '@', q->key_len) || memchr(q->key, '<', q->key_len);

	if (address)
		address_of(q, out);
	else if (domain_canon(out, q->key, q->key_len) != DOMAIN_OK)
		domain_closest_parent(out, q->key, q->key_len);
}

static void transport_names(const struct map_query *q, settings_name_fn *fn, void *arg)
{
	char domain[DOMAIN_SIZE];

	address_of(q, domain);
	settings_sender_names(domain, fn, arg);
}

static void sender_mode_names(const struct map_query *q, settings_name_fn *fn, void *arg)
{
	char domain[DOMAIN_SIZE];

	address_or_domain_of(q, domain);
	settings_sender_names(domain, fn, arg);
}

/* The setting of DOMAIN, or what settings.when_unknown says in its place. */
static void sender_setting(struct mapd *m, const struct map_query *q, const char *domain, struct sender_setting *out)
{
	settings_sender(map_settings(m, q), domain, q->now_ms, out);
	map_settings_done(m);
	map_settings_sender(m, q, out);
}

/* transport = via [ "-" mode ] ":" / the configured transport ":" */
static void format_transport(const struct mapd *m, const struct sender_setting *s, struct sbuf *out)
{
	const char *const suffix[] = {"", "-enforced", "-verified"};
	const char *const transport[] = {"", m->conf->mapd.enforced_transport, m->conf->mapd.verified_transport};

	sbuf_add(out, s->via[0] ? s->via : transport[s->mode]);
	if (s->via[0])
		sbuf_add(out, suffix[s->mode]);
	if (out->len > 0)
		sbuf_addc(out, ':');
}

static void transport_handle(struct mapd *m, struct map_query *q)
{
	char domain[DOMAIN_SIZE];
	struct sender_setting setting;
	struct sbuf *out = reply_begin(&m->reply);

	if (map_settings_awaited(m, q)) {
		map_answer(m, q, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
		return;
	}
	address_of(q, domain);
	sender_setting(m, q, domain, &setting);
	format_transport(m, &setting, out);
	reply_end(&m->reply, out->len > 0 ? SOCKMAP_OK : SOCKMAP_NOTFOUND);
	map_reply(m, q);
}

const struct map_handler map_transport = {transport_handle, transport_names, NULL};

static void mode_handle(struct mapd *m, struct map_query *q)
{
	char domain[DOMAIN_SIZE];
	struct sender_setting setting;

	if (map_settings_awaited(m, q)) {
		map_answer(m, q, SOCKMAP_TEMP, MAP_SETTINGS_AWAITED);
		return;
	}
	address_or_domain_of(q, domain);
	sender_setting(m, q, domain, &setting);
	if (setting.mode == MODE_OPPORTUNISTIC)
		map_answer(m, q, SOCKMAP_NOTFOUND, "");
	else
		map_answer(m, q, SOCKMAP_OK, names_name(mode_names, (int)setting.mode));
}

const struct map_handler map_mode = {mode_handle, sender_mode_names, NULL};
