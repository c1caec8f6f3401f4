/*
 * test_from.c - RFC 5322 tokens and the author domain of a From: field.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "core/from.h"
#include "core/hdr.h"

enum token { CFWS, QUOTED, DOT_ATOM, LITERAL };

static void tokens_are_eaten_or_left(void **state)
{
	static const struct {
		enum token token;
		const char *text;
		int eaten; /* octets, -1: not this token */
		const char *content;
	} rows[] = {
	    {CFWS, "", 0, ""},
	    {CFWS, " \t x", 3, ""},
	    {CFWS, "(a(b)c) x", 8, ""},
	    {CFWS, "(a\\)b)x", 6, ""},
	    {CFWS, "\r\n x", 3, ""},
	    {CFWS, "\n\tx", 2, ""},
	    {CFWS, "\r\nx", 0, ""},
	    {CFWS, "\rx", 0, ""},
	    {CFWS, "\r\n", 2, ""},
	    {CFWS, "(a\r\n b)x", 7, ""},
	    {CFWS, "(a\nb)x", -1, ""},
	    {CFWS, "(a", -1, ""},
	    {CFWS, "(a(b)", -1, ""},
	    {CFWS, "(a\\", -1, ""},
	    {CFWS, "()()", 4, ""},
	    {CFWS, ")", 0, ""},
	    {CFWS, "(\x01)", -1, ""},
	    {QUOTED, "\"\"", 2, ""},
	    {QUOTED, "\"a b\"c", 5, "a b"},
	    {QUOTED, "\"a\\\"b\\\\\"", 8, "a\"b\\"},
	    {QUOTED, "\"a\r\n b\"", 7, "a b"},
	    {QUOTED, "\"a\n\tb\"", 6, "a\tb"},
	    {QUOTED, "\"a", -1, ""},
	    {QUOTED, "\"a\\", -1, ""},
	    {QUOTED, "\"a\\\"", -1, ""},
	    {QUOTED, "\"a\nb\"", -1, ""},
	    {QUOTED, "\"\x07\"", -1, ""},
	    {QUOTED, "a", -1, ""},
	    {QUOTED, "\"a@b (c)\"", 9, "a@b (c)"},
	    {DOT_ATOM, "a", 1, "a"},
	    {DOT_ATOM, "a.b", 3, "a.b"},
	    {DOT_ATOM, "a . b ", 6, "a.b"},
	    {DOT_ATOM, " (x) a(y).(z)b (w)", 18, "a.b"},
	    {DOT_ATOM, "a..b", 1, "a"},
	    {DOT_ATOM, "a.", 1, "a"},
	    {DOT_ATOM, ".a", -1, ""},
	    {DOT_ATOM, "", -1, ""},
	    {DOT_ATOM, "a@b", 1, "a"},
	    {DOT_ATOM, "a b", 2, "a"},
	    {DOT_ATOM,
	     "b\xc3\xbc"
	     "cher.x",
	     9,
	     "b\xc3\xbc"
	     "cher.x"},
	    {DOT_ATOM, "a (", 1, "a"},
	    {LITERAL, "[192.0.2.1]", 11, "192.0.2.1"},
	    {LITERAL, "[ a b ]x", 7, "ab"},
	    {LITERAL, "[a", -1, ""},
	    {LITERAL, "a", -1, ""},
	    {LITERAL, "[a[b]", -1, ""},
	    {LITERAL, "[a\\]b]", -1, ""},
	    {LITERAL, "[]", 2, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = malloc(len + 1), content[64];
		struct sbuf out;
		struct cur c;
		bool ok;

		memcpy(copy, rows[i].text, len); /* without the NUL: a reader past the end is seen by the sanitizer */
		sbuf_init(&out, content, sizeof(content));
		cur_init(&c, copy, len);
		switch (rows[i].token) {
		case CFWS:
			ok = hdr_skip_cfws(&c);
			break;
		case QUOTED:
			ok = hdr_quoted_string(&c, &out);
			break;
		case DOT_ATOM:
			ok = hdr_dot_atom(&c, &out);
			break;
		default:
			ok = hdr_domain_literal(&c, &out);
			break;
		}
		check_row(rows[i].text, ok == (rows[i].eaten >= 0));
		check_row(rows[i].text, len - cur_left(&c) == (ok ? (size_t)rows[i].eaten : 0));
		if (ok)
			check_row_text(rows[i].text, content, rows[i].content);
		free(copy);
	}
}

