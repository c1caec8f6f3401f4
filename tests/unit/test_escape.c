/*
 * test_escape.c - the milter's watch on routes: which transport keeps which mode, what is said at RCPT TO and at the
 * end.
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
#define OPP MODE_OPPORTUNISTIC
#define ENF MODE_ENFORCED
#define VER MODE_VERIFIED

static struct settings *table;

static void put(const char *name, enum mode mode, const char *via)
{
	struct setting s;

	setting_init(&s);
	s.has = SETTING_HAS_MODE | (*via != '\0' ? SETTING_HAS_VIA : 0);
	s.mode = mode;
	snprintf(s.via, sizeof(s.via), "%s", via);
	settings_put(table, SETTING_SENDER, name, &s);
}

static int make_table(void **state)
{
	(void)state;
	table = settings_new();
	put("opp.example", OPP, "");
	put("enf.example", ENF, "");
	put("ver.example", VER, "");
	put("pool.example", ENF, "pool2");
	put("poolver.example", VER, "pool2");
	return 0;
}

static int free_table(void **state)
{
	(void)state;
	settings_free(&table);
	return 0;
}

static struct message_policy policy(enum conf_action on_escape, unsigned identity)
{
	char *local[] = {(char[]){"local"}, (char[]){"lmtp"}, (char[]){"dovecot"}};
	char *strict[] = {(char[]){"relay-tls"}, (char[]){"partner"}};
	struct conf conf = {
	    .mapd = {.enforced_transport = (char[]){"smtp-enforced"}, .verified_transport = (char[]){"smtp-verified"}},
	    .milter = {.identity = identity,
		       .header = (char[]){"X-TLS-Mode"},
		       .on_escape = on_escape,
		       .local_transports = {3, local},
		       .strict_transports = {2, strict}},
	};
	struct message_policy p;

	message_policy_init(&p, &conf);
	return p;
}

static const struct {
	const char *via, *mailer;
	enum mode keeps;
} transports[] = {
    {"", "smtp-enforced", ENF},
    {"", "smtp-verified", VER},
    {"", "smtp", OPP},
    {"", "relay", OPP},
    {"", "", OPP},
    {"", "local", VER},
    {"", "lmtp", VER},
    {"", "dovecot", VER},
    {"", "Local", OPP},
    {"", "loca", OPP},
    {"", "ocal", OPP},
    {"", "local lmtp", OPP}, /* no name has a blank */
    {"", " ", OPP},
    {"", "relay-tls", VER},
    {"", "partner", VER},
    {"", "smtp-enforced:", OPP},
    /* the family of this sender, and of no other */
    {"pool2", "pool2-enforced", ENF},
    {"pool2", "pool2-verified", VER},
    {"pool2", "pool2", OPP},
    {"pool2", "pool2-enforced2", OPP},
    {"pool2", "pool3-verified", OPP},
    {"pool", "pool2-verified", OPP},
    {"", "pool2-enforced", OPP},
    {"", "-enforced", OPP},
    {"pool2", "smtp-enforced", ENF},
};

static void test_transports(void **state)
{
	struct message_policy p = policy(ACTION_ACCEPT, IDENTITY_ENVELOPE);

	(void)state;
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (escape_keeps(&p.escape, transports[i].via, transports[i].mailer) != transports[i].keeps)
			fail_msg("row %zu: %s of family <%s>", i, transports[i].mailer, transports[i].via);
}

static void test_watch(void **state)
{
	char *all[] = {(char[]){"relay"}, (char[]){"*"}};
	struct conf conf = {.mapd = {.enforced_transport = (char[]){"e"}, .verified_transport = (char[]){"v"}}};
	struct escape_rules rules;

	(void)state;
	escape_rules_init(&rules, &conf);
	assert_true(rules.watch);
	conf.milter.strict_transports = (struct conf_list){2, all};
	escape_rules_init(&rules, &conf);
	assert_false(rules.watch);
	conf.milter.strict_transports.count = 1;
	conf.milter.on_mismatch = ACTION_FILTER;
	escape_rules_init(&rules, &conf);
	assert_false(rules.watch);
}

