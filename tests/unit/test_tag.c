/*
 * test_tag.c - the milter's header, and the status texts that may become a bounce.
 */
#include "unit/check.h"

#include "core/refusal.h"
#include "core/tag.h"

static void tags_are_formatted(void **state)
{
	static const struct {
		enum mode mode;
		const char *domain;
		enum tag_by by;
		const char *expect;
	} rows[] = {
	    {MODE_ENFORCED, "example.com", TAG_BY_ENVELOPE, "enforced; domain=example.com; by=envelope"},
	    {MODE_VERIFIED, "a.example", TAG_BY_FROM, "verified; domain=a.example; by=from"},
	    {MODE_OPPORTUNISTIC, "<>", TAG_BY_ENVELOPE, "opportunistic; domain=<>; by=envelope"},
	    {MODE_ENFORCED, "a.example", TAG_BY_AUTH, "enforced; domain=a.example; by=auth"},
	    {MODE_ENFORCED, "", TAG_BY_UNKNOWN, "enforced; by=unknown"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[400];
		struct sbuf out;
		sbuf_init(&out, text, sizeof(text));
		tag_format(&out, rows[i].mode, rows[i].domain, rows[i].by);
		check_row_text(rows[i].expect, text, rows[i].expect);
	}
}

#define OFFERED "TLS is required, but was not offered by host "

static void only_a_missing_offer_is_a_refusal(void **state)
{
	static const struct {
		const char *status;
		const char *host; /* NULL: stays temporary */
	} rows[] = {
	    {"4.7.4 " OFFERED "mx.example[192.0.2.1]", "mx.example"},
	    {"4.7.4 " OFFERED "MX.Example[2001:db8::1]", "mx.example"},
	    {"4.7.4 " OFFERED "mx.example[192.0.2.1]:587", "mx.example"},
	    {"4.7.4 " OFFERED "xn--bcher-kva.example[192.0.2.1]", "xn--bcher-kva.example"},
	    {"4.7.4 " OFFERED "mx.example", NULL},
	    {"4.7.4 " OFFERED "mx.example[]", NULL},
	    {"4.7.4 " OFFERED "mx.example[192.0.2.1", NULL},
	    {"4.7.4 " OFFERED "mx.example[/private/lmtp]", NULL},
	    {"4.7.4 " OFFERED "[192.0.2.1]", NULL},
	    {"4.7.4 " OFFERED "", NULL},
	    {"4.7.4 " OFFERED "a b[192.0.2.1]", NULL},
	    {"4.7.4 " OFFERED "mx..example[192.0.2.1]", NULL},
	    {"5.7.4 " OFFERED "mx.example[192.0.2.1]", NULL},
	    {"4.7.5 " OFFERED "mx.example[192.0.2.1]", NULL},
	    {" 4.7.4 " OFFERED "mx.example[192.0.2.1]", NULL},
	    {"4.7.4  " OFFERED "mx.example[192.0.2.1]", NULL},
	    {OFFERED "mx.example[192.0.2.1]", NULL},
	    {"4.7.4 TLS is required, but host mx.example[192.0.2.1] refused to start TLS: 454 4.7.0 no", NULL},
	    {"4.7.5 TLS is required, but our TLS engine is unavailable", NULL},
	    {"4.7.5 Server certificate not verified", NULL},
	    {"4.7.5 Server certificate not trusted", NULL},
	    {"4.7.5 Cannot start TLS: handshake failure", NULL},
	    {"4.7.5 client TLS configuration problem", NULL},
	    {"4.7.5 TLSA lookup error for mx.example:25", NULL},
	    {"4.4.1 connect to mx.example[192.0.2.1]:25: Connection refused", NULL},
	    {"", NULL},
	    {"4.7.4 ", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct refusal r;
		bool is = refusal_parse(&r, rows[i].status, strlen(rows[i].status));
		check_row(rows[i].status, is == !!rows[i].host);
		check_row_text(rows[i].status, r.host, is ? rows[i].host : "");
		check_row(rows[i].status, !is || r.peer == rows[i].status + strlen("4.7.4 " OFFERED));
	}
}

static void a_refusal_is_one_sentence(void **state)
{
	static const char status[] = "4.7.4 " OFFERED "MX.Example[2001:db8::1]:587 and more";
	static const char *const rule[] = {[2] = "enforced", [4] = "verified", [6] = "enforced or verified"};
	struct refusal r;

	(void)state;
	assert_true(refusal_parse(&r, status, strlen(status)));
	for (unsigned modes = 2; modes <= 6; modes += 2) {
		char text[400], want[400];
		struct sbuf out;

		sbuf_init(&out, text, sizeof(text));
		refusal_format(&out, &r, modes);
		snprintf(
		    want, sizeof(want),
		    "5.7.10 Sender domain requires TLS: its mail is sent encrypted or not at all (mode %s), but the "
		    "receiving host MX.Example[2001:db8::1] does not offer encryption (STARTTLS)",
		    rule[modes]);
		check_row_text(rule[modes], text, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_are_formatted),
	    cmocka_unit_test(only_a_missing_offer_is_a_refusal),
	    cmocka_unit_test(a_refusal_is_one_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
