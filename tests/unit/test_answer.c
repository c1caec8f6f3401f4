/*
 * test_answer.c - the lines themselves: exact forms, names that both a policy and a setting allow, and over the whole
 * input space of the decision that Postfix takes every reply.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "core/answer.h"
#include "lib/postfix_grammar.h"
#include "unit/answer_room.h"

static const struct answer_options plain = {.min_tls = "1.2"};
static const struct answer_options tlsrpt = {.min_tls = "1.2", .tlsrpt = true};

static void test_forms(void **state)
{
	static const struct {
		struct verdict v;
		const char *reply;
	} rows[] = {
	    {{.level = LEVEL_NOTFOUND}, "NOTFOUND "},
	    {{.level = LEVEL_MAY}, "OK may"},
	    {{.level = LEVEL_DANE}, "OK dane"},
	    {{.level = LEVEL_DANE_ONLY}, "OK dane-only protocols=>=TLSv1.2"},
	    {{.level = LEVEL_ENCRYPT}, "OK encrypt protocols=>=TLSv1.2"},
	    {{.level = LEVEL_VERIFY}, "OK verify match=hostname servername=hostname protocols=>=TLSv1.2"},
	    {{.level = LEVEL_SECURE, .use_policy = true},
	     "OK secure match=mx.a.example:.b.example servername=hostname protocols=>=TLSv1.2"},
	    {{.level = LEVEL_SECURE, .use_match = true},
	     "OK secure match=x.b.example:.c.example servername=hostname protocols=>=TLSv1.2"},
	    {{.level = LEVEL_SECURE, .use_policy = true, .use_match = true},
	     "OK secure match=x.b.example servername=hostname protocols=>=TLSv1.2"},
	    {{.level = LEVEL_TEMP, .reasons = 1u << REASON_MX_BOGUS},
	     "TEMP a.example: DNSSEC validation of the MX records failed"},
	};
	struct dest_setting dest = {.has_match = true, .match = "x.b.example:.c.example"};
	struct facts *f = fresh("a.example");

	(void)state;
	set_policy(f, "mx.a.example *.b.example");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict v = rows[i].v;

		check_row_text(rows[i].reply, reply_of(&v, f, &dest, &plain), rows[i].reply);
		/* only S answers say more in a -tlsrpt map */
		v = rows[i].v;
		if (!v.use_policy)
			check_row_text(rows[i].reply, reply_of(&v, f, &dest, &tlsrpt), rows[i].reply);
	}
}

static void test_min_tls(void **state)
{
	struct answer_options none = {.min_tls = ""}, newest = {.min_tls = "1.3"};
	struct verdict v = {.level = LEVEL_ENCRYPT};
	struct dest_setting dest = {0};

	(void)state;
	assert_string_equal(reply_of(&v, fresh("a.example"), &dest, &none), "OK encrypt");
	assert_string_equal(reply_of(&v, fresh("a.example"), &dest, &newest), "OK encrypt protocols=>=TLSv1.3");
}

static void test_tlsrpt(void **state)
{
	struct verdict v = {.level = LEVEL_SECURE, .use_policy = true};
	struct dest_setting dest = {0};
	struct facts *f = fresh("a.example:587");

	(void)state;
	set_policy(f, "mx.a.example *.b.example");
	assert_string_equal(
	    reply_of(&v, f, &dest, &tlsrpt),
	    "OK secure match=mx.a.example:.b.example servername=hostname protocols=>=TLSv1.2 policy_type=sts "
	    "policy_domain=a.example mx_host_pattern=mx.a.example mx_host_pattern=*.b.example "
	    "{ policy_string = version: STSv1 } { policy_string = mode: enforce } { policy_string = mx: mx.a.example } "
	    "{ policy_string = mx: *.b.example } { policy_string = max_age: 86400 }");
	/* a domain Postfix would call malformed costs the report, not the mail */
	f = fresh("-a.example");
	set_policy(f, "mx.a.example");
	v = (struct verdict){.level = LEVEL_SECURE, .use_policy = true};
	assert_string_equal(reply_of(&v, f, &dest, &tlsrpt),
			    "OK secure match=mx.a.example servername=hostname protocols=>=TLSv1.2");
}

