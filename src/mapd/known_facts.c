/*
 * known_facts.c - one malloc'd block per domain in a keyed table and in one of two lists by last use.
 *
 * Block: head, domain, MTA-STS part, then each next hop as kind, port, length and its part (facts_pack.c).
 */
#include "mapd/known_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hmap.h"
#include "base/xalloc.h"
#include "mapd/facts_pack.h"

struct block {
	struct hmap_node node;
	struct block *newer, *older;
	uint32_t generation; /* of the last known_facts_mark_all() it has outlived */
	uint32_t size;       /* of all */
	uint32_t sts_len;
	uint8_t hops;
	uint8_t marks;
	uint8_t privileged; /* in the list of policies in force */
	uint8_t domain_len;
	unsigned char data[]; /* domain with NUL, sts part, hops */
};

struct hop_head {
	uint8_t kind;
	uint16_t port;
	uint16_t len;
};

struct used_list {
	struct block *newest, *oldest;
	size_t count;
};

struct known_facts {
	struct hmap domains;
	struct used_list list[2]; /* [1]: with a policy in force */
	size_t max;
	uint32_t generation;
	struct known_facts_counts counts;
	struct packed work;
	void (*fn)(const char *domain, void *arg);
	void *arg;
};

static const char *block_domain(const struct block *b)
{
	return (const char *)b->data;
}

static const unsigned char *block_sts(const struct block *b)
{
	return b->data + b->domain_len + 1;
}

static void list_remove(struct known_facts *k, struct block *b)
{
	struct used_list *l = &k->list[b->privileged];

	*(b->newer != NULL ? &b->newer->older : &l->newest) = b->older;
	*(b->older != NULL ? &b->older->newer : &l->oldest) = b->newer;
	l->count--;
}

static void list_add(struct known_facts *k, struct block *b)
{
	struct used_list *l = &k->list[b->privileged];

	b->newer = NULL;
	b->older = l->newest;
	*(l->newest != NULL ? &l->newest->newer : &l->oldest) = b;
	l->newest = b;
	l->count++;
}

static struct block *find(const struct known_facts *k, const char *domain)
{
	struct hmap_node *n;

	for (n = hmap_first(&k->domains, hmap_hash(&k->domains, domain, strlen(domain))); n != NULL; n = hmap_next(n)) {
		struct block *b = hmap_entry(n, struct block, node);

		if (strcmp(block_domain(b), domain) == 0)
			return b;
	}
	return NULL;
}

static void drop(struct known_facts *k, struct block *b)
{
	list_remove(k, b);
	hmap_remove(&k->domains, &b->node);
	k->counts.octets -= b->size;
	free(b);
}

static void evict(struct known_facts *k, struct block *b)
{
	k->counts.evicted++;
	if (b->privileged) {
		k->counts.policies_evicted++;
		k->fn(block_domain(b), k->arg);
	}
	drop(k, b);
}

static void keep_bounds(struct known_facts *k)
{
	while (k->domains.count > 0 && (k->domains.count > k->max || k->counts.octets / KNOWN_OCTETS_EACH > k->max))
		evict(k, k->list[0].oldest != NULL ? k->list[0].oldest : k->list[1].oldest);
}

struct known_facts *known_facts_new(size_t max_domains, void (*fn)(const char *domain, void *arg), void *arg)
{
	struct known_facts *k = xcalloc(1, sizeof *k);

	hmap_init(&k->domains, 0);
	k->max = max_domains;
	k->fn = fn;
	k->arg = arg;
	return k;
}

static void free_node(struct hmap_node *node, void *arg)
{
	(void)arg;
	free(hmap_entry(node, struct block, node));
}

void known_facts_free(struct known_facts **k)
{
	if (*k == NULL)
		return;
	hmap_each(&(*k)->domains, free_node, NULL);
	hmap_fini(&(*k)->domains);
	packed_fini(&(*k)->work);
	free(*k);
	*k = NULL;
}

void known_facts_resize(struct known_facts *k, size_t max_domains)
{
	k->max = max_domains;
	keep_bounds(k);
}

static const unsigned char *hop_next(const unsigned char *at, struct hop_head *head)
{
	memcpy(head, at, sizeof *head);
	return at + sizeof *head;
}

static bool hop_is(const struct hop_head *head, const struct nexthop *n)
{
	return head->kind == n->kind && head->port == n->port;
}

static void add_hop(struct packed *p, const struct facts *f)
{
	struct hop_head head;
	size_t at = p->len;

	memset(&head, 0, sizeof head);
	head.kind = (uint8_t)f->nexthop.kind;
	head.port = f->nexthop.port;
	packed_add(p, &head, sizeof head);
	facts_pack_hop(p, f);
	head.len = (uint16_t)(p->len - at - sizeof head);
	memcpy(p->bytes + at, &head, sizeof head);
}

