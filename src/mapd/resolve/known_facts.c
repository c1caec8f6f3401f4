/*
 * known_facts.c - one block per domain in a keyed table and in one of two lists by last use.
 *
 * Block: head, domain, MTA-STS part, then each next hop as kind, port, length and its part (facts_pack.c).
 */
#include "mapd/resolve/known_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/refmap.h"
#include "base/slab.h"
#include "base/xalloc.h"
#include "mapd/resolve/facts_pack.h"

#define EVICTIONS_AT_ONCE 16 /* for one domain kept */
#define PORT_SMTP 25         /* what a next hop has that names none */

/* A block's lengths of a part, and of its domain, hold whatever it may have. */
#define HOST_OCTETS_MAX (sizeof(uint8_t) + sizeof(int64_t) + 2 * DOMAIN_SIZE + sizeof(char *))
_Static_assert(FACTS_HOSTS_MAX *HOST_OCTETS_MAX + 64 <= UINT16_MAX && DOMAIN_SIZE - 1 <= UINT8_MAX,
	       "hop_head.len and block.domain_len");

struct block {
	uint32_t hash;
	slab_ref newer, older;
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
	slab_ref newest, oldest;
	size_t count;
};

struct known_facts {
	struct refmap domains;
	struct slab slab;
	struct used_list list[2]; /* [1]: with a policy in force */
	size_t max;
	uint32_t generation;
	struct known_facts_counts counts;
	struct packed work;
	void (*fn)(const char *domain, void *arg);
	void *arg;
};

static struct block *block_at(const struct known_facts *k, slab_ref ref)
{
	return slab_at(&k->slab, ref);
}

static const char *block_domain(const struct block *b)
{
	return (const char *)b->data;
}

static const unsigned char *block_sts(const struct block *b)
{
	return b->data + b->domain_len + 1;
}

static uint32_t known_facts_hash_of(slab_ref ref, const void *known)
{
	return block_at(known, ref)->hash;
}

static void known_facts_list_remove(struct known_facts *k, struct block *b)
{
	struct used_list *l = &k->list[b->privileged];

	*(b->newer ? &block_at(k, b->newer)->older : &l->newest) = b->older;
	*(b->older ? &block_at(k, b->older)->newer : &l->oldest) = b->newer;
	l->count--;
}

static void list_add(struct known_facts *k, slab_ref ref)
{
	struct block *b = block_at(k, ref);
	struct used_list *l = &k->list[b->privileged];

	b->newer = 0;
	b->older = l->newest;
	*(l->newest ? &block_at(k, l->newest)->newer : &l->oldest) = ref;
	l->newest = ref;
	l->count++;
}

static slab_ref find_ref(const struct known_facts *k, const char *domain)
{
	struct refmap_find f;
	slab_ref ref = refmap_first(&k->domains, refmap_hash(&k->domains, domain, strlen(domain)), &f);

	while (ref && strcmp(block_domain(block_at(k, ref)), domain) != 0)
		ref = refmap_next(&k->domains, &f);
	return ref;
}

static struct block *known_facts_find(const struct known_facts *k, const char *domain)
{
	slab_ref ref = find_ref(k, domain);

	return ref ? block_at(k, ref) : NULL;
}

static void known_facts_drop(struct known_facts *k, slab_ref ref)
{
	struct block *b = block_at(k, ref);

	known_facts_list_remove(k, b);
	refmap_remove(&k->domains, b->hash, ref);
	k->counts.octets -= slab_size(b->size);
	slab_free(&k->slab, ref);
}

/* False: there is nothing left. */
static bool known_facts_evict(struct known_facts *k)
{
	slab_ref ref = k->list[0].oldest ? k->list[0].oldest : k->list[1].oldest;

	if (ref == 0)
		return false;
	k->counts.evicted++;
	if (block_at(k, ref)->privileged) {
		k->counts.policies_evicted++;
		k->fn(block_domain(block_at(k, ref)), k->arg);
	}
	known_facts_drop(k, ref);
	return true;
}