static const struct {
	const char *sender, *mailer;
	enum message_outcome rcpt; /* with on_escape = reject */
} recipients[] = {
    {"<a@enf.example>", "smtp-enforced", MESSAGE_PASS},
    {"<a@enf.example>", "smtp-verified", MESSAGE_PASS},
    {"<a@enf.example>", "local", MESSAGE_PASS},
    {"<a@enf.example>", "partner", MESSAGE_PASS},
    {"<a@enf.example>", "smtp", MESSAGE_REJECT},
    {"<a@enf.example>", "relay", MESSAGE_REJECT},
    {"<a@enf.example>", NULL, MESSAGE_PASS},
    {"<a@ver.example>", "smtp-verified", MESSAGE_PASS},
    {"<a@ver.example>", "smtp-enforced", MESSAGE_REJECT},
    {"<a@ver.example>", "local", MESSAGE_PASS},
    {"<a@opp.example>", "smtp", MESSAGE_PASS},
    {"<a@opp.example>", "relay", MESSAGE_PASS},
    {"<>", "smtp", MESSAGE_PASS},
    {"<a@pool.example>", "pool2-enforced", MESSAGE_PASS},
    {"<a@pool.example>", "pool2", MESSAGE_REJECT},
    {"<a@poolver.example>", "pool2-enforced", MESSAGE_REJECT},
    {"<a@enf.example>", "pool2-enforced", MESSAGE_REJECT},
};

static void begin(struct message *m, const struct message_policy *p, const char *sender, bool may_refuse)
{
	char raw[64];
	char *argv[] = {raw, NULL};

	snprintf(raw, sizeof(raw), "%s", sender);
	message_begin(m, p);
	m->may_refuse_rcpt = may_refuse;
	message_mail(m, argv, NULL);
}

static void test_at_rcpt(void **state)
{
	static const enum conf_action actions[] = {ACTION_ACCEPT, ACTION_TEMPFAIL, ACTION_REJECT};

	(void)state;
	for (size_t i = 0; i < sizeof(recipients) / sizeof(recipients[0]); i++) {
		bool escapes = recipients[i].rcpt == MESSAGE_REJECT;

		for (size_t k = 0; k < 3; k++) {
			struct message_policy p = policy(actions[k], IDENTITY_ENVELOPE);
			enum message_outcome want = !escapes || k == 0 ? MESSAGE_PASS
						    : k == 1           ? MESSAGE_TEMPFAIL
								       : MESSAGE_REJECT;
			struct message_verdict v;
			struct message m = {0};

			begin(&m, &p, recipients[i].sender, true);
			message_recipient(&m, "<x@y.example>", recipients[i].mailer, table, NOW, &v);
			if (v.outcome != want)
				fail_msg("row %zu: %s by %s: %d", i, recipients[i].sender,
					 recipients[i].mailer ? recipients[i].mailer : "-", v.outcome);
			/* what was refused is not there at the end */
			message_decide(&m, table, NOW, &v);
			assert_int_equal(v.outcome, MESSAGE_PASS);
			assert_int_equal(v.escapes, k == 0 && escapes);
			message_fini(&m);
		}
	}
}

static void test_replies(void **state)
{
	struct message_policy p = policy(ACTION_TEMPFAIL, IDENTITY_ENVELOPE);
	struct message_verdict v;
	struct message m = {0};

	(void)state;
	begin(&m, &p, "<a@enf.example>", true);
	message_recipient(&m, "<x@y.example>", "relay", table, NOW, &v);
	assert_string_equal(v.code, "451");
	assert_string_equal(v.status, "4.7.10");
	assert_int_equal(v.mode, ENF);
	m.policy.on_escape = ACTION_REJECT;
	message_recipient(&m, "<x@y.example>", "relay", table, NOW, &v);
	assert_string_equal(v.code, "550");
	assert_string_equal(v.status, "5.7.10");
	message_fini(&m);
}

