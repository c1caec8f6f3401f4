/*
 * test_message.c - the milter's decision about one message: identities, strictest wins, tags, refusals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "milter/message.h"

#define NOW 1000000

static struct settings *table;

static void put(const char *name, enum mode mode)
{
	struct setting s;

	setting_init(&s);
	s.has = SETTING_HAS_MODE;
	s.mode = mode;
	settings_put(table, SETTING_SENDER, name, &s);
}

static int make_table(void **state)
{
	(void)state;
	table = settings_new();
	put("opp.example", MODE_OPPORTUNISTIC);
	put("enf.example", MODE_ENFORCED);
	put("ver.example", MODE_VERIFIED);
	put(".sub.example", MODE_ENFORCED);
	put("xn--bcher-kva.example", MODE_ENFORCED);
	put("<>", MODE_VERIFIED);
	put("*", MODE_OPPORTUNISTIC);
	return 0;
}

static int free_table(void **state)
{
	(void)state;
	settings_free(&table);
	return 0;
}

#define ENV IDENTITY_ENVELOPE
#define FROM IDENTITY_FROM
#define AUTH IDENTITY_AUTH
#define ALL (ENV | FROM | AUTH)

static struct message_policy policy(unsigned identity)
{
	struct message_policy p = {
	    .identity = identity, .header = "X-TLS-Mode", .tag_opportunistic = true, .return_headers = true};

	return p;
}

static void run(struct message_verdict *v, const struct message_policy *p, const char *sender, const char *from,
		const char *login)
{
	struct message m;
	char raw[2048];
	char *argv[] = {raw, NULL};

	snprintf(raw, sizeof(raw), "%s", sender);
	message_begin(&m, p);
	message_mail(&m, argv, login);
	if (from)
		message_header(&m, "From", from);
	message_decide(&m, table, NOW, v);
}

static const struct {
	unsigned identity;
	const char *sender, *from, *login;
	const char *tag;
	bool mismatch;
} rows[] = {
    {ENV, "<a@opp.example>", NULL, NULL, "opportunistic; domain=opp.example; by=envelope", false},
    {ENV, "<a@enf.example>", NULL, NULL, "enforced; domain=enf.example; by=envelope", false},
    {ENV, "<A+x@ENF.Example.>", NULL, NULL, "enforced; domain=enf.example; by=envelope", false},
    {ENV, "a@ver.example", NULL, NULL, "verified; domain=ver.example; by=envelope", false},
    {ENV, "<a@x.sub.example>", NULL, NULL, "enforced; domain=x.sub.example; by=envelope", false},
    {ENV, "<\"a@enf.example\"@opp.example>", NULL, NULL, "opportunistic; domain=opp.example; by=envelope", false},
    {ENV, "<@enf.example:a@opp.example>", NULL, NULL, "opportunistic; domain=opp.example; by=envelope", false},
    {ENV, "<a@b\303\274cher.example>", NULL, NULL, "enforced; domain=xn--bcher-kva.example; by=envelope", false},
    {ENV, "<>", NULL, NULL, "verified; domain=<>; by=envelope", false},
    {ENV, "", NULL, NULL, "verified; domain=<>; by=envelope", false},
    {ENV, "<local>", NULL, NULL, "opportunistic; by=envelope", false},
    {ENV, "<a@[192.0.2.1]>", NULL, NULL, "opportunistic; by=envelope", false},
    {ENV, "<a@unknown.example>", NULL, NULL, "opportunistic; domain=unknown.example; by=envelope", false},
    /* not configured: not looked at */
    {ENV, "<a@opp.example>", "b@ver.example", "c@ver.example", "opportunistic; domain=opp.example; by=envelope", false},
    {FROM, "<a@ver.example>", "b@enf.example", "c@opp.example", "enforced; domain=enf.example; by=from", false},
    {AUTH, "<a@ver.example>", "b@enf.example", "c@opp.example", "opportunistic; domain=opp.example; by=auth", false},
    {FROM, "<a@opp.example>", "b@enf.example", NULL, "enforced; domain=enf.example; by=from", true},
    /* the strictest, whichever it is; the first of equals */
    {ALL, "<a@opp.example>", "b@enf.example", "c@ver.example", "verified; domain=ver.example; by=auth", true},
    {ALL, "<a@opp.example>", "b@ver.example", "c@enf.example", "verified; domain=ver.example; by=from", true},
    {ALL, "<a@ver.example>", "b@enf.example", "c@opp.example", "verified; domain=ver.example; by=envelope", false},
    {ALL, "<a@enf.example>", "b@enf.example", "c@enf.example", "enforced; domain=enf.example; by=envelope", false},
    {FROM | AUTH, "<a@opp.example>", "b@enf.example", "c@enf.example", "enforced; domain=enf.example; by=from", true},
    /* what is not there adds nothing */
    {ALL, "<a@enf.example>", NULL, NULL, "enforced; domain=enf.example; by=envelope", false},
    {ALL, "<a@opp.example>", "b@enf.example, c@enf.example", "login", "opportunistic; domain=opp.example; by=envelope",
     false},
    {FROM | AUTH, "<a@enf.example>", "not an address", "c@enf.example", "enforced; domain=enf.example; by=auth", false},
    {AUTH, "<a@enf.example>", NULL, "login", "opportunistic; by=auth", false},
    {AUTH, "<a@enf.example>", NULL, "", "opportunistic; by=auth", false},
    {AUTH, "<a@enf.example>", NULL, "x@", "opportunistic; by=auth", false},
    {FROM, "<a@enf.example>", NULL, NULL, "opportunistic; by=from", false},
    {FROM, "<a@enf.example>", "=?utf-8?q?b=40ver.example?= <b@opp.example>", NULL,
     "opportunistic; domain=opp.example; by=from", false},
    {FROM, "<a@enf.example>", "\r\n \"b@ver.example\"\r\n <b@opp.example> (c@ver.example)", NULL,
     "opportunistic; domain=opp.example; by=from", false},
    /* nothing of an address but a canonical domain gets into the header */
    {ENV, "<a@x;y=z>", NULL, NULL, "opportunistic; by=envelope", false},
    {ENV, "<a@enf.example\r\nX-Evil: 1>", NULL, NULL, "opportunistic; by=envelope", false},
    {FROM, "<>", "b@enf.example\r\n\r\nevil", NULL, "opportunistic; by=from", false},
};

