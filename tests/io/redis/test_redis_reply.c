/*
 * test_redis_reply.c - every kind of reply against every function that opens one; what is said of them; and SCAN's walk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "io/redis/redis_advice.h"
#include "io/redis/redis_reply.h"
#include "io/redis/redis_scan.h"

static struct redis_reply *reply_of(const char *bytes, size_t len)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;

	assert_non_null(reader);
	assert_int_equal(redisReaderFeed(reader, bytes, len), REDIS_OK);
	assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
	assert_non_null(reply);
	redisReaderFree(reader);
	return reply;
}

/* ---- which is what ---- */
#define ROW(bytes, kinds)                                                                                              \
	{                                                                                                              \
		bytes, sizeof(bytes) - 1, kinds                                                                        \
	}
static const struct reply_row {
	const char *bytes;
	size_t len;
	const char *kinds; /* letters of kinds_of() */
} rows[] = {
    ROW("+OK\r\n", "o"),
    ROW("+PONG\r\n", ""),
    ROW("+\r\n", ""),
    ROW("+OK\0\r\n", ""),
    ROW(":1\r\n", "i"),
    ROW(":-1\r\n", "i"),
    ROW("$-1\r\n", "n"),
    ROW("*-1\r\n", "n"),
    ROW("-ERR x\r\n", "e"),
    ROW("-WRONGTYPE x\r\n", "ew"),
    ROW("-\r\n", "e"),
    ROW("$0\r\n\r\n", "s"),
    ROW("$2\r\nOK\r\n", "s"),
    ROW("$3\r\na\0b\r\n", "s"),
    ROW("*0\r\n", "lp"),
    ROW("*1\r\n$1\r\na\r\n", "hl"),
    ROW("*2\r\n$1\r\na\r\n$1\r\nb\r\n", "hlp"),
    ROW("*2\r\n$0\r\n\r\n$0\r\n\r\n", "hlp"),
    ROW("*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", "hl"),
    ROW("*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n", "hlp"),
    ROW("*2\r\n$1\r\na\r\n:1\r\n", "h"),
    ROW("*2\r\n$1\r\na\r\n$-1\r\n", "h"),
    ROW("*2\r\n$1\r\na\r\n+b\r\n", "h"),
    ROW("*2\r\n$1\r\na\r\n-ERR b\r\n", "h"),
    ROW("*2\r\n:1\r\n$1\r\na\r\n", ""),
    ROW("*2\r\n*0\r\n*0\r\n", ""),
    ROW("*1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", ""),
    ROW("*2\r\n$1\r\n0\r\n*0\r\n", "hg"),
    ROW("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n", "hg"),
    ROW("*2\r\n$1\r\n0\r\n*1\r\n:1\r\n", "h"),
    ROW("*2\r\n$1\r\n0\r\n*2\r\n$1\r\nk\r\n$-1\r\n", "h"),
    ROW("*2\r\n$1\r\n0\r\n*-1\r\n", "h"),
    ROW("*2\r\n:0\r\n*0\r\n", ""),
    ROW("*3\r\n$1\r\n0\r\n*0\r\n*0\r\n", "h"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nt\r\n", "hlmt"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n", "hmc"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*-1\r\n", "hmc"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n$1\r\nk\r\n", "hmc"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*0\r\n", "hm"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n", "hm"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:1\r\n", "hm"),
    ROW("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n+OK\r\n", "hm"),
    ROW("*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n", "hlpm"),
    ROW("*4\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nt\r\n$1\r\nt\r\n", "hlpm"),
    ROW("*3\r\n+message\r\n$1\r\nc\r\n$1\r\nt\r\n", ""),
    ROW("*2\r\n:1\r\n:0\r\n", "x"),
    ROW("*3\r\n:1\r\n:0\r\n:0\r\n", ""),
    ROW("*2\r\n:1\r\n-ERR x\r\n", ""),
};

static void kinds_of(const struct redis_reply *r, char out[20])
{
	const struct redis_reply *culprit = NULL;
	struct redis_text text, cursor;
	struct redis_list list;
	int64_t n;
	const struct {
		char letter;
		bool is;
	} kinds[] = {
	    {'e', redis_reply_is_error(r, NULL)}, {'w', redis_reply_is_error(r, "WRONGTYPE")},
	    {'n', redis_reply_is_nil(r)},         {'o', redis_reply_is_status(r, "OK")},
	    {'i', redis_reply_integer(r, &n)},    {'s', redis_reply_string(r, &text)},
	    {'h', redis_reply_head(r, &text)},    {'l', redis_reply_list(r, &list)},
	    {'p', redis_reply_pairs(r, &list)},   {'g', redis_reply_page(r, &cursor, &list)},
	    {'m', redis_reply_is_message(r)},     {'t', redis_reply_message(r, &text)},
	    {'c', redis_reply_changes(r, &list)}, {'x', redis_reply_counts(r, 2, &culprit)},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].is)
			*out++ = kinds[i].letter;
	*out = '\0';
	assert_non_null(culprit);
}

