/*
 * plan_host.c - MX hosts: which there are, and how each comes to its TLSA state.
 *
 * Not here: what is asked when (plan.c), what a TLSA RRset means (dane.c). RFC 5321 s5.1, RFC 7505, RFC 7672 s2.2.
 */
#include "core/plan_host.h"

#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"

struct mx_record {
	uint16_t pref;
	char host[DOMAIN_SIZE];
};

int64_t plan_answer_until(const struct rr_answer *answer, int64_t now)
{
	if (answer->status == RR_ERROR || answer->status == RR_BOGUS)
		return now + FACTS_ERROR_TTL;
	if (answer->ttl < FACTS_TTL_MIN)
		return now + FACTS_TTL_MIN;
	return now + (answer->ttl > FACTS_TTL_MAX ? FACTS_TTL_MAX : (int64_t)answer->ttl);
}

/* By preference; equal ones by name, so that the RRset's order does not matter. */
static int compare_mx(const void *a, const void *b)
{
	const struct mx_record *x = a, *y = b;

	if (x->pref != y->pref)
		return x->pref < y->pref ? -1 : 1;
	return strcmp(x->host, y->host);
}

static bool has_host(const struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->host_count; i++)
		if (strcmp(f->host[i].name, name) == 0)
			return true;
	return false;
}

static void add_hosts(struct facts *f, const struct mx_record *mx, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (has_host(f, mx[i].host))
			continue;
		if (f->host_count == FACTS_HOSTS_MAX) {
			f->mx_truncated = true;
			return;
		}
		facts_add_host(f, mx[i].host);
	}
}

/* A "." beside real hosts is the publisher's slip and ignored; alone it says "no mail" (RFC 7505 s3). A record that
 * cannot be read names no host anybody could deliver to. */
static void take_records(struct facts *f, const struct rr_answer *answer)
{
	struct mx_record *mx = xcalloc(answer->count + 1, sizeof(*mx));
	size_t count = 0;
	bool null_mx = false;

	for (size_t i = 0; i < answer->count; i++) {
		if (!rr_mx(&answer->rdata[i], &mx[count].pref, mx[count].host))
			continue;
		if (mx[count].host[0] == '\0')
			null_mx = true;
		else
			count++;
	}
	qsort(mx, count, sizeof(*mx), compare_mx);
	f->mx_kind = null_mx && count == 0 ? MX_NULL : MX_RECORDS;
	add_hosts(f, mx, count);
	free(mx);
}

static enum mx_state security(const struct rr_answer *answer)
{
	return answer->secure ? MX_SECURE : MX_INSECURE;
}

void plan_take_mx(struct facts *f, const struct rr_answer *answer, int64_t now)
{
	f->mx_until = plan_answer_until(answer, now);
	f->mx_kind = MX_RECORDS;
	f->mx = security(answer);
	switch (answer->status) {
	case RR_OK:
		take_records(f, answer);
		return;
	case RR_NODATA:
		f->mx_kind = MX_IMPLICIT;
		facts_add_host(f, f->nexthop.domain);
		return;
	case RR_NXDOMAIN:
		f->mx_kind = MX_NXDOMAIN;
		return;
	case RR_ERROR:
		f->mx = MX_ERROR;
		f->mx_why = "the look-up failed";
		return;
	case RR_BOGUS:
		f->mx = MX_BOGUS;
		f->mx_why = "DNSSEC validation failed";
		return;
	}
}

static void done(struct host_fact *h, enum tlsa_state state, const char *why)
{
	h->step = HOST_DONE;
	h->tlsa = state;
	h->why = why;
}

/* "_25._tcp.mx.example"; false when DNS has no room for it. */
static bool tlsa_name(char out[DOMAIN_SIZE], uint16_t port, const char *host)
{
	struct sbuf b;

	sbuf_init(&b, out, DOMAIN_SIZE);
	sbuf_addf(&b, "_%u._tcp.", port);
	sbuf_add(&b, host);
	return sbuf_ok(&b);
}

static void no_tlsa_name(struct host_fact *h)
{
	if (h->step == HOST_ASK_TLSA_EXPANDED)
		h->step = HOST_ASK_TLSA;
	else
		done(h, TLSA_NONE, "the TLSA name would be longer than DNS allows");
}