static void test_identities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_policy p = policy(rows[i].identity);
		struct message_verdict v;

		run(&v, &p, rows[i].sender, rows[i].from, rows[i].login);
		if (v.outcome != MESSAGE_PASS || strcmp(v.tag, rows[i].tag) != 0 || v.mismatch != rows[i].mismatch)
			fail_msg("row %zu <%s> from <%s> login <%s>: got <%s> mismatch %d", i, rows[i].sender,
				 rows[i].from ? rows[i].from : "-", rows[i].login ? rows[i].login : "-", v.tag,
				 v.mismatch);
	}
}

static void test_two_from_fields(void **state)
{
	struct message_policy p = policy(FROM);
	struct message_verdict v;
	struct message m;
	char *argv[] = {(char[]){"<>"}, NULL};

	(void)state;
	message_begin(&m, &p);
	message_mail(&m, argv, NULL);
	message_header(&m, "from", "a@enf.example");
	message_decide(&m, table, NOW, &v);
	assert_string_equal(v.tag, "enforced; domain=enf.example; by=from");
	message_header(&m, "FROM ", "a@enf.example");
	message_decide(&m, table, NOW, &v);
	assert_string_equal(v.tag, "opportunistic; by=from");
	message_header(&m, "From", "a@enf.example"); /* a third does not bring it back */
	message_decide(&m, table, NOW, &v);
	assert_string_equal(v.tag, "opportunistic; by=from");
}

