/*
 * complaints.c - which faulty contents were complained about already (complaints.h).
 */
#include "io/mirror/complaints.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"

#define MINUTE_MS 60000

struct complaint {
	struct hmap_node node; /* its hash is the key */
	uint64_t content;
};

void complaints_init(struct complaints *c)
{
	memset(c, 0, sizeof(*c));
	hmap_init(&c->map, 0);
	c->key[0] = c->map.key[0];
	c->key[1] = c->map.key[1];
}

static void free_complaint(struct hmap_node *node, void *arg)
{
	(void)arg;
	free(hmap_entry(node, struct complaint, node));
}

void complaints_fini(struct complaints *c)
{
	hmap_each(&c->map, free_complaint, NULL);
	hmap_fini(&c->map);
}

uint64_t complaints_hash(const struct complaints *c, uint64_t seed, const void *bytes, size_t len)
{
	const uint64_t key[2] = {c->key[0] ^ seed, c->key[1]};

	return siphash13(key, bytes, len);
}

bool complaints_news(struct complaints *c, uint64_t key, uint64_t content)
{
	struct hmap_node *n = hmap_first(&c->map, key);
	struct complaint *known = n ? hmap_entry(n, struct complaint, node) : NULL;
	bool news = !known || known->content != content;

	if (!known) {
		if (c->map.count >= c->max)
			return true;
		known = xcalloc(1, sizeof(*known));
		hmap_insert(&c->map, &known->node, key);
	}
	known->content = content;
	return news;
}

void complaints_forget(struct complaints *c, uint64_t key)
{
	struct hmap_node *n = hmap_first(&c->map, key);

	if (!n)
		return;
	hmap_remove(&c->map, n);
	free_complaint(n, NULL);
}

bool complaints_may_log(struct complaints *c)
{
	int64_t now = tick_mono_ms();

	if (c->minute_ms == 0 || now - c->minute_ms >= MINUTE_MS) {
		if (c->silent > 0)
			log_warn("event=settings_complaints_suppressed count=%lu see=\"tlsmode domain list\"",
				 c->silent);
		c->minute_ms = now;
		c->lines = 0;
		c->silent = 0;
	}
	if (c->lines < COMPLAINTS_LINES) {
		c->lines++;
		return true;
	}
	c->silent++;
	return false;
}
