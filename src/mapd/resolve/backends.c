/*
 * backends.c - counted pairs of a DNS and an HTTPS context.
 *
 * Called by resolve.c (reload), job.c and fetch_turn.c (users).
 */
#include "mapd/resolve/backends.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/xalloc.h"

struct backends {
	struct backend *present; /* the head of the list; holds one count itself */
};

static struct backend *pair_new(struct backends *all, struct dns *dns, struct https *https)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	*b = (struct backend){.dns = dns, .https = https, .all = all, .next = all->present, .users = 1};
	return b;
}

struct backends *backends_new(struct dns *dns, struct https *https)
{
	struct backends *all = xcalloc(1, sizeof(*all));

	all->present = pair_new(all, dns, https);
	return all;
}

/* Frees what no pair left in the list has. */
static void pair_free(struct backend *gone)
{
	bool dns_used = false, https_used = false;

	for (struct backend *b = gone->all->present; b; b = b->next) {
		dns_used = dns_used || b->dns == gone->dns;
		https_used = https_used || b->https == gone->https;
	}
	if (!dns_used)
		dns_free(&gone->dns);
	if (!https_used)
		https_free(&gone->https);
	free(gone);
}

struct backend *backend_use(struct backends *b)
{
	return backend_share(b->present);
}

struct backend *backend_share(struct backend *b)
{
	b->users++;
	return b;
}

void backend_leave(struct backend **b)
{
	struct backend *gone = *b, **at;

	*b = NULL;
	if (!gone || --gone->users > 0)
		return;
	for (at = &gone->all->present; *at != gone; at = &(*at)->next)
		;
	*at = gone->next;
	pair_free(gone);
}

void backends_replace(struct backends *b, struct dns *dns, struct https *https)
{
	struct backend *old = b->present;

	if (old->dns == dns && old->https == https)
		return;
	b->present = pair_new(b, dns, https);
	backend_leave(&old);
}

void backends_free(struct backends **b)
{
	struct backend *last;

	if (!*b)
		return;
	last = (*b)->present;
	backend_leave(&last);
	free(*b);
	*b = NULL;
}