static void test_forged(void **state)
{
	static const char *const ours[] = {"X-TLS-Mode", "x-tls-mode", "X-TLS-MODE", "x-TLS-mode ", "X-TLS-Mode\t"};
	static const char *const others[] = {"X-TLS-Mode2", "X-TLS-Mod",   " X-TLS-Mode",
					     "X_TLS_Mode",  "X-TLS-Mode-", ""};
	struct message_policy p = policy(ENV);
	struct message_verdict v;
	struct message m;
	char *argv[] = {(char[]){"<a@opp.example>"}, NULL};

	(void)state;
	p.tag_opportunistic = false;
	message_begin(&m, &p);
	message_mail(&m, argv, NULL);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		message_header(&m, ours[i], "verified");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		message_header(&m, others[i], "verified");
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.remove, 5);
	assert_string_equal(v.tag, ""); /* tag_opportunistic = false */
	assert_string_equal(v.event, "untagged");
	message_begin(&m, &p);
	message_mail(&m, argv, NULL);
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.remove, 0); /* nothing is kept from message to message */
}

static const struct {
	enum when_unknown when;
	enum message_outcome outcome;
	const char *tag;
	bool return_headers;
} unknowns[] = {
    {UNKNOWN_TEMPFAIL, MESSAGE_TEMPFAIL, "", false},
    {UNKNOWN_OPPORTUNISTIC, MESSAGE_PASS, "opportunistic; domain=enf.example; by=unknown", false},
    {UNKNOWN_ENFORCED, MESSAGE_PASS, "enforced; domain=enf.example; by=unknown", true},
};

static void test_unknown(void **state)
{
	char *argv[] = {(char[]){"<a@enf.example>"}, NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(unknowns) / sizeof(unknowns[0]); i++) {
		struct message_policy p = policy(ALL);
		struct message_verdict v;
		struct message m;

		p.when_unknown = unknowns[i].when;
		message_begin(&m, &p);
		message_mail(&m, argv, "x@ver.example");
		message_header(&m, "X-TLS-Mode", "forged");
		message_decide(&m, NULL, NOW, &v);
		assert_int_equal(v.outcome, unknowns[i].outcome);
		assert_string_equal(v.tag, unknowns[i].tag);
		assert_int_equal(v.return_headers, unknowns[i].return_headers);
		if (v.outcome == MESSAGE_TEMPFAIL) {
			assert_string_equal(v.code, "451");
			assert_string_equal(v.status, "4.7.0");
		} else {
			assert_int_equal(v.remove, 1);
		}
	}
}

static const struct {
	const char *sender, *argument;
	bool wanted;
} returns[] = {
    {"<a@enf.example>", NULL, true},        {"<a@ver.example>", "RET=FULL", true},  {"<a@ver.example>", "SIZE=1", true},
    {"<a@enf.example>", "ret=hdrs", false}, {"<a@opp.example>", "RET=FULL", false}, {"<>", NULL, false},
};

static void test_return_headers(void **state)
{
	struct message_policy p = policy(ENV);
	struct message_verdict v;
	char big[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(returns) / sizeof(returns[0]); i++) {
		struct message m;
		char sender[64], argument[64];
		char *argv[] = {sender, argument, NULL};

		snprintf(sender, sizeof(sender), "%s", returns[i].sender);
		snprintf(argument, sizeof(argument), "%s", returns[i].argument ? returns[i].argument : "");
		if (!returns[i].argument)
			argv[1] = NULL;
		message_begin(&m, &p);
		message_mail(&m, argv, NULL);
		message_decide(&m, table, NOW, &v);
		if (v.return_headers != returns[i].wanted)
			fail_msg("row %zu %s %s", i, sender, argument);
	}
	p.return_headers = false;
	run(&v, &p, "<a@enf.example>", NULL, NULL);
	assert_false(v.return_headers);
	/* a sender too long to be repeated keeps its RET and is tagged all the same */
	p.return_headers = true;
	memset(big, 'a', sizeof(big));
	snprintf(big + 1500, sizeof(big) - 1500, "@enf.example>");
	big[0] = '<';
	run(&v, &p, big, NULL, NULL);
	assert_string_equal(v.tag, "enforced; domain=enf.example; by=envelope");
	assert_false(v.return_headers);
}