static bool known_facts_over_bound(const struct known_facts *k)
{
	return k->domains.count > k->max || k->counts.octets / KNOWN_OCTETS_EACH > k->max;
}

/* Not for long: a much smaller bound is reached little by little. */
static void keep_bounds(struct known_facts *k)
{
	for (int i = 0; i < EVICTIONS_AT_ONCE && known_facts_over_bound(k) && known_facts_evict(k); i++)
		;
}

/* Sizes that come and go leave holes: a quarter more is for those. */
static void set_max(struct known_facts *k, size_t max_domains)
{
	size_t most = SIZE_MAX / KNOWN_OCTETS_EACH / 2;

	k->max = max_domains;
	slab_set_max(&k->slab, (max_domains < most ? max_domains : most) * KNOWN_OCTETS_EACH / 4 * 5);
}

struct known_facts *known_facts_new(size_t max_domains, void (*fn)(const char *domain, void *arg), void *arg)
{
	struct known_facts *k = xcalloc(1, sizeof(*k));

	refmap_init(&k->domains, known_facts_hash_of, k);
	slab_init(&k->slab, 0);
	set_max(k, max_domains);
	k->fn = fn;
	k->arg = arg;
	return k;
}

void known_facts_free(struct known_facts **k)
{
	if (!*k)
		return;
	refmap_fini(&(*k)->domains);
	slab_fini(&(*k)->slab);
	facts_packed_fini(&(*k)->work);
	free(*k);
	*k = NULL;
}

void known_facts_resize(struct known_facts *k, size_t max_domains)
{
	set_max(k, max_domains);
}

static const unsigned char *hop_next(const unsigned char *at, struct hop_head *head)
{
	memcpy(head, at, sizeof(*head));
	return at + sizeof(*head);
}

static bool hop_is(const struct hop_head *head, const struct nexthop *n)
{
	return head->kind == n->kind && head->port == n->port;
}

static void add_hop(struct packed *p, const struct facts *f)
{
	struct hop_head head;
	size_t at = p->len;

	memset(&head, 0, sizeof(head));
	head.kind = (uint8_t)f->nexthop.kind;
	head.port = f->nexthop.port;
	facts_packed_add(p, &head, sizeof(head));
	facts_pack_hop(p, f);
	head.len = (uint16_t)(p->len - at - sizeof(head));
	memcpy(p->bytes + at, &head, sizeof(head));
}

/* Hops of OLD but that of N that have no port of their own: the domain, and the host of that name. */
static size_t usual_hops(const struct block *old, const struct nexthop *n)
{
	const unsigned char *at = block_sts(old) + old->sts_len;
	struct hop_head head;
	size_t count = 0;

	for (size_t i = 0; i < old->hops; i++) {
		at = hop_next(at, &head) + head.len;
		count += head.port == PORT_SMTP && !hop_is(&head, n);
	}
	return count;
}

/* The hops that stay beside the new one; the oldest go first, those without a port of their own never: who asks for port
 * after port takes nothing from the usual mail. How many. */
static size_t add_other_hops(struct packed *p, const struct block *old, const struct facts *f, bool with_hop)
{
	const unsigned char *at = old ? block_sts(old) + old->sts_len : NULL;
	size_t kept = 0, usual = old ? usual_hops(old, &f->nexthop) : 0, room = KNOWN_HOPS_MAX - with_hop - usual;

	for (size_t i = 0; old && i < old->hops; i++) {
		struct hop_head head;
		const unsigned char *body = hop_next(at, &head);
		bool is_usual = head.port == PORT_SMTP;

		if ((!with_hop || !hop_is(&head, &f->nexthop)) && (is_usual || room > 0)) {
			facts_packed_add(p, at, sizeof(head) + head.len);
			kept++;
			room -= !is_usual;
		}
		at = body + head.len;
	}
	return kept;
}

static slab_ref block_new(struct known_facts *k, size_t size)
{
	slab_ref ref;

	while ((ref = slab_alloc(&k->slab, size)) == 0 && known_facts_evict(k))
		;
	return ref;
}

