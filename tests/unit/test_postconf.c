/*
 * test_postconf.c - Postfix's configuration as postconf(1) prints it: texts, expansion, versions, tables.
 */
#include "unit/check.h"

#include "core/doctor/lookup_table.h"
#include "core/doctor/postconf.h"
#include "core/doctor/postfix_version.h"

static const char main_text[] = "compatibility_level = 3.6\n"
				"q = v\n"
				"e = \n"
				"loop = a$loop\n"
				"twice = $twice$twice\n"
				"shared = main\n"
				"user = <$shared>\n"
				"no equals sign\n"
				"again = first\n"
				"again = second\n"
				"long = a = b\n";
static const char master_text[] =
    "smtp       inet  n       -       y       -       -       smtpd\n"
    "smtp       unix  -       -       -       -       -       smtp\n"
    "smtp-enforced unix - - y - - smtp -o shared=own -o x={a b}\n"
    "filter     unix  -       n       n       -       -       pipe flags=R argv=/bin/f -f "
    "${sender}\n"
    "# comment unix - - - - - x\n"
    "cut unix - -\n";
static const char override_text[] = "smtp-enforced/unix/shared = own\n"
				    "smtp-enforced/unix/empty =\n"
				    "nowhere/unix/shared = lost\n"
				    "bad line\n";

static struct postconf *model(void)
{
	struct postconf *p = postconf_new();

	postconf_take_main(p, main_text, sizeof(main_text) - 1);
	postconf_take_services(p, master_text, sizeof(master_text) - 1);
	postconf_take_overrides(p, override_text, sizeof(override_text) - 1);
	return p;
}

/* What postconf -x of Postfix 3.7 makes of them. */
static void expansion_is_postfix_s(void **state)
{
	static const struct {
		const char *text, *value;
	} rows[] = {
	    {"plain", "plain"},
	    {"$q", "v"},
	    {"$(q)", "v"},
	    {"${q}", "v"},
	    {"$$q", "$q"},
	    {"$q.x", "v.x"},
	    {"$again", "second"},
	    {"$long", "a = b"},
	    {"${q:text}", ""},
	    {"${e:text}", "text"},
	    {"${q?text}", "text"},
	    {"${e?text}", ""},
	    {"${q?{a}:{b}}", "a"},
	    {"${e?{a}:{b}}", "b"},
	    {"${ q ? {a} }", "a"},
	    {"${q ?x}", "x"},
	    {"${nosuch}", ""},
	    {"${nosuch:z}", "z"},
	    {"${{$compatibility_level} <level {3.10} ? {yes} : {no}}", "yes"},
	    {"${{$compatibility_level} <level {2} ? {yes} : {no}}", "no"},
	    {"${{a} == {a} ? {x}:{y}}", "x"},
	    {"${{a} != {a} ? {x}:{y}}", "y"},
	    {"${{a}=={b}?{x}}", ""},
	    {"${{10} < {9} ? {x}:{y}}", "y"},
	    {"${{abc} < {abd}?{x}:{y}}", "x"},
	    {"${{1.5} < {1.6}?{x}:{y}}", "x"},
	    {"${{3.6} <level {3.6.1}?{x}:{y}}", "x"},
	    {"${{3} <=level {3.6}?{x}:{y}}", "x"},
	    {"${{3.6} >level {3}?{x}:{y}}", "x"},
	    {"${e?{a}:{${q?{deep}}}}", "deep"},
	};
	struct postconf *p = model();
	char value[200];
	struct sbuf b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		sbuf_init(&b, value, sizeof(value));
		check_row(rows[i].text, postconf_expand(p, NULL, rows[i].text, &b));
		check_row_text(rows[i].text, value, rows[i].value);
	}
	postconf_free(&p);
}

static void what_has_no_end_is_refused(void **state)
{
	static const char *const rows[] = {"$loop", "$twice", "${q",         "$(q",
					   "${}",   "${q!x}", "${{a} ?{b}}", "${{a} == }"};
	struct postconf *p = model();
	char value[200];
	struct sbuf b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		sbuf_init(&b, value, sizeof(value));
		check_row(rows[i], !postconf_expand(p, NULL, rows[i], &b));
	}
	postconf_free(&p);
}

