/*
 * resolve_room.c - a resolver in the scripted world, those who ask it, and domains to ask for.
 */
#include "mapd/resolve/resolve_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"

struct resolve_room room;

static void on_facts(const char *key, const struct facts *facts, void *arg)
{
	(void)arg;
	room.heard.calls++;
	room.heard.forgotten += !facts;
	snprintf(room.heard.key, sizeof(room.heard.key), "%s", key);
	room.heard.enforce = false;
	if (facts && facts_policy(facts, world_now()))
		room.heard.enforce = facts_policy(facts, world_now())->mode == STS_ENFORCE;
}

static void on_line(enum log_level level, const char *line)
{
	(void)level;
	snprintf(room.last_line, sizeof(room.last_line), "%s", line);
	room.lines_failed += !!strstr(line, "event=sts_fetch_failed");
	room.lines_unread += !!strstr(line, "event=facts_unread");
	room.lines_weakened += !!strstr(line, "event=policy_weakened");
	room.lines_timeout += !!strstr(line, "event=resolve_timeout");
	room.lines_crowded += !!strstr(line, "event=ports_crowded");
}

void room_open(void)
{
	struct resolver_env env = {.base = world_begin(),
				   .conf = &room.conf,
				   .dns = world_dns(),
				   .https = world_https(),
				   .redis = world_redis(),
				   .on_facts = on_facts};

	room.resolver = resolver_new(&env);
}

int room_begin(void **state)
{
	(void)state;
	memset(&room.heard, 0, sizeof(room.heard));
	room.lines_failed = room.lines_timeout = room.lines_crowded = room.lines_unread = room.lines_weakened = 0;
	room.conf = (struct conf){
	    .dns.timeout_s = 6, .sts.timeout_s = 5, .mapd = {.deadline_s = 10, .cache_entries = 1000, .max_jobs = 100}};
	log_capture(on_line);
	room_open();
	return 0;
}

int room_end(void **state)
{
	(void)state;
	resolver_free(&room.resolver);
	world_end();
	log_capture(NULL);
	return 0;
}

/* ---- people who ask ---- */

static void on_answer(const struct facts *facts, void *arg)
{
	struct asker *a = arg;
	const struct sts_policy *policy = facts_policy(facts, world_now());

	a->wait = NULL;
	a->answers++;
	a->mx = facts->mx;
	a->tlsa = facts->host_count > 0 ? facts->host[0].tlsa : TLSA_UNKNOWN;
	a->policy = policy;
	a->enforce = policy && policy->mode == STS_ENFORCE;
	a->in_doubt = facts_in_doubt(facts, world_now());
	a->until = facts_until(facts, world_now());
}

struct nexthop room_hop(const char *text)
{
	struct nexthop n;

	nexthop_parse(&n, text, strlen(text));
	return n;
}

void room_ask(struct asker *a, const char *name)
{
	struct nexthop n = room_hop(name);
	struct facts known;

	memset(a, 0, sizeof(*a));
	switch (resolve_ask(room.resolver, &n, &known, &a->wait)) {
	case RESOLVE_KNOWN:
		on_answer(&known, a);
		facts_fini(&known);
		break;
	case RESOLVE_WAITS:
		resolve_wait_on(a->wait, on_answer, a);
		break;
	case RESOLVE_REFUSED:
	case RESOLVE_CROWDED:
		break;
	}
}

struct asker room_answer(const char *name)
{
	struct asker a;

	room_ask(&a, name);
	world_run();
	return a;
}

bool room_is_known(const char *name)
{
	struct nexthop n = room_hop(name);
	struct facts *f = xmalloc(sizeof(*f));
	bool known = resolve_known(room.resolver, &n, f);

	if (known)
		facts_fini(f);
	free(f);
	return known;
}

struct resolver_counts room_counts(void)
{
	struct resolver_counts c;

	resolver_counts(room.resolver, &c);
	return c;
}

/* ---- domains ---- */

void room_plain(const char *domain, uint32_t ttl)
{
	char host[DOMAIN_SIZE];

	snprintf(host, sizeof(host), "mx.%s", domain);
	world_mx(domain, false, ttl, host);
	world_address(host, false, ttl);
	world_sts_txt(domain, NULL, ttl);
}

void room_with_dane(const char *domain, uint32_t ttl)
{
	char host[DOMAIN_SIZE];

	snprintf(host, sizeof(host), "mx.%s", domain);
	world_mx(domain, true, ttl, host);
	world_address(host, true, ttl);
	world_tlsa(host, ttl);
	world_sts_txt(domain, NULL, ttl);
}

const char *room_policy_host(const char *domain)
{
	static char host[DOMAIN_SIZE];

	snprintf(host, sizeof(host), "mta-sts.%s", domain);
	return host;
}

void room_with_sts(const char *domain, const char *id, unsigned max_age)
{
	char host[DOMAIN_SIZE];

	room_plain(domain, 300);
	snprintf(host, sizeof(host), "mx.%s", domain);
	world_sts_txt(domain, id, 300);
	world_address(room_policy_host(domain), false, 300);
	world_policy(room_policy_host(domain), "enforce", max_age, host);
}

void room_other_node_fetched(const char *key, const char *mode)
{
	char at[24], until[24];

	snprintf(at, sizeof(at), "%lld", (long long)world_now());
	snprintf(until, sizeof(until), "%lld", (long long)world_now() + 300);
	world_hash(key, (const char *[]){"txt", "record", "txt_id", "1", "txt_until", until, "mode", mode, "max_age",
					 "86400", "mx", "mx.a.example", "id", "1", "fetched_at", at, NULL});
}
