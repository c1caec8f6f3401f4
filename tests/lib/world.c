/*
 * world.c - the scripted outside: lines of a scenario into typed answers.
 */
#include "lib/world.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->dns_count; i++)
		free(w->dns[i]);
	for (size_t i = 0; i < w->https_count; i++)
		free(w->https[i].body);
	for (size_t i = 0; i < w->hash_count; i++)
		free(w->hash[i].line);
	memset(w, 0, sizeof(*w));
}

/* The next word of *AT into OUT; false at the end. */
static bool word(const char **at, char *out, size_t size)
{
	size_t len;

	*at += strspn(*at, " ");
	len = strcspn(*at, " ");
	if (len == 0 || len >= size)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len;
	return true;
}

static const char *rest(const char *at)
{
	return at + strspn(at, " ");
}

/* ---- DNS ---- */

static void put_bytes(struct world_dns *d, const void *bytes, size_t len)
{
	if (d->used + len > sizeof(d->bytes))
		abort();
	memcpy(d->bytes + d->used, bytes, len);
	d->used += len;
}

static void put_byte(struct world_dns *d, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	put_bytes(d, &b, 1);
}

static void put_name(struct world_dns *d, const char *name)
{
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		if (len > 0) {
			put_byte(d, (unsigned)len);
			put_bytes(d, name, len);
		}
		name += len + (name[len] == '.');
	}
	put_byte(d, 0);
}

static bool put_mx(struct world_dns *d, const char *data)
{
	unsigned pref;
	char host[DOMAIN_SIZE + 1];

	if (sscanf(data, "%u %254s", &pref, host) != 2)
		return false;
	put_byte(d, pref >> 8);
	put_byte(d, pref & 0xff);
	put_name(d, host);
	return true;
}

static bool put_txt(struct world_dns *d, const char *data)
{
	while (*data != '\0') {
		size_t len = strcspn(data, "^");

		if (len > 255)
			return false;
		put_byte(d, (unsigned)len);
		put_bytes(d, data, len);
		data += len + (data[len] == '^');
	}
	return true;
}

/* "3 1 1" and 32 octets are usable, PKIX usages never (RFC 7672 s3.1.3) */
static bool put_tlsa(struct world_dns *d, const char *data)
{
	uint8_t digest[32] = {0xab};

	if (strcmp(data, "usable") != 0 && strcmp(data, "unusable") != 0)
		return false;
	put_byte(d, strcmp(data, "usable") == 0 ? 3 : 1);
	put_byte(d, 1);
	put_byte(d, 1);
	put_bytes(d, digest, sizeof(digest));
	return true;
}

static bool put_address(struct world_dns *d, const char *data)
{
	uint8_t address[16];

	if (inet_pton(d->type == RR_A ? AF_INET : AF_INET6, data, address) != 1)
		return false;
	put_bytes(d, address, d->type == RR_A ? 4 : 16);
	return true;
}

static bool put_rdata(struct world_dns *d, const char *data)
{
	struct rr_rdata *rd = &d->rdata[d->answer.count];
	size_t start = d->used;
	bool ok = false;

	if (d->answer.count == WORLD_RECORDS_MAX)
		return false;
	switch (d->type) {
	case RR_MX:
		ok = put_mx(d, data);
		break;
	case RR_A:
	case RR_AAAA:
		ok = put_address(d, data);
		break;
	case RR_CNAME:
		put_name(d, data);
		ok = true;
		break;
	case RR_TXT:
		ok = put_txt(d, data);
		break;
	case RR_TLSA:
		ok = put_tlsa(d, data);
		break;
	}
	rd->bytes = d->bytes + start;
	rd->len = d->used - start;
	d->answer.count++;
	return ok;
}

static bool put_many(struct world_dns *d, const char *data)
{
	unsigned count;

	if (sscanf(data, "many %u", &count) != 1)
		return false;
	for (unsigned i = 1; i <= count; i++) {
		char mx[60];

		snprintf(mx, sizeof(mx), "%u mx%u.many.example", i, i);
		if (!put_rdata(d, mx))
			return false;
	}
	return true;
}

