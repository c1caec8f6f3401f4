/*
 * test_setting.c - one settings key: fields read strictly, names made canonical.
 */
#include "unit/check.h"

#include "core/settings.h"

#define S SETTING_SENDER
#define R SETTING_RCPT
#define X SETTING_EXCEPT

struct got {
	struct setting s;
	char complaint[160];
	bool ok;
};

static struct got read_one(enum setting_kind kind, const char *field, const char *value)
{
	struct got g;

	setting_init(&g.s);
	g.ok = setting_field(&g.s, kind, field, strlen(field), value, strlen(value), g.complaint, sizeof(g.complaint));
	return g;
}

static void modes_are_read_strictly(void **state)
{
	static const struct {
		const char *value;
		enum mode mode;
		bool ok;
	} rows[] = {
	    {"opportunistic", MODE_OPPORTUNISTIC, true},
	    {"OPPORTUNISTIC", MODE_OPPORTUNISTIC, true},
	    {"enforced", MODE_ENFORCED, true},
	    {"Enforced", MODE_ENFORCED, true},
	    {"verified", MODE_VERIFIED, true},
	    {"enforce", MODE_ENFORCED, false},
	    {"oportunistic", MODE_ENFORCED, false},
	    {"", MODE_ENFORCED, false},
	    {"none", MODE_ENFORCED, false},
	    {" opportunistic", MODE_ENFORCED, false},
	    {"0", MODE_ENFORCED, false},
	    {"opportunistic ", MODE_ENFORCED, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct got g = read_one(i % 2 ? S : R, "mode", rows[i].value);
		check_row(rows[i].value, g.ok == rows[i].ok);
		check_row(rows[i].value, g.s.mode == rows[i].mode);
		check_row(rows[i].value, g.s.has == SETTING_HAS_MODE);
		check_row(rows[i].value, (g.s.bad == SETTING_HAS_MODE) == !rows[i].ok);
		check_row(rows[i].value, (g.complaint[0] == '\0') == rows[i].ok);
	}
}

static void via_is_a_transport_name(void **state)
{
	static const struct {
		const char *value;
		bool ok;
	} rows[] = {
	    {"pool2", true},
	    {"Pool-2_b.x", true},
	    {"a", true},
	    {"123456789012345678901234567890123456789012345678901234567890123", true},
	    {"1234567890123456789012345678901234567890123456789012345678901234", false},
	    {"", false},
	    {"pool2:", false},
	    {"smtp:[mx.example]", false},
	    {"po ol", false},
	    {"-x", false},
	    {".", false},
	    {"p\nq", false},
	    {"p\xc3\xb6", false},
	    {"../x", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct got g = read_one(S, "via", rows[i].value);
		check_row(rows[i].value, g.ok == rows[i].ok);
		check_row_text(rows[i].value, g.s.via, rows[i].ok ? rows[i].value : "");
		check_row(rows[i].value, g.s.has == (rows[i].ok ? SETTING_HAS_VIA : 0u));
		check_row(rows[i].value, g.s.bad == (rows[i].ok ? 0u : SETTING_HAS_VIA));
	}
}

static void match_is_a_list_of_names(void **state)
{
	static const struct {
		const char *value;
		const char *match; /* NULL: bad */
	} rows[] = {
	    {"a.example", "a.example"},
	    {"A.Example:.B.example.", "a.example:.b.example"},
	    {"b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {".b\xc3\xbc"
	     "cher.example:mx",
	     ".xn--bcher-kva.example:mx"},
	    {"", NULL},
	    {":", NULL},
	    {"a.example:", NULL},
	    {":a.example", NULL},
	    {"a.example::b.example", NULL},
	    {"*.example", NULL},
	    {"a.example,b.example", NULL},
	    {"a.example b.example", NULL},
	    {".", NULL},
	    {"..example", NULL},
	    {"hostname", NULL},
	    {"nexthop:a.example", NULL},
	    {"dot-nexthop", NULL},
	    {"192.0.2.1", NULL},
	    {"[192.0.2.1]", NULL},
	    {"a.example ciphers=null", NULL},
	    {"a{b}", NULL},
	};
	char too_long[SETTING_VALUE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct got g = read_one(R, "match", rows[i].value);
		check_row(rows[i].value, g.ok == !!rows[i].match);
		check_row_text(rows[i].value, g.s.match, rows[i].match ? rows[i].match : "");
		check_row(rows[i].value, g.s.has == SETTING_HAS_MATCH); /* a bad one is in force: nothing matches */
	}
	for (size_t i = 0; i < sizeof(too_long); i++)
		too_long[i] = i % 2 ? ':' : 'a';
	too_long[SETTING_MATCH_MAX] = '\0'; /* 1001 octets would not fit: a:a:...:a of 999 does */
	too_long[SETTING_MATCH_MAX - 1] = '\0';
	assert_true(read_one(R, "match", too_long).ok);
	memset(too_long, 'a', sizeof(too_long));
	for (size_t i = 50; i < SETTING_MATCH_MAX + 40; i += 50)
		too_long[i] = '.';
	for (size_t i = 200; i < SETTING_MATCH_MAX + 40; i += 200)
		too_long[i] = ':';
	too_long[SETTING_MATCH_MAX + 1] = '\0';
	struct got g = read_one(R, "match", too_long);
	assert_false(g.ok);
	assert_string_equal(g.s.match, "");
}

static void exceptions_need_the_exact_word(void **state)
{
	static const struct {
		const char *field, *value;
		bool ok, dane, sts, plaintext, for_all;
	} rows[] = {
	    {"dane", "ignore", true, true, false, false, false},
	    {"dane", "IGNORE", true, true, false, false, false},
	    {"dane", "ignored", false, false, false, false, false},
	    {"dane", "allow", false, false, false, false, false},
	    {"dane", "", false, false, false, false, false},
	    {"sts", "ignore", true, false, true, false, false},
	    {"sts", "yes", false, false, false, false, false},
	    {"plaintext", "allow", true, false, false, true, false},
	    {"plaintext", "ignore", false, false, false, false, false},
	    {"for", "all", true, false, false, false, true},
	    {"for", "Opportunistic", true, false, false, false, false},
	    {"for", "everyone", false, false, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct got g = read_one(X, rows[i].field, rows[i].value);
		check_row(rows[i].value, g.ok == rows[i].ok);
		check_row(rows[i].value, g.s.dane_ignore == rows[i].dane);
		check_row(rows[i].value, g.s.sts_ignore == rows[i].sts);
		check_row(rows[i].value, g.s.plaintext_allow == rows[i].plaintext);
		check_row(rows[i].value, g.s.for_all == rows[i].for_all);
		check_row(rows[i].value, g.s.has != 0);
	}
}

static void fields_belong_to_their_kind(void **state)
{
	static const struct {
		enum setting_kind kind;
		const char *field;
		bool known;
	} rows[] = {
	    {S, "mode", true},   {S, "via", true},       {S, "note", true},       {S, "match", false},
	    {S, "dane", false},  {S, "for", false},      {R, "mode", true},       {R, "match", true},
	    {R, "note", true},   {R, "via", false},      {R, "plaintext", false}, {X, "dane", true},
	    {X, "sts", true},    {X, "plaintext", true}, {X, "for", true},        {X, "note", true},
	    {X, "mode", false},  {X, "match", false},    {S, "", false},          {S, "Mode", false},
	    {S, "mode ", false}, {S, "modes", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct got g = read_one(rows[i].kind, rows[i].field, "x");
		check_row(rows[i].field, g.s.unknown == (rows[i].known ? 0u : 1u));
		check_row(rows[i].field, rows[i].known || (g.s.has == 0 && !g.ok));
	}
}

static void complaints_name_field_and_value(void **state)
{
	static const struct {
		enum setting_kind kind;
		const char *field, *value, *complaint;
	} rows[] = {
	    {S, "mode", "enforcd", "mode \"enforcd\" is not opportunistic, enforced or verified: read as enforced"},
	    {X, "dane", "off\x1b\n\"", "dane \"off???\" is not ignore: no exception"},
	    {S, "via", "a:b", "via \"a:b\" is not a transport name: ignored"},
	    {R, "colour", "red", "field \"colour\" has no meaning in a rcpt setting: ignored"},
	    {X, "colour", "red", "field \"colour\" has no meaning in an except setting: ignored"},
	    {R, "match", "1234567890123456789012345678901234567890!",
	     "match \"1234567890123456789012345678901234567890...\" is not a list of certificate names: nothing "
	     "matches"},
	};
	char huge[SETTING_VALUE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row_text(rows[i].field, read_one(rows[i].kind, rows[i].field, rows[i].value).complaint,
			       rows[i].complaint);
	memset(huge, 'n', sizeof(huge));
	huge[sizeof(huge) - 1] = '\0';
	assert_false(read_one(S, "note", huge).ok);
	huge[SETTING_VALUE_MAX] = '\0';
	assert_true(read_one(S, "note", huge).ok);
}

static void values_may_hold_any_octet(void **state)
{
	struct setting s;
	char complaint[160];

	(void)state;
	setting_init(&s);
	assert_false(setting_field(&s, S, "mode", 4, "enforced\0", 9, complaint, sizeof(complaint)));
	assert_int_equal(s.mode, MODE_ENFORCED);
	assert_false(setting_field(&s, S, "mode", 4, "opportunistic\0", 14, complaint, sizeof(complaint)));
	assert_int_equal(s.mode, MODE_ENFORCED);
	assert_false(setting_field(&s, S, "mo\0e", 4, "verified", 8, complaint, sizeof(complaint)));
	assert_int_equal(s.unknown, 1);
}

static void names_are_made_canonical(void **state)
{
	static const struct {
		enum setting_kind kind;
		const char *raw;
		const char *canon; /* NULL: no name */
	} rows[] = {
	    {S, "Example.COM", "example.com"},
	    {S, "example.com.", "example.com"},
	    {S, ".Example.com", ".example.com"},
	    {S,
	     "b\xc3\xbc"
	     "cher.example",
	     "xn--bcher-kva.example"},
	    {S, "*", "*"},
	    {S, "<>", "<>"},
	    {S, "com", "com"},
	    {S, "", NULL},
	    {S, ".", NULL},
	    {S, "..com", NULL},
	    {S, "a..b", NULL},
	    {S, "user@example.com", NULL},
	    {S, "*.example.com", NULL},
	    {S, "[mx.example]", NULL},
	    {S, "a b", NULL},
	    {S, "192.0.2.1", NULL},
	    {S, "[192.0.2.1]", NULL},
	    {S, "example.com:25", NULL},
	    {S, "-a.example", NULL},
	    {S, "xn--\xc3\xbc.test", NULL},
	    {R, "Example.COM.", "example.com"},
	    {R, "*", "*"},
	    {R, ".Example.com", ".example.com"},
	    {R, "<>", NULL},
	    {R, "[Relay.example]", "[relay.example]"},
	    {R, "[relay.example]:587", "[relay.example]:587"},
	    {R, "[relay.example]:25", "[relay.example]"},
	    {X, "example.com:submission", "example.com:587"},
	    {X, "[192.0.2.1]", "[192.0.2.1]"},
	    {X, "192.0.2.1", "[192.0.2.1]"},
	    {X, "[IPv6:2001:DB8::1]", "[2001:db8::1]"},
	    {X, "/var/run/lmtp", NULL},
	    {X, "user@example.com", NULL},
	    {X, "[a", NULL},
	    {X, "", NULL},
	    {X, "*.example", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char out[SETTING_NAME_SIZE];
		const char *reason;
		bool ok = setting_name_canon(out, rows[i].kind, rows[i].raw, strlen(rows[i].raw), &reason);
		check_row(rows[i].raw, ok == !!rows[i].canon);
		check_row_text(rows[i].raw, out, rows[i].canon ? rows[i].canon : "");
		check_row(rows[i].raw, (!reason) == ok);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(modes_are_read_strictly),     cmocka_unit_test(via_is_a_transport_name),
	    cmocka_unit_test(match_is_a_list_of_names),    cmocka_unit_test(exceptions_need_the_exact_word),
	    cmocka_unit_test(fields_belong_to_their_kind), cmocka_unit_test(complaints_name_field_and_value),
	    cmocka_unit_test(values_may_hold_any_octet),   cmocka_unit_test(names_are_made_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