static const char *value_of(const struct postconf *p, const char *service, const char *name, char out[200])
{
	struct sbuf b;

	sbuf_init(&b, out, 200);
	assert_true(postconf_value(p, service ? postconf_service(p, service, "unix") : NULL, name, &b));
	return out;
}

static void services_have_values_of_their_own(void **state)
{
	struct postconf *p = model();
	const struct postconf_service *own = postconf_service(p, "smtp-enforced", "unix");
	const struct postconf_service *plain = postconf_service(p, "smtp", "unix");
	char out[200];

	(void)state;
	assert_string_equal(value_of(p, NULL, "user", out), "<main>");
	assert_string_equal(value_of(p, "smtp", "user", out), "<main>");
	assert_string_equal(value_of(p, "smtp-enforced", "user", out), "<own>");
	assert_string_equal(value_of(p, "smtp-enforced", "empty", out), "");
	assert_true(postconf_overrides(p, own, "empty"));
	assert_false(postconf_overrides(p, plain, "shared"));
	assert_null(postconf_raw(p, plain, "empty"));
	assert_int_equal(postconf_service_count(p), 4);
	assert_string_equal(postconf_service(p, "filter", "unix")->command, "pipe");
	assert_string_equal(postconf_service(p, "filter", "unix")->args, "flags=R argv=/bin/f -f ${sender}");
	assert_true(postconf_chrooted(p, own));
	assert_false(postconf_chrooted(p, plain)); /* "-" at level 3.6 */
	postconf_free(&p);
}

static void old_levels_mean_a_chroot(void **state)
{
	struct postconf *p = postconf_new();

	(void)state;
	postconf_take_main(p, "compatibility_level = 0\n", 24);
	postconf_take_services(p, "smtp unix - - - - - smtp\n", 25);
	assert_true(postconf_chrooted(p, postconf_service(p, "smtp", "unix")));
	postconf_free(&p);
}

static void versions_are_ordered(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		unsigned minor, patch; /* at least 3.MINOR.PATCH, and not 3.MINOR.PATCH+1 */
	} rows[] = {
	    {"3.7.11", true, 7, 11},
	    {"3.10.13", true, 10, 13},
	    {"3.11-20250101", true, 11, 0},
	    {"3.10.0-RC1", true, 10, 0},
	    {"3.5.0", true, 5, 0},
	    {"3.10", true, 10, 0},
	    {"", false, 0, 0},
	    {"3", false, 0, 0},
	    {"3.", false, 0, 0},
	    {"3.7.", false, 0, 0},
	    {"3.7.11x", false, 0, 0},
	    {"x.7", false, 0, 0},
	    {"3.99999999999", false, 0, 0},
	    {"3.7 .1", false, 0, 0},
	};
	struct postfix_version v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(rows[i].text, postfix_version_parse(&v, rows[i].text) == rows[i].ok);
		if (!rows[i].ok)
			continue;
		check_row(rows[i].text, postfix_version_at_least(&v, 3, rows[i].minor, rows[i].patch));
		check_row(rows[i].text, !postfix_version_at_least(&v, 3, rows[i].minor, rows[i].patch + 1));
		check_row(rows[i].text, !postfix_version_at_least(&v, 4, 0, 0));
		check_row(rows[i].text, postfix_version_at_least(&v, 2, 99, 99));
	}
}

static void lists_keep_braces_together(void **state)
{
	const char *rest = " a, b\tinline:{ {x = y}, z=w },,{ unix:s, default_action=tempfail } ";
	static const char *const want[] = {"a", "b", "inline:{ {x = y}, z=w }", "{ unix:s, default_action=tempfail }"};
	char word[100];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		assert_true(lookup_list_take(&rest, word, sizeof(word)));
		assert_string_equal(word, want[i]);
	}
	assert_false(lookup_list_take(&rest, word, sizeof(word)));
}

