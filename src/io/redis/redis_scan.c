/*
 * redis_scan.c - the walk of SCAN through all keys (redis_scan.h).
 *
 * A circle is found as Brent does it: one cursor is kept, and replaced after 1, 2, 4, 8... pages; once the steps from
 * one to the next are more than the circle is long, the one that is kept comes by again.
 */
#include "io/redis/redis_scan.h"

#include <stdio.h>
#include <string.h>

#include "io/redis/redis_advice.h"

#define EMPTY_MAX 1000000 /* pages: a thousand million keys that are none of ours, in a row */

void redis_scan_begin(struct redis_scan *s)
{
	*s = (struct redis_scan){.cursor = "0", .seen_for = 1};
}

static bool is_cursor(const struct redis_text *t)
{
	return t->len > 0 && t->len < REDIS_CURSOR_SIZE && strspn(t->text, "0123456789") == t->len;
}

/* False: the walk goes round in circles. */
static bool go_on(struct redis_scan *s, const char *cursor)
{
	if (strcmp(cursor, s->seen) == 0 || strcmp(cursor, s->cursor) == 0)
		return false;
	if (++s->pages == s->seen_for) {
		memcpy(s->seen, cursor, sizeof(s->seen));
		s->seen_for *= 2;
		s->pages = 0;
	}
	return true;
}

bool redis_scan_take(struct redis_scan *s, const struct redis_reply *reply, struct redis_list *keys, char *why,
		     size_t size)
{
	char cursor[REDIS_CURSOR_SIZE] = "";
	struct redis_text t;

	if (!redis_reply_page(reply, &t, keys) || !is_cursor(&t)) {
		redis_reply_why(why, size, "SCAN", reply);
		return false;
	}
	memcpy(cursor, t.text, t.len);
	s->done = strcmp(cursor, "0") == 0;
	s->empty = keys->left > 0 ? 0 : s->empty + 1;
	if (!s->done && (s->empty > EMPTY_MAX || !go_on(s, cursor))) {
		redis_advice_format(why, size, "SCAN", "it never ends: a cursor came twice, or no key for a long time");
		return false;
	}
	memcpy(s->cursor, cursor, sizeof(s->cursor));
	return true;
}