static void each_is_what_it_is_and_nothing_else(void **state)
{
	char got[20];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct redis_reply *r = reply_of(rows[i].bytes, rows[i].len);

		kinds_of(r, got);
		if (strcmp(got, rows[i].kinds) != 0)
			fail_msg("row %zu, %s: %s, not %s", i, rows[i].bytes, got, rows[i].kinds);
		freeReplyObject(r);
	}
}

static void walks_give_all_and_end(void **state)
{
	static const char bytes[] = "*4\r\n$1\r\na\r\n$3\r\nb\0c\r\n$0\r\n\r\n$2\r\nde\r\n";
	struct redis_reply *r = reply_of(bytes, sizeof(bytes) - 1);
	struct redis_text name, value;
	struct redis_list list;

	(void)state;
	assert_true(redis_reply_pairs(r, &list));
	assert_int_equal(list.left, 4);
	assert_true(redis_pair_next(&list, &name, &value));
	assert_true(redis_text_is(&name, "a") && value.len == 3 && memcmp(value.text, "b\0c", 4) == 0);
	assert_false(redis_text_is(&value, "b"));
	assert_true(redis_pair_next(&list, &name, &value));
	assert_true(redis_text_is(&name, "") && redis_text_is(&value, "de"));
	assert_false(redis_pair_next(&list, &name, &value));
	assert_false(redis_list_next(&list, &name));
	freeReplyObject(r);
}