static void tables_are_told_apart(void **state)
{
	static const struct {
		const char *text, *type, *name, *endpoint, *map;
		bool proxied;
		enum table_listing listing;
	} rows[] = {
	    {"hash:/etc/t", "hash", "/etc/t", "", "", false, TABLE_BY_POSTMAP},
	    {"proxy:mysql:/etc/t", "mysql", "/etc/t", "", "", true, TABLE_NEVER},
	    {"socketmap:unix:tlsmode/map.sock:enforced", "socketmap", "unix:tlsmode/map.sock:enforced",
	     "unix:tlsmode/map.sock", "enforced", false, TABLE_NEVER},
	    {"proxy:socketmap:inet:127.0.0.1:8461:transport", "socketmap", "inet:127.0.0.1:8461:transport",
	     "inet:127.0.0.1:8461", "transport", true, TABLE_NEVER},
	    {"regexp:/etc/r", "regexp", "/etc/r", "", "", false, TABLE_BY_TEXT},
	    {"pcre:{{/x/ y}}", "pcre", "{{/x/ y}}", "", "", false, TABLE_BY_NAME},
	    {"static:smtp:[x]", "static", "smtp:[x]", "", "", false, TABLE_BY_NAME},
	    {"fail:x", "fail", "x", "", "", false, TABLE_EMPTY},
	    {"word", "", "word", "", "", false, TABLE_NEVER},
	};
	struct lookup_table t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		lookup_table_parse(&t, rows[i].text, strlen(rows[i].text));
		check_row_text(rows[i].text, t.whole, rows[i].text);
		check_row_text(rows[i].text, t.type, rows[i].type);
		check_row_text(rows[i].text, t.name, rows[i].name);
		check_row_text(rows[i].text, t.endpoint, rows[i].endpoint);
		check_row_text(rows[i].text, t.map, rows[i].map);
		check_row(rows[i].text, t.proxied == rows[i].proxied);
		check_row(rows[i].text, lookup_table_listing(&t) == rows[i].listing);
	}
}

static void entries_are_read(void **state)
{
	static const struct {
		const char *type, *text, *entries; /* "key>value|..." */
	} rows[] = {
	    {"", "a\tb\nc\td e\n", "a>b|c>d e|"},
	    {"regexp", "# c\n/a b/i x y\n\n!/c\\/d/ z\nif /x/\n/in/ w\nendif\n  more\n",
	     "/a b/i>x y|!/c\\/d/>z|/in/>w|"},
	    {"regexp", "/a/ b\n   c\n/d/ e", "/a/>b\n   c|/d/>e|"},
	    {"pcre", "{ {/a b/ x} , {/c/ y} }", "/a b/>x|/c/>y|"},
	    {"cidr", "127.0.0.0/8 OK\n::1 x\n", "127.0.0.0/8>OK|::1>x|"},
	    {"static", "smtp:[x]", "*>smtp:[x]|"},
	    {"static", "{ a b }", "*>a b|"},
	    {"randmap", "{ a, b }", "*>a|*>b|"},
	    {"regexp", "", ""},
	    {"regexp", "/unended", ""},
	    {"regexp", "{", ""},
	};
	struct lookup_reader r;
	struct lookup_entry e;
	char got[200];
	struct sbuf b;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		sbuf_init(&b, got, sizeof(got));
		lookup_reader_init(&r, rows[i].type, rows[i].text, strlen(rows[i].text));
		while (lookup_reader_next(&r, &e))
			sbuf_addf(&b, "%.*s>%.*s|", (int)e.key_len, e.key, (int)e.value_len, e.value);
		check_row_text(rows[i].text, got, rows[i].entries);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(expansion_is_postfix_s),
	    cmocka_unit_test(what_has_no_end_is_refused),
	    cmocka_unit_test(services_have_values_of_their_own),
	    cmocka_unit_test(old_levels_mean_a_chroot),
	    cmocka_unit_test(versions_are_ordered),
	    cmocka_unit_test(lists_keep_braces_together),
	    cmocka_unit_test(tables_are_told_apart),
	    cmocka_unit_test(entries_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