static void test_mismatch(void **state)
{
	struct message_policy p = policy(ALL);
	struct message_verdict v;

	(void)state;
	p.on_mismatch = ACTION_REJECT;
	run(&v, &p, "<a@opp.example>", "b@enf.example", NULL);
	assert_int_equal(v.outcome, MESSAGE_REJECT);
	assert_string_equal(v.code, "550");
	assert_string_equal(v.reason, "mismatch");
	run(&v, &p, "<a@enf.example>", "b@enf.example", NULL);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	run(&v, &p, "<a@ver.example>", "b@enf.example", NULL);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	p.on_mismatch = ACTION_FILTER;
	run(&v, &p, "<a@opp.example>", "b@enf.example", NULL);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	assert_string_equal(v.tag, "enforced; domain=enf.example; by=from");
}

static const struct {
	const char *sender, *name, *value;
	enum message_outcome outcome;
} tls_required[] = {
    {"<a@enf.example>", "TLS-Required", "No", MESSAGE_REJECT},
    {"<a@enf.example>", "tls-required", "\r\n nO \r\n", MESSAGE_REJECT},
    {"<a@ver.example>", "TLS-Required", "no", MESSAGE_REJECT},
    {"<a@opp.example>", "TLS-Required", "No", MESSAGE_PASS},
    {"<a@enf.example>", "TLS-Required", "Yes", MESSAGE_PASS},
    {"<a@enf.example>", "TLS-Required", "None", MESSAGE_PASS},
    {"<a@enf.example>", "TLS-Required", "", MESSAGE_PASS},
    {"<a@enf.example>", "X-TLS-Required", "No", MESSAGE_PASS},
    {"<a@enf.example>", "TLS-Required", "No, No", MESSAGE_PASS},
};

/* Postfix 3.10 heeds each of several such fields (RFC 8689 s5 none of them); REQUIRETLS wins over it (s4.1). */
static const struct {
	const char *argument, *first, *second;
	enum message_outcome outcome;
} tls_required_twice[] = {
    {"SIZE=1", "No", NULL, MESSAGE_REJECT},      {"SIZE=1", "No", "No", MESSAGE_REJECT},
    {"SIZE=1", "No", "Yes", MESSAGE_REJECT},     {"SIZE=1", "Yes", "No", MESSAGE_REJECT},
    {"REQUIRETLS", "No", NULL, MESSAGE_PASS},    {"requiretls", "No", NULL, MESSAGE_PASS},
    {"REQUIRETLS2", "No", NULL, MESSAGE_REJECT},
};

static void test_tls_required_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tls_required_twice) / sizeof(tls_required_twice[0]); i++) {
		struct message_policy p = policy(ENV);
		struct message_verdict v;
		struct message m;
		char argument[32];
		char *argv[] = {(char[]){"<a@enf.example>"}, argument, NULL};

		p.tls_required_no = ACTION_REJECT;
		snprintf(argument, sizeof(argument), "%s", tls_required_twice[i].argument);
		message_begin(&m, &p);
		message_mail(&m, argv, NULL);
		message_header(&m, "TLS-Required", tls_required_twice[i].first);
		if (tls_required_twice[i].second)
			message_header(&m, "tls-required", tls_required_twice[i].second);
		message_decide(&m, table, NOW, &v);
		if (v.outcome != tls_required_twice[i].outcome)
			fail_msg("row %zu", i);
	}
}

static void test_tls_required(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tls_required) / sizeof(tls_required[0]); i++) {
		struct message_policy p = policy(ENV);
		struct message_verdict v;
		struct message m;
		char sender[64];
		char *argv[] = {sender, NULL};

		snprintf(sender, sizeof(sender), "%s", tls_required[i].sender);
		message_begin(&m, &p);
		message_mail(&m, argv, NULL);
		message_header(&m, tls_required[i].name, tls_required[i].value);
		message_decide(&m, table, NOW, &v);
		assert_int_equal(v.outcome, MESSAGE_PASS); /* accept */
		m.policy.tls_required_no = ACTION_REJECT;
		message_decide(&m, table, NOW, &v);
		if (v.outcome != tls_required[i].outcome)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_identities),     cmocka_unit_test(test_two_from_fields),
	    cmocka_unit_test(test_forged),         cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_return_headers), cmocka_unit_test(test_mismatch),
	    cmocka_unit_test(test_tls_required),   cmocka_unit_test(test_tls_required_twice),
	};

	return cmocka_run_group_tests_name("message", tests, make_table, free_table);
}