static void info_is_read_by_name(void **state)
{
	static const char bytes[] = "$27\r\na:1\r\nversion:7.0\r\nb:\0tail\r\n\r\n";
	struct redis_reply *r = reply_of(bytes, sizeof(bytes) - 1), *nil = reply_of("$-1\r\n", 5);
	char out[8];

	(void)state;
	assert_true(redis_reply_info(r, "version:", out, sizeof(out)));
	assert_string_equal(out, "7.0");
	assert_true(redis_reply_info(r, "b:", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_true(redis_reply_info(r, "none:", out, sizeof(out)));
	assert_string_equal(out, "");
	assert_false(redis_reply_info(nil, "none:", out, sizeof(out)));
	freeReplyObject(r);
	freeReplyObject(nil);
}

/* ---- what is said ---- */
static void what_came_is_said(void **state)
{
	static const struct {
		const char *bytes, *command, *why;
	} texts[] = {
	    {"-ERR x\r\n", "GET", "GET: ERR x"},
	    {"-ERR x\r\n", NULL, "ERR x"},
	    {"-ERR \033[31m\r\n", "GET", "GET: ERR ?[31m"},
	    {"-NOAUTH x\r\n", "GET",
	     "GET: NOAUTH x; Redis asks for a password: set redis.password_file (and redis.username)"},
	    {"-LOADING x\r\n", "", "LOADING x; Redis is reading its data from disk: we wait"},
	    {"+OK\r\n", "SCAN", "SCAN: a reply of the wrong kind: the status OK"},
	    {":-1\r\n", "SCAN", "SCAN: a reply of the wrong kind: the integer -1"},
	    {"*-1\r\n", "SCAN", "SCAN: a reply of the wrong kind: nil"},
	    {"$2\r\nab\r\n", "SCAN", "SCAN: a reply of the wrong kind: a string of 2 octets"},
	    {"*1\r\n$1\r\na\r\n", "SCAN", "SCAN: a reply of the wrong kind: an array of 1 strings"},
	    {"*1\r\n:1\r\n", "SCAN", "SCAN: a reply of the wrong kind: an array of 1, not all strings"},
	};
	char why[REDIS_WHY_SIZE], cut[8];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct redis_reply *r = reply_of(texts[i].bytes, strlen(texts[i].bytes));

		redis_reply_why(why, sizeof(why), texts[i].command, r);
		assert_string_equal(why, texts[i].why);
		redis_reply_why(cut, sizeof(cut), texts[i].command, r);
		assert_int_equal(strlen(cut), strlen(texts[i].why) < 7 ? strlen(texts[i].why) : 7);
		freeReplyObject(r);
	}
}

static void the_culprit_of_a_transaction_is_found(void **state)
{
	static const char bytes[] = "*3\r\n:1\r\n-OOM x\r\n:1\r\n";
	struct redis_reply *r = reply_of(bytes, sizeof(bytes) - 1);
	const struct redis_reply *culprit;

	(void)state;
	assert_false(redis_reply_counts(r, 3, &culprit));
	assert_true(redis_reply_is_error(culprit, "OOM"));
	assert_int_equal(redis_reply_weight(r), 4);
	freeReplyObject(r);
}

/* ---- SCAN ---- */
static bool page(struct redis_scan *s, const char *cursor, const char *keys, char why[REDIS_WHY_SIZE])
{
	char bytes[200];
	struct redis_list list;
	struct redis_reply *r;
	bool ok;

	snprintf(bytes, sizeof(bytes), "*2\r\n$%zu\r\n%s\r\n%s", strlen(cursor), cursor, keys);
	r = reply_of(bytes, strlen(bytes));
	ok = redis_scan_take(s, r, &list, why, REDIS_WHY_SIZE);
	freeReplyObject(r);
	return ok;
}

static void a_walk_ends(void **state)
{
	static const char *const bad[] = {"", "-1", "1a", "1 ", "123456789012345678901234"};
	char why[REDIS_WHY_SIZE];
	struct redis_scan s;

	(void)state;
	redis_scan_begin(&s);
	assert_string_equal(s.cursor, "0");
	assert_true(page(&s, "18446744073709551615", "*0\r\n", why) && !s.done);
	assert_string_equal(s.cursor, "18446744073709551615");
	assert_true(page(&s, "0", "*1\r\n$1\r\na\r\n", why) && s.done);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		redis_scan_begin(&s);
		assert_false(page(&s, bad[i], "*0\r\n", why));
		assert_false(s.done);
	}
}

static void a_circle_is_left(void **state)
{
	char why[REDIS_WHY_SIZE], cursor[24];
	struct redis_scan s;

	(void)state;
	for (unsigned tail = 0; tail < 20; tail++)
		for (unsigned circle = 1; circle < 20; circle++) {
			unsigned pages = 0;

			redis_scan_begin(&s);
			do {
				assert_true(pages < 200);
				snprintf(cursor, sizeof(cursor), "%u",
					 1 + (pages < tail ? pages : tail + (pages - tail) % circle));
				pages++;
			} while (page(&s, cursor, "*1\r\n$1\r\na\r\n", why));
			assert_true(pages > tail + circle && pages < 4 * (tail + circle) + 4);
			assert_non_null(strstr(why, "SCAN: it never ends"));
		}
}

static void nothing_for_ever_is_left(void **state)
{
	char why[REDIS_WHY_SIZE], cursor[24];
	struct redis_scan s;
	unsigned pages = 0;

	(void)state;
	redis_scan_begin(&s);
	do {
		assert_true(pages < 2000000);
		snprintf(cursor, sizeof(cursor), "%u", ++pages);
	} while (page(&s, cursor, pages == 5 ? "*1\r\n$1\r\na\r\n" : "*0\r\n", why));
	assert_int_equal(pages, 5 + 1000001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_what_it_is_and_nothing_else),
	    cmocka_unit_test(walks_give_all_and_end),
	    cmocka_unit_test(info_is_read_by_name),
	    cmocka_unit_test(what_came_is_said),
	    cmocka_unit_test(the_culprit_of_a_transaction_is_found),
	    cmocka_unit_test(a_walk_ends),
	    cmocka_unit_test(a_circle_is_left),
	    cmocka_unit_test(nothing_for_ever_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