static void test_report_failures(void **state)
{
	struct answer_options o = {.min_tls = "1.2", .tlsrpt = true, .report_failures = true};
	struct answer_options off = {.min_tls = "1.2", .tlsrpt = true},
			      not_tlsrpt = {.min_tls = "1.2", .report_failures = true};
	struct dest_setting dest = {0}, ignore = {.sts_ignore = true};
	struct verdict v = {.level = LEVEL_NOTFOUND};
	struct facts *f = fresh("a.example");

	(void)state;
	assert_string_equal(reply_of(&v, f, &dest, &o), "NOTFOUND ");
	f->sts.txt = TXT_RECORD;
	strcpy(f->sts.txt_id, "a");
	assert_string_equal(reply_of(&v, f, &dest, &o), "NOTFOUND ");
	f->sts.failure = FETCH_WEBPKI;
	strcpy(f->sts.fail_id, "a");
	assert_string_equal(reply_of(&v, f, &dest, &o),
			    "OK may policy_type=sts policy_domain=a.example policy_failure=sts-webpki-invalid");
	assert_string_equal(reply_of(&v, f, &dest, &off), "NOTFOUND ");
	assert_string_equal(reply_of(&v, f, &dest, &not_tlsrpt), "NOTFOUND ");
	assert_string_equal(reply_of(&v, f, &ignore, &o), "NOTFOUND ");
	/* a failure of another id says nothing about the one published now */
	strcpy(f->sts.fail_id, "b");
	assert_string_equal(reply_of(&v, f, &dest, &o), "NOTFOUND ");
	strcpy(f->sts.fail_id, "a");
	/* a cached policy: no failure to report */
	set_policy(f, "mx.a.example");
	f->sts.policy.mode = STS_TESTING;
	assert_string_equal(reply_of(&v, f, &dest, &o), "NOTFOUND ");
}

static void test_temp_names_the_domain(void **state)
{
	static const enum reason reasons[] = {REASON_MX_BOGUS, REASON_MX_ERROR, REASON_DANE_ERROR,
					      REASON_NO_MATCH_FOR_LITERAL, REASON_MATCH_EMPTY};
	struct dest_setting dest = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(reasons); i++) {
		struct verdict v = {.level = LEVEL_TEMP, .reasons = 1u << reasons[i]};

		reply_of(&v, fresh("mail.a.example"), &dest, &plain);
		check_row(names_name(reason_names, (int)reasons[i]), strncmp(reply, "TEMP mail.a.example: ", 21) == 0);
		check_row(names_name(reason_names, (int)reasons[i]), !strstr(reply, "no TLS policy"));
	}
}

static void test_reply_size(void **state)
{
	struct verdict v = {.level = LEVEL_SECURE, .use_policy = true};
	struct dest_setting dest = {0};
	struct facts *f = fresh("a.example");
	char *patterns = malloc(STS_BODY_MAX + 1);
	size_t len = 0;

	(void)state;
	/* as many as a body of 64 KiB could hold, "mx: ...\n" each */
	for (size_t i = 0; len + i * 5 < STS_BODY_MAX - 100; i++)
		len += (size_t)sprintf(patterns + len, "%sm%zu.a.example", i > 0 ? " " : "", i);
	set_policy(f, patterns);
	reply_of(&v, f, &dest, &tlsrpt);
	assert_null(postfix_grammar(reply, strlen(reply), POSTFIX_3_7)); /* no 3.10 attribute is left in it */
	assert_true(strncmp(reply, "OK secure match=m0.a.example:m1.a.example:", 42) == 0);
	assert_non_null(strstr(reply, " servername=hostname protocols=>=TLSv1.2"));
	/* a sixth of them fits with everything */
	set_policy(f, "mx.a.example");
	patterns[10000] = '\0';
	*strrchr(patterns, ' ') = '\0';
	set_policy(f, patterns);
	reply_of(&v, f, &dest, &tlsrpt);
	assert_null(postfix_grammar(reply, strlen(reply), POSTFIX_3_10));
	assert_non_null(strstr(reply, "policy_type=sts"));
	free(patterns);
}

