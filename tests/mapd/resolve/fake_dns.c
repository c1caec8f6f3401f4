/*
 * fake_dns.c - the names of dns_ub.h, answered from a table of scripts.
 */
#include "mapd/resolve/fake_adapter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct dns {
	int unused;
};

struct script {
	LIST_ENTRY(script) entry;
	char name[DOMAIN_SIZE];
	enum rr_type type;
	bool silent;
	size_t asked;
	uint8_t bytes[600];
	struct rr_rdata rdata;
	struct rr_answer answer;
};

struct dns_query {
	LIST_ENTRY(dns_query) entry;
	struct fake_call call;
	struct script *script;
	dns_answer_fn *fn;
	void *arg;
};

static LIST_HEAD(, script) scripts;
static LIST_HEAD(, dns_query) queries;
static size_t dns_asked;

static struct script *script_of(const char *name, enum rr_type type)
{
	struct script *s;

	LIST_FOREACH(s, &scripts, entry)
	if (s->type == type && strcmp(s->name, name) == 0)
		return s;
	s = xcalloc(1, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->type = type;
	s->answer = (struct rr_answer){.status = RR_NXDOMAIN, .secure = true, .ttl = 300};
	LIST_INSERT_HEAD(&scripts, s, entry);
	return s;
}

static size_t wire_name(uint8_t *out, const char *name)
{
	uint8_t *p = out;

	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		*p++ = (uint8_t)len;
		memcpy(p, name, len);
		p += len;
		name += len + (name[len] == '.');
	}
	*p++ = 0;
	return (size_t)(p - out);
}

static void script_ok(struct script *s, bool secure, uint32_t ttl, size_t len)
{
	s->silent = false;
	s->rdata = (struct rr_rdata){s->bytes, len};
	s->answer = (struct rr_answer){.status = RR_OK, .secure = secure, .ttl = ttl, .count = 1, .rdata = &s->rdata};
}

void world_mx(const char *name, bool secure, uint32_t ttl, const char *host)
{
	struct script *s = script_of(name, RR_MX);

	s->bytes[0] = 0;
	s->bytes[1] = 10;
	script_ok(s, secure, ttl, 2 + wire_name(s->bytes + 2, host));
}

void world_address(const char *name, bool secure, uint32_t ttl)
{
	struct script *s = script_of(name, RR_A);

	memcpy(s->bytes, "\300\0\2\1", 4);
	script_ok(s, secure, ttl, 4);
}

void world_tlsa(const char *host, uint32_t ttl)
{
	char name[DOMAIN_SIZE];
	struct script *s;

	snprintf(name, sizeof(name), "_25._tcp.%s", host);
	s = script_of(name, RR_TLSA);
	memset(s->bytes, 0xab, 35);
	memcpy(s->bytes, "\3\1\1", 3);
	script_ok(s, true, ttl, 35);
}

void world_sts_txt(const char *domain, const char *id, uint32_t ttl)
{
	char name[DOMAIN_SIZE];
	struct script *s;

	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	s = script_of(name, RR_TXT);
	s->answer = (struct rr_answer){.status = RR_NXDOMAIN, .secure = true, .ttl = ttl};
	s->silent = false;
	if (!id)
		return;
	s->bytes[0] = (uint8_t)snprintf((char *)s->bytes + 1, sizeof(s->bytes) - 1, "v=STSv1; id=%s;", id);
	script_ok(s, false, ttl, (size_t)s->bytes[0] + 1);
}

void world_dns_status(const char *name, enum rr_type type, enum rr_status status)
{
	struct script *s = script_of(name, type);

	s->silent = false;
	s->answer =
	    (struct rr_answer){.status = status, .secure = status != RR_ERROR && status != RR_BOGUS, .ttl = 300};
}

void world_dns_silent(const char *name, enum rr_type type)
{
	script_of(name, type)->silent = true;
}

size_t world_dns_asked(const char *name, enum rr_type type)
{
	return !name ? dns_asked : script_of(name, type)->asked;
}

size_t world_dns_open(void)
{
	struct dns_query *q;
	size_t count = 0;

	LIST_FOREACH(q, &queries, entry)
	count++;
	return count;
}

static void query_end(struct dns_query *q)
{
	fake_call_end(&q->call);
	LIST_REMOVE(q, entry);
	free(q);
}

static void answer_query(evutil_socket_t fd, short what, void *arg)
{
	struct dns_query *q = arg, told = *q;

	(void)fd;
	(void)what;
	query_end(q);
	told.fn(&told.script->answer, told.arg);
}

struct dns_query *dns_ask(struct dns *d, const char *about, const char *name, enum rr_type type, dns_answer_fn *fn,
			  void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));

	assert(d && *about != '\0');
	*q = (struct dns_query){.script = script_of(name, type), .fn = fn, .arg = arg};
	q->script->asked++;
	dns_asked++;
	LIST_INSERT_HEAD(&queries, q, entry);
	if (!q->script->silent)
		fake_call_soon(&q->call, answer_query, q);
	return q;
}

void dns_abort(struct dns_query **q)
{
	query_end(*q);
	*q = NULL;
}

struct dns *world_dns(void)
{
	fake_contexts++;
	return xcalloc(1, sizeof(struct dns));
}

void dns_free(struct dns **d)
{
	fake_contexts--;
	free(*d);
	*d = NULL;
}

void fake_dns_begin(void)
{
	dns_asked = 0;
}

void fake_dns_end(void)
{
	assert(LIST_EMPTY(&queries));
	FAKE_FREE_ALL(&scripts);
}