/* What is to be kept of F and of OLD, in K's working buffer; the head of the block goes to HEAD. */
static void pack(struct known_facts *k, const struct block *old, const struct facts *f, bool with_hop,
		 struct block *head)
{
	struct packed *p = &k->work;
	size_t domain_len = strlen(f->nexthop.domain);

	p->len = 0;
	facts_packed_add(p, f->nexthop.domain, domain_len + 1);
	facts_pack_sts(p, &f->sts);
	head->sts_len = (uint32_t)(p->len - domain_len - 1);
	if (with_hop)
		add_hop(p, f);
	head->hops = (uint8_t)(with_hop + add_other_hops(p, old, f, with_hop));
	head->size = (uint32_t)(sizeof(*head) + p->len);
	head->domain_len = (uint8_t)domain_len;
}

void known_facts_put(struct known_facts *k, const struct facts *f, int64_t now, bool with_hop)
{
	const char *domain = f->nexthop.domain;
	slab_ref ref = find_ref(k, domain);
	const struct block *old = ref ? block_at(k, ref) : NULL;
	struct block head = {.hash = refmap_hash(&k->domains, domain, strlen(domain))};

	pack(k, old, f, with_hop, &head);
	head.generation = old ? old->generation : k->generation;
	head.marks = old ? old->marks : 0;
	head.privileged = facts_policy(f, now) ? 1 : 0;
	if (ref)
		known_facts_drop(k, ref);
	ref = block_new(k, head.size);
	if (ref == 0)
		return; /* the bound is less than this one domain */
	memcpy(block_at(k, ref), &head, sizeof(head));
	memcpy(block_at(k, ref)->data, k->work.bytes, k->work.len);
	refmap_insert(&k->domains, head.hash, ref);
	list_add(k, ref);
	k->counts.octets += slab_size(head.size);
	keep_bounds(k);
}

bool known_facts_get(struct known_facts *k, const struct nexthop *nexthop, struct facts *f)
{
	slab_ref ref = find_ref(k, nexthop->domain);
	const unsigned char *at;
	struct hop_head head;
	struct block *b;

	if (ref == 0)
		return false;
	b = block_at(k, ref);
	known_facts_list_remove(k, b);
	list_add(k, ref);
	facts_unpack_sts(block_sts(b), b->sts_len, &f->sts);
	at = block_sts(b) + b->sts_len;
	for (size_t i = 0; i < b->hops; i++) {
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

	if (head->port != PORT_SMTP)
		snprintf(port, sizeof(port), ":%u", (unsigned)head->port);
	len = snprintf(text, sizeof(text), "%s%s%s%s", host ? "[" : "", block_domain(b), host ? "]" : "", port);
	nexthop_parse(out, text, (size_t)len);
}

size_t known_facts_hops(struct known_facts *k, const char *domain, struct nexthop out[KNOWN_HOPS_MAX])
{
	struct block *b = known_facts_find(k, domain);
	const unsigned char *at;
	struct hop_head head;

	if (!b)
		return 0;
	at = block_sts(b) + b->sts_len;
	for (size_t i = 0; i < b->hops; i++) {
		at = hop_next(at, &head) + head.len;
		hop_nexthop(&out[i], b, &head);
	}
	return b->hops;
}

void known_facts_mark(struct known_facts *k, const char *domain, unsigned marks)
{
	struct block *b = known_facts_find(k, domain);

	if (b)
		b->marks |= (uint8_t)marks;
}

void known_facts_mark_all(struct known_facts *k)
{
	k->generation++;
}

unsigned known_facts_marks(struct known_facts *k, const char *domain)
{
	struct block *b = known_facts_find(k, domain);

	if (!b)
		return 0;
	return b->marks | (b->generation != k->generation ? KNOWN_MARK_ALL : 0);
}

void known_facts_unmark(struct known_facts *k, const char *domain)
{
	struct block *b = known_facts_find(k, domain);

	if (!b)
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