static void the_author_domain_is_found(void **state)
{
	static const struct {
		const char *field;
		const char *domain; /* NULL: none */
	} rows[] = {
	    {"a@x.example", "x.example"},
	    {"A <a@X.Example>", "x.example"},
	    {"\"B, C\" <a@x.example>", "x.example"},
	    {"a@x.example\r\n", "x.example"},
	    {"A\n\t<a@x.example>\n", "x.example"},
	    {"a@b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {"A. B. <a@x.example>", "x.example"},
	    {"\"a b\".c@x.example", "x.example"},
	    {"a . \"b\" @ x . example", "x.example"},
	    {"(c) a(c)@(c)x(c).(c)example(c)", "x.example"},
	    {"<@r.example,@s.example:a@x.example>", "x.example"},
	    {"<,@r.example,,:a@x.example>", "x.example"},
	    {"G: a@x.example;", "x.example"},
	    {"G: A <a@x.example>,;", "x.example"},
	    {"G:;, a@x.example", "x.example"},
	    {"\"a@evil.example\" <a@x.example>", "x.example"},
	    {"(a@evil.example) a@x.example", "x.example"},
	    {"=?utf-8?q?a=40evil.example?= <a@x.example>", "x.example"},
	    {"a@x.example,", "x.example"},
	    {",, a@x.example", "x.example"},
	    {"", NULL},
	    {"a", NULL},
	    {"a@", NULL},
	    {"@x.example", NULL},
	    {"<>", NULL},
	    {"a@b@x.example", NULL},
	    {"a@x.example, b@x.example", NULL},
	    {"a@x.example b@y.example", NULL},
	    {"a@x.example <b@y.example>", NULL},
	    {"<a@x.example> b", NULL},
	    {"<a@x.example>>", NULL},
	    {"<a@x.example", NULL},
	    {"a@x.example>", NULL},
	    {"B, C <a@x.example>", NULL},
	    {"B; C <a@x.example>", NULL},
	    {"G: a@x.example", NULL},
	    {"G: a@x.example, b@y.example;", NULL},
	    {"G: H: a@x.example;;", NULL},
	    {"G: a@x.example; b@y.example", NULL},
	    {"G: a@x.example;, b@y.example", NULL},
	    {"a@[192.0.2.1]", NULL},
	    {"a@192.0.2.1", NULL},
	    {"a@x..example", NULL},
	    {"a@.x.example", NULL},
	    {"a@x.example.", NULL},
	    {"a@x.example\nFrom: b@y.example", NULL},
	    {"a@x.example\rb", NULL},
	    {"a@x.exam\x01ple", NULL},
	    {"a@x.example (", NULL},
	    {"a@x.example)b@y.example", NULL},
	    {"=?utf-8?q?a?=@=?utf-8?q?x?=", NULL},
	    {"\"a@x.example", NULL},
	    {"a b@x.example", NULL},
	    {"<@r.example:>", NULL},
	    {"<@r.example>", NULL},
	    {"<,:a@x.example>", NULL},
	    {"<@r@s:a@x.example>", NULL},
	    {"a@x_y;z", NULL},
	    {"a@\xff.example", NULL},
	    {"a@x.example,b", NULL},
	    {"\\a@x.example", NULL},
	    {"a@x.ex ample", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = strlen(rows[i].field);
		char domain[DOMAIN_SIZE], *copy = malloc(len + 1);
		const char *reason;
		bool ok;

		memcpy(copy, rows[i].field, len);
		ok = from_domain(domain, copy, len, &reason);
		check_row(rows[i].field, ok == !!rows[i].domain);
		check_row_text(rows[i].field, domain, ok ? rows[i].domain : "");
		check_row(rows[i].field, ok == (!reason));
		free(copy);
	}
	char domain[DOMAIN_SIZE];
	const char *reason;
	assert_false(from_domain(domain, "a@x.example\0", 12, &reason));
}

/* Deep and long fields neither recurse nor take more than linear work. */
static void absurd_fields_are_survived(void **state)
{
	const size_t size = 1 << 20;
	char *field = malloc(size), domain[DOMAIN_SIZE];
	const char *reason;

	(void)state;
	memset(field, '(', size);
	assert_false(from_domain(domain, field, size, &reason));
	memset(field, '"', size);
	assert_false(from_domain(domain, field, size, &reason));
	memset(field, ',', size);
	memcpy(field + size - 3, "a@b", 3);
	assert_true(from_domain(domain, field, size, &reason));
	assert_string_equal(domain, "b");
	memset(field, 'a', size);
	field[1] = '@';
	assert_false(from_domain(domain, field, size, &reason));
	memset(field, '.', size);
	assert_false(from_domain(domain, field, size, &reason));
	for (size_t i = 0; i < size; i++)
		field[i] = "g:;,"[i % 4];
	assert_false(from_domain(domain, field, size, &reason));
	for (size_t i = 0; i < size; i++)
		field[i] = i % 2 ? '.' : 'a';
	assert_false(from_domain(domain, field, size, &reason));
	free(field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_are_eaten_or_left),
	    cmocka_unit_test(the_author_domain_is_found),
	    cmocka_unit_test(absurd_fields_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
