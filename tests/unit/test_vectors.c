/*
 * test_vectors.c - the parsers of core against vector files (../shared/vectors), when that folder is there.
 *
 * Every row is run. A row that is disputed, or merely informative, is printed when we read it otherwise and fails
 * nothing.
 */
#include "unit/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <jansson.h>

#include "core/dane.h"
#include "core/from.h"
#include "core/netstring.h"
#include "core/nexthop.h"
#include "core/sockmap.h"
#include "core/sts_policy.h"
#include "core/sts_record.h"

#define LINE_SIZE 400000
#define RDATA_SIZE 70000

static unsigned failures;

static const char *text_of(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* Tells of a row that went otherwise than expected; it counts when FIRM. */
static void differs(const json_t *row, bool firm, const char *expected, const char *got)
{
	print_message("# %s: %s expected, got %s%s\n", text_of(row, "id"), expected, got,
		      firm ? "" : " (disputed, not counted)");
	failures += firm;
}

/* Drops the end of a row that tells what other programs made of it: it may hold what is no Unicode. */
static void drop_observed(char *line)
{
	char *observed = strstr(line, ", \"observed\": ");

	if (observed)
		memcpy(observed, "}", 2);
}

static void each_row(const char *file, void (*check)(const json_t *row))
{
	const char *srcdir = getenv("srcdir");
	char *path = NULL, *line = malloc(LINE_SIZE);
	unsigned rows = 0;
	FILE *in;

	if (asprintf(&path, "%s/../shared/vectors/%s", srcdir ? srcdir : ".", file) < 0)
		fail();
	in = fopen(path, "r");
	if (!in) {
		print_message("# %s is not there: its rows are not run\n", path);
		free(path);
		free(line);
		return; /* not skip(): cmocka 1.1 writes it as a failure in TAP */
	}
	failures = 0;
	while (fgets(line, LINE_SIZE, in)) {
		json_error_t error;
		json_t *row;
		drop_observed(line);
		row = json_loads(line, JSON_ALLOW_NUL, &error);
		if (!row)
			fail_msg("%s line %u: %s", file, rows + 1, error.text);
		check(row);
		json_decref(row);
		rows++;
	}
	fclose(in);
	free(path);
	free(line);
	print_message("# %s: %u rows, %u fail\n", file, rows, failures);
	assert_true(rows > 0);
	assert_int_equal(failures, 0);
}

/* ---- a: policies ---- */

static size_t base64(char *out, const char *in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, value = 0;
	size_t len = 0;

	for (; *in && *in != '='; in++) {
		value = value << 6 | (unsigned)(strchr(digits, *in) - digits);
		bits += 6;
		if (bits >= 8)
			out[len++] = (char)(value >> (bits -= 8));
	}
	return len;
}

/* The body of a row; the one that is too long to be written out is made here. */
static char *policy_body(const json_t *row, size_t *len)
{
	static const char head[] = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmax_age: 86400\ncomment: ";
	char *body = malloc(STS_BODY_MAX + 1);

	if (strcmp(text_of(row, "id"), "POL-118") == 0) {
		memset(body, 'a', STS_BODY_MAX + 1);
		memcpy(body, head, sizeof(head) - 1);
		*len = STS_BODY_MAX + 1;
	} else {
		*len = base64(body, text_of(row, "body_b64"));
	}
	return body;
}

static bool policy_is(const struct sts_policy *p, const json_t *fields)
{
	const json_t *mx = json_object_get(fields, "mx");
	const char *pattern = NULL;

	if (names_code(sts_mode_names, text_of(fields, "mode"), strlen(text_of(fields, "mode"))) != (int)p->mode)
		return false;
	if (json_integer_value(json_object_get(fields, "max_age")) != p->max_age || json_array_size(mx) != p->mx_count)
		return false;
	for (size_t i = 0; i < p->mx_count; i++) {
		pattern = sts_policy_mx(p, pattern);
		if (strcmp(pattern, json_string_value(json_array_get(mx, i))) != 0)
			return false;
	}
	return true;
}

static void check_policy(const json_t *row)
{
	bool firm = strcmp(text_of(row, "verdict"), "disputed") != 0;
	const char *expected = text_of(row, firm ? "verdict" : "recommended");
	struct sts_policy p;
	const char *reason;
	size_t len;
	char *body = policy_body(row, &len);
	bool ok = sts_policy_parse(&p, body, len, &reason);

	if (ok != (strcmp(expected, "valid") == 0))
		differs(row, firm, expected, ok ? "valid" : reason);
	else if (ok && !policy_is(&p, json_object_get(row, "fields")))
		differs(row, firm, "these fields", "others");
	sts_policy_fini(&p);
	free(body);
}

static void policies(void **state)
{
	(void)state;
	each_row("a_mtasts_policy.jsonl", check_policy);
}

/* ---- b: TXT records ---- */

static size_t txt_rdata(uint8_t *out, const json_t *strings)
{
	size_t len = 0;

	for (size_t i = 0; i < json_array_size(strings); i++) {
		size_t n = json_string_length(json_array_get(strings, i));
		out[len] = (uint8_t)n;
		memcpy(out + len + 1, json_string_value(json_array_get(strings, i)), n);
		len += n + 1;
	}
	return len;
}

static void check_record(const json_t *row)
{
	static uint8_t bytes[8][2000];
	bool firm = strcmp(text_of(row, "result"), "disputed") != 0;
	const char *expected = text_of(row, firm ? "result" : "recommended");
	const json_t *txt = json_object_get(row, "txt");
	struct rr_rdata rdata[8];
	struct rr_answer a = {.status = RR_OK, .count = json_array_size(txt), .rdata = rdata};
	char id[STS_ID_SIZE];
	const char *reason;
	bool ok;

	for (size_t i = 0; i < a.count; i++)
		rdata[i] = (struct rr_rdata){bytes[i], txt_rdata(bytes[i], json_array_get(txt, i))};
	if (strcmp(expected, "temperror") == 0)
		a.status = RR_ERROR;
	else if (a.count == 0)
		a.status = strcmp(text_of(row, "rcode"), "NXDOMAIN") == 0 ? RR_NXDOMAIN : RR_NODATA;
	ok = sts_record_find(id, &a, &reason);
	if (ok != (strcmp(expected, "record") == 0))
		differs(row, firm, expected, ok ? "record" : reason);
	else if (ok && strcmp(id, text_of(row, "policy_id")) != 0)
		differs(row, firm, text_of(row, "policy_id"), id);
}

static void records(void **state)
{
	(void)state;
	each_row("b_mtasts_txt.jsonl", check_record);
}

/* ---- c: TLSA ---- */

static size_t tlsa_rdata(uint8_t *out, const json_t *rr)
{
	const char *hex = json_string_value(json_array_get(rr, 3));
	size_t len = 0;

	for (; len < 3; len++)
		out[len] = (uint8_t)json_integer_value(json_array_get(rr, len));
	for (; hex[0] && hex[1]; hex += 2) {
		char octet[3] = {hex[0], hex[1], '\0'};
		out[len++] = (uint8_t)strtoul(octet, NULL, 16);
	}
	return len;
}

static enum tlsa_state tlsa_expected(const char *outcome)
{
	static const struct name_code outcomes[] = {
	    {"dane-authenticated", TLSA_USABLE},
	    {"auth-fails-no-fallback", TLSA_USABLE},
	    {"no-dane", TLSA_NONE},
	    {"tls-required-unauthenticated", TLSA_UNUSABLE},
	    {"defer", TLSA_ERROR},
	    {NULL, 0},
	};
	int code = names_code(outcomes, outcome, strlen(outcome));

	return code < 0 ? TLSA_UNKNOWN : (enum tlsa_state)code;
}

static void check_tlsa(const json_t *row)
{
	static uint8_t bytes[8][RDATA_SIZE];
	const json_t *rrset = json_object_get(row, "rrset"), *usable = json_object_get(row, "usable");
	const char *chain = text_of(json_object_get(row, "chain"), "tlsa"), *answer = text_of(row, "answer");
	enum tlsa_state expected = tlsa_expected(text_of(row, "outcome"));
	struct rr_rdata rdata[8];
	struct rr_answer a = {.status = RR_OK, .count = json_array_size(rrset), .rdata = rdata};

	for (size_t i = 0; i < a.count; i++) {
		rdata[i] = (struct rr_rdata){bytes[i], tlsa_rdata(bytes[i], json_array_get(rrset, i))};
		if (dane_usable(&rdata[i]) != json_is_true(json_array_get(usable, i)))
			differs(row, true, "usability of its record", "another");
	}
	if (a.count == 0)
		a.status = RR_NXDOMAIN;
	if (strcmp(chain, "SERVFAIL") == 0 || strstr(answer, "loop"))
		a.status = RR_ERROR;
	a.secure = strcmp(chain, "secure") == 0 && !strstr(answer, "insecure");
	if (dane_state(&a) != expected)
		differs(row, true, names_name(dane_tlsa_state_names, (int)expected),
			names_name(dane_tlsa_state_names, (int)dane_state(&a)));
}

static void tlsa(void **state)
{
	(void)state;
	each_row("c_tlsa.jsonl", check_tlsa);
}

/* ---- d: MX names against patterns ---- */

static void check_mx(const json_t *row)
{
	const char *raw = text_of(row, "pattern"), *host = text_of(row, "host");
	bool firm = !json_object_get(row, "disagreement") && strncmp(text_of(row, "note"), "informative", 11) != 0;
	bool expected = json_is_true(json_object_get(row, "match"));
	char pattern[DOMAIN_SIZE + 2];
	struct nexthop n; /* a host as some give it: with a dot or a port at its end */
	bool match;

	nexthop_parse(&n, host, strlen(host));
	match = n.kind == NEXTHOP_DOMAIN && sts_pattern_canon(pattern, sizeof(pattern), raw, strlen(raw)) &&
		sts_pattern_matches(pattern, n.domain);
	if (match != expected)
		differs(row, firm, expected ? "match" : "no match", match ? "match" : "no match");
}

static void mx_names(void **state)
{
	(void)state;
	each_row("d_mx_match.jsonl", check_mx);
}

/* ---- e: From: fields ---- */

static bool is_acceptable(const json_t *row, const char *domain)
{
	const json_t *also = json_object_get(row, "also_acceptable");

	for (size_t i = 0; i < json_array_size(also); i++)
		if (strcmp(json_string_value(json_array_get(also, i)), domain) == 0)
			return true;
	return strcmp(text_of(row, "expected_domain"), domain) == 0;
}

static void check_from(const json_t *row)
{
	const json_t *coded = json_object_get(row, "from_b64"); /* for octets that JSON cannot hold */
	const json_t *from = coded ? coded : json_object_get(row, "from"), *one = json_array_get(from, 0);
	char domain[DOMAIN_SIZE], *field = malloc(json_string_length(one) + 1);
	const char *reason, *got = "none";
	size_t len = json_string_length(one);

	if (coded && len > 0)
		len = base64(field, json_string_value(one));
	else if (len > 0)
		memcpy(field, json_string_value(one), len);
	/* more than one field is the caller's to see, and gives none */
	if (json_array_size(from) == 1 && from_domain(domain, field, len, &reason))
		got = domain;
	if (!is_acceptable(row, got))
		differs(row, true, text_of(row, "expected_domain"), got);
	free(field);
}

static void from_fields(void **state)
{
	(void)state;
	each_row("e_from_header.jsonl", check_from);
}

/* ---- i: socketmap requests, as far as the parsers go ---- */

static const struct {
	const char *id;
	enum netstring_status status;
	bool request;
} wires[] = {
    {"SM-024", NETSTRING_OK, false},   {"SM-039", NETSTRING_OK, false},  {"SM-040", NETSTRING_OK, false},
    {"SM-041", NETSTRING_MORE, false}, {"SM-042", NETSTRING_BAD, false}, {"SM-043", NETSTRING_BAD, false},
    {"SM-045", NETSTRING_BAD, false},  {"SM-047", NETSTRING_BAD, false}, {"SM-059", NETSTRING_OK, false},
    {"SM-060", NETSTRING_OK, false},   {"SM-061", NETSTRING_OK, false},  {NULL, NETSTRING_OK, true},
};

static void check_wire(const json_t *row)
{
	const json_t *wire = json_object_get(row, "wire");
	struct sockmap_request request;
	enum netstring_status status;
	struct netstring ns;
	size_t i = 0;

	while (wires[i].id && strcmp(wires[i].id, text_of(row, "id")) != 0)
		i++;
	status = netstring_next(&ns, json_string_value(wire), json_string_length(wire), SOCKMAP_REQUEST_MAX);
	if (status != wires[i].status)
		differs(row, true, "another netstring status", status == NETSTRING_BAD ? ns.reason : "this one");
	else if (status == NETSTRING_OK && sockmap_parse(&request, ns.payload, ns.len) != wires[i].request)
		differs(row, true, wires[i].request ? "a request" : "no request", "the other");
}

static void wire_requests(void **state)
{
	(void)state;
	each_row("i_socketmap_wire.jsonl", check_wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(policies), cmocka_unit_test(records),     cmocka_unit_test(tlsa),
	    cmocka_unit_test(mx_names), cmocka_unit_test(from_fields), cmocka_unit_test(wire_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
