/*
 * test_sockmap.c - netstrings and the socketmap requests and replies in them.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/netstring.h"
#include "core/sockmap.h"

static void netstrings_are_seen_as_soon_as_possible(void **state)
{
	static const struct {
		const char *wire;
		enum netstring_status status;
		const char *payload;
		size_t used;
	} rows[] = {
	    {"5:hello,", NETSTRING_OK, "hello", 8},
	    {"5:hello,3:abc,", NETSTRING_OK, "hello", 8},
	    {"0:,", NETSTRING_OK, "", 3},
	    {"005:hello,", NETSTRING_OK, "hello", 10},
	    {"", NETSTRING_MORE, "", 0},
	    {"1", NETSTRING_MORE, "", 0},
	    {"5:", NETSTRING_MORE, "", 0},
	    {"5:hello", NETSTRING_MORE, "", 0},
	    {":,", NETSTRING_BAD, "", 0},
	    {"a", NETSTRING_BAD, "", 0},
	    {"5 hello", NETSTRING_BAD, "", 0},
	    {"5:hello.", NETSTRING_BAD, "", 0},
	    {"101", NETSTRING_BAD, "", 0},
	    {"0000001", NETSTRING_BAD, "", 0},
	    {"-1:", NETSTRING_BAD, "", 0},
	};
	struct netstring ns;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(rows[i].wire, netstring_next(&ns, rows[i].wire, strlen(rows[i].wire), 100) == rows[i].status);
		check_row(rows[i].wire, ns.used == rows[i].used);
		check_row(rows[i].wire, ns.len == strlen(rows[i].payload));
		check_row(rows[i].wire, !!ns.reason == (rows[i].status == NETSTRING_BAD));
		if (ns.len > 0)
			assert_memory_equal(ns.payload, rows[i].payload, ns.len);
	}
}

static void netstrings_are_written(void **state)
{
	char buf[32];
	struct sbuf b;

	(void)state;
	sbuf_init(&b, buf, sizeof(buf));
	netstring_add(&b, "OK dane", 7);
	netstring_add(&b, "", 0);
	assert_string_equal(buf, "7:OK dane,0:,");
}

static void requests_are_split_at_the_first_space(void **state)
{
	struct sockmap_request r;

	(void)state;
	assert_true(sockmap_parse(&r, "enforced a b", 12));
	assert_int_equal(r.map_len, 8);
	assert_int_equal(r.key_len, 3);
	assert_memory_equal(r.key, "a b", 3);
	assert_true(sockmap_parse(&r, "enforced ", 9));
	assert_int_equal(r.key_len, 0);
	assert_false(sockmap_parse(&r, "DUMP", 4));
	assert_false(sockmap_parse(&r, " key", 4));
	assert_false(sockmap_parse(&r, "", 0));
}

static void replies_are_never_empty_ok(void **state)
{
	static const struct {
		enum sockmap_status status;
		const char *text, *reply;
	} rows[] = {
	    {SOCKMAP_OK, "encrypt", "OK encrypt"},
	    {SOCKMAP_OK, "", "TEMP internal error: empty answer"},
	    {SOCKMAP_NOTFOUND, "", "NOTFOUND "},
	    {SOCKMAP_TEMP, "a\nb\x7f", "TEMP a?b?"},
	};
	char buf[200];
	struct sbuf b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		sbuf_init(&b, buf, sizeof(buf));
		sockmap_reply(&b, rows[i].status, rows[i].text);
		check_row_text(rows[i].reply, buf, rows[i].reply);
	}
}

static void replies_are_never_cut(void **state)
{
	size_t size = SOCKMAP_REPLY_MAX + 100;
	char *text = xmalloc(size);
	char *buf = xmalloc(size);
	struct sbuf b;

	(void)state;
	memset(text, 'x', size);
	text[SOCKMAP_REPLY_MAX - 3] = '\0';
	sbuf_init(&b, buf, size);
	sockmap_reply(&b, SOCKMAP_OK, text);
	assert_int_equal(b.len, SOCKMAP_REPLY_MAX);
	text[SOCKMAP_REPLY_MAX - 3] = 'x';
	text[SOCKMAP_REPLY_MAX - 2] = '\0';
	sbuf_reset(&b);
	sockmap_reply(&b, SOCKMAP_OK, text);
	assert_memory_equal(buf, "TEMP ", 5);
	free(text);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(netstrings_are_seen_as_soon_as_possible),
	    cmocka_unit_test(netstrings_are_written),
	    cmocka_unit_test(requests_are_split_at_the_first_space),
	    cmocka_unit_test(replies_are_never_empty_ok),
	    cmocka_unit_test(replies_are_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
