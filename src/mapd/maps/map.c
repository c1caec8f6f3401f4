/*
 * map.c - see map.h.
 */
#include "mapd/maps/map.h"

#include <string.h>

#include "mapd/serve/client.h"
#include "mapd/mapd.h"

void map_count(struct mapd *m, const struct map_row *row, enum sockmap_status status)
{
	m->metrics.requests[row->id][status]++;
}

void map_send(const struct map_query *q, const char *framed, size_t len)
{
	if (q->ask)
		client_ask_answer(q->ask, framed, len);
	else
		client_answer(q->client, framed, len);
}

void map_reply(struct mapd *m, const struct map_query *q)
{
	map_count(m, q->row, m->reply.status);
	map_send(q, m->reply.framed, m->reply.len);
}

void map_answer(struct mapd *m, const struct map_query *q, enum sockmap_status status, const char *text)
{
	reply_make(&m->reply, status, text);
	map_reply(m, q);
}

struct map_query map_wait(struct map_query *q, char *key, void (*abandon)(void *work), void *work)
{
	struct map_query kept = *q;

	if (q->ask)
		client_ask_wait_on(q->ask, abandon, work);
	else
		kept.ask = client_wait(q->client, abandon, work);
	kept.client = NULL;
	q->own = NULL;
	kept.key = memcpy(key, q->key, q->key_len);
	return kept;
}