/* RCPT TO goes by without a reply (negotiated before a reload), or the mode is known at the end only. */
static void test_at_the_end(void **state)
{
	struct message_policy p = policy(ACTION_REJECT, IDENTITY_ENVELOPE);
	struct message_verdict v;
	struct message m = {0};

	(void)state;
	begin(&m, &p, "<a@enf.example>", false);
	message_recipient(&m, "<x@y.example>", "relay", table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_REJECT);
	assert_string_equal(v.reason, "escape");
	assert_int_equal(v.escapes, 1);
	message_fini(&m);

	p = policy(ACTION_TEMPFAIL, IDENTITY_ENVELOPE | IDENTITY_FROM);
	begin(&m, &p, "<a@opp.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp", table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_recipient(&m, "<z@y.example>", "local", table, NOW, &v);
	message_header(&m, "From", "b@enf.example");
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_TEMPFAIL);
	assert_string_equal(v.status, "4.7.10");
	assert_int_equal(v.escapes, 1);
	message_fini(&m);
}

/* "*" speaks only for a message without an author: at RCPT TO nobody knows whether there is one. */
static void test_author_to_come(void **state)
{
	struct message_policy p = policy(ACTION_REJECT, IDENTITY_FROM);
	struct message_verdict v;
	struct message m = {0};

	(void)state;
	put("*", ENF, "");
	begin(&m, &p, "<a@opp.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp", table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_header(&m, "From", "b@opp.example");
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_fini(&m);
	begin(&m, &p, "<a@opp.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp", table, NOW, &v);
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_REJECT);
	message_fini(&m);
	settings_remove(table, SETTING_SENDER, "*");
}

static void test_unknown_settings(void **state)
{
	struct message_policy p = policy(ACTION_REJECT, IDENTITY_ENVELOPE);
	struct message_verdict v;
	struct message m = {0};

	(void)state;
	p.when_unknown = UNKNOWN_ENFORCED;
	begin(&m, &p, "<a@opp.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp-enforced", NULL, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_recipient(&m, "<x@y.example>", "smtp", NULL, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_REJECT);
	message_fini(&m);
	p.when_unknown = UNKNOWN_OPPORTUNISTIC;
	begin(&m, &p, "<a@enf.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp", NULL, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_fini(&m);
	/* the whole message waits anyway: no reason to say something else of a recipient */
	p.when_unknown = UNKNOWN_TEMPFAIL;
	begin(&m, &p, "<a@enf.example>", true);
	message_recipient(&m, "<x@y.example>", "smtp", NULL, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_PASS);
	message_decide(&m, NULL, NOW, &v);
	assert_int_equal(v.outcome, MESSAGE_TEMPFAIL);
	assert_string_equal(v.reason, "settings-unknown");
	message_fini(&m);
}

static void test_many(void **state)
{
	struct message_policy p = policy(ACTION_ACCEPT, IDENTITY_ENVELOPE);
	struct message_verdict v;
	struct message m = {0};
	char rcpt[2000];

	(void)state;
	begin(&m, &p, "<a@ver.example>", true);
	memset(rcpt, 'a', sizeof(rcpt) - 1);
	rcpt[sizeof(rcpt) - 1] = '\0';
	for (int i = 0; i < 3000; i++)
		message_recipient(&m, rcpt,
				  i % 3 == 0   ? "local"
				  : i % 3 == 1 ? "smtp"
					       : "smtp-enforced",
				  table, NOW, &v);
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.escapes, 2000);
	assert_int_equal(m.escapes.noted, ESCAPE_NOTES);
	assert_true(strlen(m.escapes.note[0].rcpt) < 400);
	message_fini(&m);
	assert_null(m.escapes.note);
	begin(&m, &p, "<a@enf.example>", true);
	message_decide(&m, table, NOW, &v);
	assert_int_equal(v.escapes, 0); /* nothing is kept from message to message */
	message_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_transports),       cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_at_rcpt),          cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_at_the_end),       cmocka_unit_test(test_author_to_come),
	    cmocka_unit_test(test_unknown_settings), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("escape", tests, make_table, free_table);
}
