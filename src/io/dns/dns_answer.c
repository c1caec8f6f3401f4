/*
 * dns_answer.c - libunbound's result as the core knows answers: status, security, TTL, records. Called by dns_ub.c.
 */
#include "io/dns/dns_answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define RCODE_NOERROR 0
#define RCODE_NXDOMAIN 3

static const struct name_code rcode_names[] = {
    {"FORMERR", 1}, {"SERVFAIL", 2}, {"NOTIMP", 4}, {"REFUSED", 5}, {NULL, 0}};

static enum rr_status status_of(const struct ub_result *r)
{
	if (r->bogus)
		return RR_BOGUS;
	if (r->rcode != RCODE_NOERROR && r->rcode != RCODE_NXDOMAIN)
		return RR_ERROR;
	if (r->havedata)
		return RR_OK;
	return r->nxdomain ? RR_NXDOMAIN : RR_NODATA;
}

static const char *why_of(const struct ub_result *r, enum rr_status status)
{
	const char *rcode;

	if (status != RR_BOGUS && status != RR_ERROR)
		return NULL;
	if (r->why_bogus && *r->why_bogus != '\0')
		return r->why_bogus;
	if (status == RR_BOGUS)
		return "DNSSEC validation failed";
	rcode = names_name(rcode_names, r->rcode);
	return !rcode ? "unusual response code" : rcode;
}

void dns_answer_set_error(struct rr_answer *a, const char *why)
{
	*a = (struct rr_answer){.status = RR_ERROR, .why = why};
}

/* RDATA points into R; the array is the caller's to free. */
static struct rr_rdata *take_rdata(struct rr_answer *a, const struct ub_result *r)
{
	struct rr_rdata *rdata;
	size_t count = 0;

	while (r->data[count])
		count++;
	rdata = xcalloc(count, sizeof(*rdata));
	for (size_t i = 0; i < count; i++)
		rdata[i] = (struct rr_rdata){(const uint8_t *)r->data[i], (size_t)r->len[i]};
	a->rdata = rdata;
	a->count = count;
	return rdata;
}

void dns_answer_hand_over(dns_answer_fn *fn, void *arg, const struct ub_result *r)
{
	struct rr_answer a = {.status = status_of(r)};
	struct rr_rdata *rdata = NULL;

	a.why = why_of(r, a.status);
	if (a.status != RR_BOGUS && a.status != RR_ERROR) {
		a.secure = r->secure;
		a.ttl = r->ttl > 0 ? (uint32_t)r->ttl : 0;
		/* Nobody could ask for TLSA records at such a name: better nobody knows than "none". Where a TXT
		 * record stands is all one: RFC 8461 s3.1 reads what it says. */
		if (r->canonname && domain_canon(a.canon, r->canonname, strlen(r->canonname)) != DOMAIN_OK &&
		    r->qtype != (int)RR_TXT)
			dns_answer_set_error(&a, "alias of something that is no host name");
	}
	if (a.status == RR_OK)
		rdata = take_rdata(&a, r);
	fn(&a, arg);
	free(rdata);
}