static void test_sts_map(void **state)
{
	struct dest_setting none = {0}, ignore = {.sts_ignore = true},
			    match = {.has_match = true, .match = ".b.example"};
	struct facts *f = fresh("a.example");
	char text[1000];
	struct sbuf b;

	(void)state;
	sbuf_init(&b, text, sizeof(text));
	assert_int_equal(answer_sts(&b, f, NOW, &none), SOCKMAP_NOTFOUND);
	set_policy(f, "mx.a.example *.b.example");
	assert_int_equal(answer_sts(&b, f, NOW, &none), SOCKMAP_OK);
	assert_string_equal(text, "secure match=mx.a.example:.b.example servername=hostname");
	sbuf_reset(&b);
	assert_int_equal(answer_sts(&b, f, NOW, &match), SOCKMAP_OK);
	assert_string_equal(text, "secure match=.b.example servername=hostname");
	assert_int_equal(answer_sts(&b, f, NOW, &ignore), SOCKMAP_NOTFOUND);
	assert_int_equal(answer_sts(&b, f, NOW + 86401, &none), SOCKMAP_NOTFOUND);
	f->sts.policy.mode = STS_TESTING;
	assert_int_equal(answer_sts(&b, f, NOW, &none), SOCKMAP_NOTFOUND);
}

/* ---- the whole input space ---- */

static void set_facts(struct facts *f, int i)
{
	static const enum mx_state mx[] = {MX_SECURE, MX_INSECURE, MX_BOGUS, MX_ERROR, MX_SECURE};
	static const enum tlsa_state states[] = {TLSA_USABLE, TLSA_UNUSABLE, TLSA_NONE, TLSA_ERROR};

	f->mx = mx[i % 5];
	f->mx_kind = i % 5 == 4 ? MX_NXDOMAIN : MX_RECORDS;
	i /= 5;
	for (int k = 0; k < 4; k++) {
		if (i & 1 << k) {
			char name[32];

			snprintf(name, sizeof(name), "mx%d.a.example", k);
			facts_add_host(f, name)->tlsa = states[k];
		}
	}
	i /= 16;
	f->sts.txt = TXT_RECORD;
	strcpy(f->sts.txt_id, "a");
	if (i % 3 == 1)
		set_policy(f, "mx0.a.example *.b.example");
	if (i % 3 == 2) {
		f->sts.failure = FETCH_INVALID;
		strcpy(f->sts.fail_id, "a");
	}
}

static struct dest_setting dest_at(int i)
{
	static const char *const matches[] = {NULL, "x.b.example", ".c.example", ""};
	struct dest_setting d = {.mode = (enum mode)(i % 3)};
	int match = i / 3 % 4;

	i /= 12;
	d.has_match = match > 0;
	if (d.has_match) {
		strcpy(d.match, matches[match]);
		d.mode = MODE_VERIFIED;
	}
	d.dane_ignore = i & 1;
	d.sts_ignore = i & 2;
	d.plaintext_allow = i & 4;
	d.for_all = i & 8;
	return d;
}

static void check_reply(enum grammar_version version, const char *what, int i)
{
	const char *wrong = postfix_grammar(reply, strlen(reply), version);

	if (!wrong)
		wrong = postfix_grammar_wise(reply, strlen(reply));
	if (wrong)
		fail_msg("%s %d: %s: %s", what, i, wrong, reply);
}

static unsigned long replies;

static void all_settings(const struct facts *f, int facts_index)
{
	for (int k = 0; k < 12 * 16; k++) {
		struct dest_setting dest = dest_at(k);

		for (int mode = 0; mode < MODE_COUNT * 2; mode++) {
			struct verdict decided;

			decide(f, NOW, (enum mode)(mode % MODE_COUNT), &dest, mode < MODE_COUNT, &decided);
			for (int form = 0; form < 3; form++) {
				struct answer_options o = {
				    .min_tls = "1.2", .tlsrpt = form > 0, .report_failures = form == 2};
				struct verdict v = decided;

				reply_of(&v, f, &dest, &o);
				check_reply(form > 0 ? POSTFIX_3_10 : POSTFIX_3_7, "facts", facts_index);
				replies++;
			}
		}
	}
}

static void test_every_reply(void **state)
{
	static const char *const others[] = {"[192.0.2.1]", "[2001:db8::1]:587", ".a.example", "/run/x",
					     "[a.example]:587"};

	(void)state;
	for (int i = 0; i < 5 * 16 * 3; i++) {
		struct facts *f = fresh("a.example");

		set_facts(f, i);
		all_settings(f, i);
	}
	for (size_t n = 0; n < COUNT_OF(others); n++)
		all_settings(fresh(others[n]), -1);
	print_message("%lu replies, Postfix takes them all\n", replies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_min_tls),
	    cmocka_unit_test(test_tlsrpt),
	    cmocka_unit_test(test_report_failures),
	    cmocka_unit_test(test_temp_names_the_domain),
	    cmocka_unit_test(test_reply_size),
	    cmocka_unit_test(test_sts_map),
	    cmocka_unit_test(test_every_reply),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