/* DATA | DATA */
static bool put_data(struct world_dns *d, const char *data)
{
	char one[3000];

	if (strncmp(data, "many ", 5) == 0)
		return put_many(d, data);
	while (*data != '\0') {
		const char *bar = strstr(data, " | ");
		size_t len = bar ? (size_t)(bar - data) : strlen(data);

		if (len >= sizeof(one))
			return false;
		memcpy(one, data, len);
		one[len] = '\0';
		if (!put_rdata(d, one))
			return false;
		data += len + (bar ? 3 : 0);
	}
	return d->answer.count > 0;
}

static bool take_status(struct world_dns *d, const char *text)
{
	int status = names_code(rr_status_names, text, strlen(text));

	d->never = strcmp(text, "never") == 0;
	d->answer.status = d->never ? RR_ERROR : (enum rr_status)status;
	return d->never || status >= 0;
}

static bool take_security(struct world_dns *d, const char *text)
{
	d->answer.secure = strcmp(text, "secure") == 0;
	return d->answer.secure || strcmp(text, "insecure") == 0;
}

static bool parse_dns(struct world_dns *d, const char *line)
{
	char text[DOMAIN_SIZE + 10];
	int type;

	if (!word(&line, d->name, sizeof(d->name)) || !word(&line, text, sizeof(text)))
		return false;
	type = names_code(rr_type_names, text, strlen(text));
	d->type = (enum rr_type)type;
	if (type < 0 || !word(&line, text, sizeof(text)) || !take_status(d, text))
		return false;
	if (d->answer.status == RR_ERROR || d->answer.status == RR_BOGUS)
		return *rest(line) == '\0';
	if (!word(&line, text, sizeof(text)) || !take_security(d, text) || !word(&line, text, sizeof(text)))
		return false;
	d->answer.ttl = (uint32_t)strtoul(text, NULL, 10);
	line = rest(line);
	if (strncmp(line, "-> ", 3) == 0) {
		line += 3;
		if (!word(&line, d->answer.canon, sizeof(d->answer.canon)))
			return false;
	}
	d->answer.rdata = d->rdata;
	return d->answer.status != RR_OK ? *rest(line) == '\0' : put_data(d, rest(line));
}

bool world_set_dns(struct world *w, const char *line)
{
	struct world_dns *d = xcalloc(1, sizeof(*d));

	if (!parse_dns(d, line) || w->dns_count == WORLD_DNS_MAX) {
		free(d);
		return false;
	}
	for (size_t i = 0; i < w->dns_count; i++) {
		if (w->dns[i]->type == d->type && strcmp(w->dns[i]->name, d->name) == 0) {
			free(w->dns[i]);
			w->dns[i] = d;
			return true;
		}
	}
	w->dns[w->dns_count++] = d;
	return true;
}

const struct world_dns *world_find_dns(const struct world *w, const char *name, enum rr_type type)
{
	const struct world_dns *any = NULL;

	for (size_t i = 0; i < w->dns_count; i++) {
		if (w->dns[i]->type != type)
			continue;
		if (strcmp(w->dns[i]->name, name) == 0)
			return w->dns[i];
		if (strcmp(w->dns[i]->name, "*") == 0)
			any = w->dns[i];
	}
	return any;
}

/* ---- HTTPS ---- */

static struct world_https *https_slot(struct world *w, const char *host)
{
	size_t i;

	for (i = 0; i < w->https_count; i++)
		if (strcmp(w->https[i].host, host) == 0)
			break;
	if (i == WORLD_HTTPS_MAX)
		abort();
	if (i == w->https_count)
		w->https_count++;
	free(w->https[i].body);
	memset(&w->https[i], 0, sizeof(w->https[i]));
	memcpy(w->https[i].host, host, strlen(host) + 1);
	return &w->https[i];
}

