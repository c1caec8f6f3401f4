/*
 * key_scan.c - the keys in Redis that a glob matches (key_scan.h).
 */
#include "ctl/key_scan.h"

#include "io/redis/redis_advice.h"

void key_scan_begin(struct key_scan *s, redisContext *redis, const char *glob)
{
	*s = (struct key_scan){.redis = redis, .glob = glob};
	redis_scan_begin(&s->walk);
}

bool key_scan_next(struct key_scan *s, struct redis_list *keys, char *why, size_t size)
{
	const char *argv[] = {"SCAN", s->walk.cursor, "MATCH", s->glob, "COUNT", REDIS_SCAN_COUNT};

	why[0] = '\0';
	key_scan_end(s);
	if (s->walk.done)
		return false;
	s->page = redisCommandArgv(s->redis, sizeof(argv) / sizeof(argv[0]), argv, NULL);
	if (!s->page)
		redis_advice_format(why, size, "SCAN", s->redis->errstr);
	return s->page && redis_scan_take(&s->walk, s->page, keys, why, size);
}

void key_scan_end(struct key_scan *s)
{
	if (s->page)
		freeReplyObject(s->page);
	s->page = NULL;
}