bool plan_host_question(struct host_fact *h, uint16_t port, char name[DOMAIN_SIZE], enum rr_type *type)
{
	if (h->step == HOST_ASK_A && domain_is_numeric(h->name))
		done(h, TLSA_NONE, "the MX record names an address");
	for (;;) {
		switch (h->step) {
		case HOST_ASK_A:
		case HOST_ASK_AAAA:
		case HOST_ASK_CNAME:
			memcpy(name, h->name, sizeof(h->name));
			*type = h->step == HOST_ASK_A ? RR_A : h->step == HOST_ASK_AAAA ? RR_AAAA : RR_CNAME;
			return true;
		case HOST_ASK_TLSA_EXPANDED:
		case HOST_ASK_TLSA:
			*type = RR_TLSA;
			if (tlsa_name(name, port, h->step == HOST_ASK_TLSA ? h->name : h->expanded))
				return true;
			no_tlsa_name(h);
			break;
		case HOST_DONE:
			return false;
		}
	}
}

/* A secure address: TLSA at the expanded name first when the name is an alias (RFC 7672 s2.2.2). */
static void address_secure(struct host_fact *h, const struct rr_answer *answer)
{
	if (answer->canon[0] == '\0' || strcmp(answer->canon, h->name) == 0) {
		h->step = HOST_ASK_TLSA;
		return;
	}
	memcpy(h->expanded, answer->canon, sizeof(h->expanded));
	h->step = HOST_ASK_TLSA_EXPANDED;
}

static void take_address(struct host_fact *h, const struct rr_answer *answer)
{
	if (answer->status == RR_ERROR)
		done(h, TLSA_ERROR, "the address look-up failed");
	else if (answer->status == RR_BOGUS)
		done(h, TLSA_ERROR, "DNSSEC validation of the address failed");
	else if (answer->status == RR_NXDOMAIN)
		done(h, TLSA_NONE, "the host does not exist");
	else if (!answer->secure && answer->canon[0] != '\0')
		h->step = HOST_ASK_CNAME;
	else if (!answer->secure)
		done(h, TLSA_NONE, "the address is not signed");
	else if (answer->status == RR_OK)
		address_secure(h, answer);
	else if (h->step == HOST_ASK_A)
		h->step = HOST_ASK_AAAA;
	else
		done(h, TLSA_NONE, "the host has no address");
}

/* The address ended in an unsigned zone: a signed alias still has a base domain, its own name (RFC 7672 s2.2.2). */
static void take_cname(struct host_fact *h, const struct rr_answer *answer)
{
	if (answer->status == RR_ERROR)
		done(h, TLSA_ERROR, "the alias look-up failed");
	else if (answer->status == RR_BOGUS)
		done(h, TLSA_ERROR, "DNSSEC validation of the alias failed");
	else if (answer->status == RR_OK && answer->secure)
		h->step = HOST_ASK_TLSA;
	else
		done(h, TLSA_NONE, "the alias is not signed");
}

static const char *tlsa_why(const struct rr_answer *answer, enum tlsa_state state)
{
	if (state == TLSA_ERROR)
		return answer->status == RR_BOGUS ? "DNSSEC validation of the TLSA records failed"
						  : "the TLSA look-up failed";
	if (state != TLSA_NONE)
		return NULL;
	return answer->status == RR_OK ? "the TLSA records are not signed" : "no TLSA records";
}

static void take_tlsa(struct host_fact *h, const struct rr_answer *answer)
{
	enum tlsa_state state = dane_state(answer);

	if (state == TLSA_NONE && h->step == HOST_ASK_TLSA_EXPANDED) {
		h->expanded[0] = '\0';
		h->step = HOST_ASK_TLSA;
		return;
	}
	done(h, state, tlsa_why(answer, state));
}

void plan_host_take(struct host_fact *h, const struct rr_answer *answer, int64_t now)
{
	int64_t until = plan_answer_until(answer, now);

	h->waiting = false;
	if (until < h->until)
		h->until = until;
	switch (h->step) {
	case HOST_ASK_A:
	case HOST_ASK_AAAA:
		take_address(h, answer);
		return;
	case HOST_ASK_CNAME:
		take_cname(h, answer);
		return;
	case HOST_ASK_TLSA_EXPANDED:
	case HOST_ASK_TLSA:
		take_tlsa(h, answer);
		return;
	case HOST_DONE:
		return;
	}
}
