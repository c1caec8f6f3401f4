/*
 * world.h - a scripted outside for the planner: what DNS, the policy hosts and Redis would say. No socket, no clock.
 */
#ifndef TLSMODE_TESTS_WORLD_H
#define TLSMODE_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts_text.h"
#include "core/plan.h"
#include "core/rr.h"

#define WORLD_RECORDS_MAX 120
#define WORLD_DNS_MAX 100
#define WORLD_HTTPS_MAX 10
#define WORLD_HASHES_MAX 10

struct world_dns {
	char name[DOMAIN_SIZE + 10]; /* "*": any name */
	enum rr_type type;
	bool never; /* the answer does not come */
	struct rr_answer answer;
	struct rr_rdata rdata[WORLD_RECORDS_MAX];
	uint8_t bytes[20000];
	size_t used;
};

struct world_https {
	char host[DOMAIN_SIZE];
	bool never;
	struct policy_result result;
	char why[120];
	char *body;
};

struct world_hash {
	char key[400]; /* "sts a.example" */
	char *line;    /* "name=value|name=value" */
	int64_t ends_at;
};

struct world {
	struct world_dns *dns[WORLD_DNS_MAX];
	size_t dns_count;
	struct world_https https[WORLD_HTTPS_MAX];
	size_t https_count;
	struct world_hash hash[WORLD_HASHES_MAX];
	size_t hash_count;
	bool redis_away, redis_slow; /* slow: there, but not to be read */
};

void world_fini(struct world *w);

/* "NAME TYPE ok secure|insecure TTL [-> CANON] DATA | DATA", "NAME TYPE nodata|nxdomain secure|insecure TTL [->
 * CANON]", "NAME TYPE error|bogus|never". Replaces what was said of NAME and TYPE. False: the line is malformed. DATA:
 * MX "10 mx.a.example" or "many N"; A, AAAA an address; CNAME a name; TXT text ('^' parts character-strings); TLSA
 * "usable", "unusable". */
bool world_set_dns(struct world *w, const char *line);

/* "HOST body TEXT" (\n is a line end), "HOST policy MODE MAX_AGE MX MX...", "HOST fail KIND why", "HOST never". */
bool world_set_https(struct world *w, const char *line);

void world_set_hash(struct world *w, const char *key, const char *line, int64_t ends_at);
/* The line of KEY at NOW, or NULL. */
const char *world_hash(const struct world *w, const char *key, int64_t now);

/* NULL: the script does not say. */
const struct world_dns *world_find_dns(const struct world *w, const char *name, enum rr_type type);
const struct world_https *world_find_https(const struct world *w, const char *host);

/* A hash line as fields, borrowed from LINE; how many. */
size_t world_fields(const char *line, struct text_field out[FACTS_TEXT_FIELDS_MAX]);

#endif