/* The hops that stay beside the new one; the oldest go first. How many. */
static size_t add_other_hops(struct packed *p, const struct block *old, const struct facts *f, bool with_hop)
{
	const unsigned char *at;
	size_t i, kept = 0, room = KNOWN_HOPS_MAX - with_hop;

	if (old == NULL)
		return 0;
	at = block_sts(old) + old->sts_len;
	for (i = 0; i < old->hops && kept < room; i++) {
		struct hop_head head;
		const unsigned char *body = hop_next(at, &head);

		if (!with_hop || !hop_is(&head, &f->nexthop)) {
			packed_add(p, at, sizeof head + head.len);
			kept++;
		}
		at = body + head.len;
	}
	return kept;
}

static struct block *build(struct known_facts *k, const struct block *old, const struct facts *f, bool with_hop)
{
	struct packed *p = &k->work;
	size_t domain_len = strlen(f->nexthop.domain), sts_len, hops = with_hop;
	struct block *b;

	p->len = 0;
	packed_add(p, f->nexthop.domain, domain_len + 1);
	facts_pack_sts(p, &f->sts);
	sts_len = p->len - domain_len - 1;
	if (with_hop)
		add_hop(p, f);
	hops += add_other_hops(p, old, f, with_hop);
	b = xcalloc(1, sizeof *b + p->len);
	memcpy(b->data, p->bytes, p->len);
	b->size = (uint32_t)(sizeof *b + p->len);
	b->sts_len = (uint32_t)sts_len;
	b->hops = (uint8_t)hops;
	b->domain_len = (uint8_t)domain_len;
	return b;
}

void known_facts_put(struct known_facts *k, const struct facts *f, int64_t now, bool with_hop)
{
	const char *domain = f->nexthop.domain;
	struct block *old = find(k, domain), *b = build(k, old, f, with_hop);

	b->generation = old != NULL ? old->generation : k->generation;
	b->marks = old != NULL ? old->marks : 0;
	b->privileged = facts_policy(f, now) != NULL;
	if (old != NULL)
		drop(k, old);
	hmap_insert(&k->domains, &b->node, hmap_hash(&k->domains, domain, strlen(domain)));
	list_add(k, b);
	k->counts.octets += b->size;
	keep_bounds(k);
}

bool known_facts_get(struct known_facts *k, const struct nexthop *nexthop, struct facts *f)
{
	struct block *b = find(k, nexthop->domain);
	const unsigned char *at;
	struct hop_head head;
	size_t i;

	if (b == NULL)
		return false;
	list_remove(k, b);
	list_add(k, b);
	facts_unpack_sts(block_sts(b), b->sts_len, &f->sts);
	at = block_sts(b) + b->sts_len;
	for (i = 0; i < b->hops; i++) {
		const unsigned char *body = hop_next(at, &head);

		if (hop_is(&head, nexthop))
			facts_unpack_hop(body, head.len, f);
		at = body + head.len;
	}
	return true;
}

static void hop_nexthop(struct nexthop *out, const struct block *b, const struct hop_head *head)
{
	char text[NEXTHOP_SIZE + 8], port[8] = "";
	bool host = head->kind == NEXTHOP_HOST;
	int len;

	if (head->port != 25)
		snprintf(port, sizeof port, ":%u", (unsigned)head->port);
	len = snprintf(text, sizeof text, "%s%s%s%s", host ? "[" : "", block_domain(b), host ? "]" : "", port);
	nexthop_parse(out, text, (size_t)len);
}

size_t known_facts_hops(struct known_facts *k, const char *domain, struct nexthop out[KNOWN_HOPS_MAX])
{
	struct block *b = find(k, domain);
	const unsigned char *at;
	struct hop_head head;
	size_t i;

	if (b == NULL)
		return 0;
	at = block_sts(b) + b->sts_len;
	for (i = 0; i < b->hops; i++) {
		at = hop_next(at, &head) + head.len;
		hop_nexthop(&out[i], b, &head);
	}
	return b->hops;
}

void known_facts_mark(struct known_facts *k, const char *domain, unsigned marks)
{
	struct block *b = find(k, domain);

	if (b != NULL)
		b->marks |= (uint8_t)marks;
}

void known_facts_mark_all(struct known_facts *k)
{
	k->generation++;
}

unsigned known_facts_marks(struct known_facts *k, const char *domain)
{
	struct block *b = find(k, domain);

	if (b == NULL)
		return 0;
	return b->marks | (b->generation != k->generation ? KNOWN_MARK_ALL : 0);
}

void known_facts_unmark(struct known_facts *k, const char *domain)
{
	struct block *b = find(k, domain);

	if (b == NULL)
		return;
	b->marks = 0;
	b->generation = k->generation;
}

void known_facts_counts(const struct known_facts *k, struct known_facts_counts *out)
{
	*out = k->counts;
	out->domains = k->domains.count;
	out->with_policy = k->list[1].count;
}
