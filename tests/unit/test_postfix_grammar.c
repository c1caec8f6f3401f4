/*
 * test_postfix_grammar.c - the checker itself: what Postfix takes and what it defers on, and bytes at random.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "lib/postfix_grammar.h"

static void test_good(void **state)
{
	static const struct {
		int version;
		const char *reply;
	} rows[] = {
	    {37, "NOTFOUND "},
	    {37, "TEMP a.example: no"},
	    {37, "OK may"},
	    {37, "OK dane"},
	    {37, "OK dane-only protocols=>=TLSv1.2"},
	    {37, "OK encrypt protocols=>=TLSv1.2"},
	    {37, "OK encrypt protocols=!SSLv2:!SSLv3"},
	    {37, "OK verify match=hostname servername=hostname protocols=>=TLSv1.2"},
	    {37, "OK secure match=a.example:.b.example servername=hostname"},
	    {310, "OK secure match=a servername=hostname policy_type=sts policy_domain=a.example mx_host_pattern=*.a "
		  "mx_host_pattern=b { policy_string = version: STSv1 } { policy_string = mx: *.a }"},
	    {310, "OK may policy_type=sts policy_domain=a.example policy_failure=sts-policy-invalid"},
	    {0, "OK {\"a\":1}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *wrong =
		    postfix_grammar(rows[i].reply, strlen(rows[i].reply), (enum grammar_version)rows[i].version);

		if (wrong)
			fail_msg("%s: %s", rows[i].reply, wrong);
		check_row(rows[i].reply,
			  rows[i].version == 0 || !postfix_grammar_wise(rows[i].reply, strlen(rows[i].reply)));
	}
}

static void test_bad(void **state)
{
	static const struct {
		int version;
		const char *reply;
	} rows[] = {
	    {37, ""},
	    {37, "OK"},
	    {37, "OK "},
	    {37, "NOTFOUND"},
	    {37, "NOTFOUND x"},
	    {37, "TEMP "},
	    {37, "PERM no"},
	    {37, "ok may"},
	    {37, "OK  "},
	    {37, "OK sometimes"},
	    {37, "OK may\n"},
	    {37, "OK may colour=red"},
	    {37, "OK dane match=a.example"},
	    {37, "OK encrypt match=a.example"},
	    {37, "OK secure match= servername=hostname"},
	    {37, "OK secure match=a::b servername=hostname"},
	    {37, "OK secure match=a:b: servername=hostname"},
	    {37, "OK secure match=a b servername=hostname"},
	    {37, "OK secure match=a..b servername=hostname"},
	    {37, "OK secure match=a. servername=hostname"},
	    {37, "OK secure match=a/b servername=hostname"},
	    {37, "OK secure match=a servername=host..name"},
	    {37, "OK secure match=a servername=hostname servername=hostname"},
	    {37, "OK encrypt protocols=>=TLSv1.2 protocols=>=TLSv1.2"},
	    {37, "OK encrypt protocols=TLS9"},
	    {37, "OK secure match=a servername=hostname policy_type=sts"},
	    {37, "OK may { match = a }"},
	    {37, "OK may connection_reuse=perhaps"},
	    {310, "OK may policy_domain=a.example"},
	    {310, "OK may policy_type=tlsa"},
	    {310, "OK may policy_type=sts policy_type=sts"},
	    {310, "OK may policy_type=sts policy_domain=-a.example"},
	    {310, "OK may policy_type=sts policy_failure=weather"},
	    {310, "OK may policy_type=sts { policy_string = x"},
	    {310, "OK may policy_type=sts { policy_string = x }y"},
	    {310, "OK may policy_type=sts { policy_string }"},
	    {310, "OK may policy_type=sts policy_ttl=1d"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row(rows[i].reply,
			  postfix_grammar(rows[i].reply, strlen(rows[i].reply), (enum grammar_version)rows[i].version));
}

static void test_unwise(void **state)
{
	static const char *const rows[] = {
	    "OK none",
	    "OK dane protocols=>=TLSv1.2",
	    "OK may protocols=>=TLSv1.2",
	    "OK secure match=a",
	    "OK secure servername=hostname",
	    "OK secure match=*.a servername=hostname",
	    "OK verify match=a servername=hostname",
	    "OK secure match=a servername=hostname policy_type=sts policy_failure=sts-policy-invalid",
	    "OK may policy_type=sts policy_domain=a",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		check_row(rows[i], !postfix_grammar(rows[i], strlen(rows[i]), POSTFIX_3_10));
		check_row(rows[i], postfix_grammar_wise(rows[i], strlen(rows[i])));
	}
}

/* Pieces of replies strung together at random: the checker reads within its bounds (sanitizers watch) and always ends.
 */
static void test_random(void **state)
{
	static const char *const pieces[] = {"OK ",
					     "secure",
					     " ",
					     "{",
					     "}",
					     "match=",
					     "a.example",
					     ":",
					     ",",
					     "=",
					     "policy_type=sts",
					     "policy_string = ",
					     "\t",
					     "protocols=",
					     ">=TLSv1.2",
					     "!",
					     "NOTFOUND ",
					     "TEMP ",
					     ".",
					     "-",
					     "*",
					     "may",
					     "dane",
					     "servername="};
	uint32_t seed = 12345;
	unsigned n, good = 0;

	(void)state;
	for (n = 0; n < 100000; n++) {
		char reply[400] = "OK ";
		char *copy;
		size_t len = 3;

		for (unsigned i = 0; i < 12; i++) {
			const char *piece;

			seed = seed * 1664525 + 1013904223;
			piece = pieces[(seed >> 16) % COUNT_OF(pieces)];
			memcpy(reply + len, piece, strlen(piece));
			len += strlen(piece);
		}
		/* exactly as long as it is: reading past it is seen */
		copy = malloc(len);
		memcpy(copy, reply, len);
		good += !postfix_grammar(copy, len, n % 2 ? POSTFIX_3_10 : POSTFIX_3_7);
		postfix_grammar_wise(copy, len);
		free(copy);
	}
	assert_true(good < n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_unwise),
	    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("postfix_grammar", tests, NULL, NULL);
}
