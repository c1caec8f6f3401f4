/*
 * fact_news.h - somebody changed facts in Redis: what that does to those we have, to jobs under way and to what was
 * rendered.
 *
 * What is of use is read again at once (reread.h), and only if it says something new is anything void. The rest is
 * marked (known_facts.h, finding.h) and read when it is asked for. Called by resolve.c, whose header says what a hash
 * that is missing or "forgotten" means.
 */
#ifndef TLSMODE_MAPD_FACT_NEWS_H
#define TLSMODE_MAPD_FACT_NEWS_H

#include <stddef.h>

#include <event2/event.h>

#include "core/facts.h"
#include "io/redis/redis.h"
#include "mapd/resolve/fetch_turn.h"
#include "mapd/resolve/jobs.h"
#include "mapd/resolve/known_facts.h"
#include "mapd/resolve/refresh.h"

/* All of it outlives the news. */
struct fact_news_env {
	struct event_base *base;
	struct redis *redis;
	struct known_facts *known;
	struct refresh *refresh;
	struct jobs *jobs;
	struct fetch_turns *turns;
	/* resolve.h; FACTS is NULL. */
	void (*on_facts)(const char *nexthop_key, const struct facts *facts, void *arg);
	void *arg;
};

struct fact_news;
/* Nothing is read again at once before fact_news_resize(). */
struct fact_news *fact_news_new(const struct fact_news_env *env);
void fact_news_free(struct fact_news **w);
void fact_news_resize(struct fact_news *w, size_t max); /* reads on their way at once; beyond that it is marked */

/* As resolve_fact_changed(). */
void fact_news_changed(struct fact_news *w, int rkey_kind, const char *name);

#endif