static void set_body(struct world_https *h, char *body)
{
	h->body = body;
	h->result = (struct policy_result){.failure = FETCH_OK, .body = body, .len = strlen(body)};
}

/* "\n" of the script as line ends */
static char *unescaped(const char *text)
{
	char *out = xstrdup(text), *to = out;
	const char *from;

	for (from = text; *from != '\0'; from++) {
		bool line_end = from[0] == '\\' && from[1] == 'n';

		*to++ = line_end ? '\n' : *from;
		from += line_end;
	}
	*to = '\0';
	return out;
}

/* MODE MAX_AGE MX... */
static bool https_policy(struct world_https *h, const char *line)
{
	char mode[20], max_age[20], mx[DOMAIN_SIZE + 2];
	char *body, *more;

	if (!word(&line, mode, sizeof(mode)) || !word(&line, max_age, sizeof(max_age)))
		return false;
	body = xasprintf("version: STSv1\r\nmode: %s\r\nmax_age: %s\r\n", mode, max_age);
	while (word(&line, mx, sizeof(mx))) {
		more = xasprintf("%smx: %s\r\n", body, mx);
		free(body);
		body = more;
	}
	set_body(h, body);
	return true;
}

static bool https_fail(struct world_https *h, const char *line)
{
	char kind[40];
	int failure;

	if (!word(&line, kind, sizeof(kind)))
		return false;
	failure = names_code(facts_fetch_failure_names, kind, strlen(kind));
	snprintf(h->why, sizeof(h->why), "%s", rest(line));
	h->result = (struct policy_result){.failure = (enum fetch_failure)failure, .why = h->why};
	return failure > 0;
}

bool world_set_https(struct world *w, const char *line)
{
	char host[DOMAIN_SIZE], what[20];
	struct world_https *h;

	if (!word(&line, host, sizeof(host)) || !word(&line, what, sizeof(what)))
		return false;
	h = https_slot(w, host);
	h->never = strcmp(what, "never") == 0;
	if (strcmp(what, "policy") == 0)
		return https_policy(h, line);
	if (strcmp(what, "fail") == 0)
		return https_fail(h, line);
	if (strcmp(what, "body") == 0) {
		set_body(h, unescaped(rest(line)));
		return true;
	}
	return h->never;
}

const struct world_https *world_find_https(const struct world *w, const char *host)
{
	for (size_t i = 0; i < w->https_count; i++)
		if (strcmp(w->https[i].host, host) == 0)
			return &w->https[i];
	return NULL;
}

/* ---- Redis ---- */

void world_set_hash(struct world *w, const char *key, const char *line, int64_t ends_at)
{
	size_t i;

	for (i = 0; i < w->hash_count; i++)
		if (strcmp(w->hash[i].key, key) == 0)
			break;
	if (i == WORLD_HASHES_MAX || strlen(key) >= sizeof(w->hash[i].key))
		abort();
	if (i == w->hash_count)
		w->hash_count++;
	free(w->hash[i].line);
	memcpy(w->hash[i].key, key, strlen(key) + 1);
	w->hash[i].line = line ? xstrdup(line) : NULL;
	w->hash[i].ends_at = ends_at;
}

const char *world_hash(const struct world *w, const char *key, int64_t now)
{
	for (size_t i = 0; i < w->hash_count; i++)
		if (strcmp(w->hash[i].key, key) == 0 && w->hash[i].ends_at > now)
			return w->hash[i].line;
	return NULL;
}

size_t world_fields(const char *line, struct text_field out[FACTS_TEXT_FIELDS_MAX])
{
	size_t n = 0;

	while (*line != '\0' && n < FACTS_TEXT_FIELDS_MAX) {
		const char *equal = strchr(line, '='), *end = strchrnul(line, '|');

		if (!equal || equal > end)
			abort();
		out[n].name = line;
		out[n].name_len = (size_t)(equal - line);
		out[n].value = equal + 1;
		out[n++].value_len = (size_t)(end - equal - 1);
		line = *end == '|' ? end + 1 : end;
	}
	return n;
}
