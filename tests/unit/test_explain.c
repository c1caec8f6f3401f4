/*
 * test_explain.c - the one line of JSON: what stands in it, that it is one line, that it fits a reply whatever the
 * facts.
 */
#include "unit/check.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "core/explain.h"
#include "lib/drive.h"

#define NOW 1000000

static json_t *explained(const struct explain_input *in)
{
	char *text = explain_json(in);
	json_error_t error;
	json_t *o;

	assert_true(strlen(text) <= SOCKMAP_REPLY_MAX - 3);
	assert_null(strchr(text, '\n'));
	o = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!o)
		fail_msg("%s: %s", error.text, text);
	free(text);
	return o;
}

/* The value at "a.b.0.c" as text, "" when it is not there. */
static const char *at(json_t *o, const char *path)
{
	static char text[3000];
	char part[100];

	while (*path != '\0' && o) {
		size_t len = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		o = json_is_array(o) ? json_array_get(o, (size_t)atoi(part)) : json_object_get(o, part);
		path += len + (path[len] == '.');
	}
	if (json_is_integer(o))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(o));
	else if (json_is_boolean(o))
		snprintf(text, sizeof(text), "%s", json_is_true(o) ? "true" : "false");
	else
		snprintf(text, sizeof(text), "%s", json_is_string(o) ? json_string_value(o) : "");
	return text;
}

static void must_be(json_t *o, const char *path, const char *expected)
{
	if (strcmp(at(o, path), expected) != 0)
		fail_msg("%s is \"%s\", not \"%s\"", path, at(o, path), expected);
}

static struct drive_job *resolved(const char *const *lines, size_t count, const char *key)
{
	static const char policy[] = "mta-sts.a.example policy enforce 86400 mx.a.example *.b.example";
	struct drive_job *job = xcalloc(1, sizeof(*job));
	struct world world = {0};
	struct drive d = {.world = &world};
	struct nexthop nexthop;

	for (size_t i = 0; i < count; i++)
		assert_true(world_set_dns(&world, lines[i]));
	assert_true(world_set_https(&world, policy));
	nexthop_parse(&nexthop, key, strlen(key));
	facts_init(&job->facts, &nexthop);
	drive_round(&d, job, NOW, NULL, NULL);
	assert_string_equal(d.error, "");
	world_fini(&world);
	return job;
}

static void job_free(struct drive_job *job)
{
	facts_fini(&job->facts);
	free(job);
}

static void test_everything(void **state)
{
	static const char *const lines[] = {
	    "a.example MX ok secure 300 10 mx.a.example | 20 gone.a.example",
	    "mx.a.example A ok secure 200 -> real.a.example 192.0.2.1",
	    "_25._tcp.real.a.example TLSA ok secure 100 usable",
	    "gone.a.example A nxdomain secure 250",
	    "_mta-sts.a.example TXT ok insecure 120 v=STSv1; id=77",
	    "mta-sts.a.example A ok insecure 100 192.0.2.9",
	    "mta-sts.a.example AAAA nodata insecure 100",
	};
	struct drive_job *job = resolved(lines, COUNT_OF(lines), "a.example");
	struct sender_setting sender = {
	    .mode = MODE_ENFORCED, .mode_key = ".s.example", .mode_bad = true, .valid_until_ms = (NOW + 50) * 1000LL};
	struct dest_setting dest = {.mode = MODE_ENFORCED,
				    .mode_key = "a.example",
				    .mode_bad = true,
				    .not_understood = 2,
				    .sts_ignore = true,
				    .except_key = "*",
				    .valid_until_ms = INT64_MAX};
	struct explain_input in = {.facts = &job->facts,
				   .now = NOW + 10,
				   .dest = &dest,
				   .sender = "x.s.example",
				   .sender_setting = &sender,
				   .all_modes = true,
				   .dane = true,
				   .options = {.min_tls = "1.2"},
				   .settings_known = true};
	json_t *o;

	(void)state;
	o = explained(&in);
	must_be(o, "nexthop.key", "a.example");
	must_be(o, "nexthop.kind", "domain");
	must_be(o, "nexthop.port", "25");
	must_be(o, "sender.domain", "x.s.example");
	must_be(o, "sender.mode", "enforced");
	must_be(o, "sender.mode_key", ".s.example");
	must_be(o, "sender.mode_misspelt", "true");
	must_be(o, "sender.not_understood", "");
	must_be(o, "sender.ends_in", "40");
	must_be(o, "destination.mode_key", "a.example");
	must_be(o, "destination.mode_misspelt", "true");
	must_be(o, "destination.not_understood", "2");
	must_be(o, "destination.sts", "ignore");
	must_be(o, "destination.for", "opportunistic");
	must_be(o, "destination.except_key", "*");
	must_be(o, "mx.state", "secure");
	must_be(o, "mx.kind", "records");
	must_be(o, "mx.ends_in", "290");
	must_be(o, "mx.hosts.0.name", "mx.a.example");
	must_be(o, "mx.hosts.0.expanded", "real.a.example");
	must_be(o, "mx.hosts.0.tlsa", "usable");
	must_be(o, "mx.hosts.0.ends_in", "90");
	must_be(o, "mx.hosts.1.tlsa", "none");
	must_be(o, "mx.hosts.1.why", "the host does not exist");
	must_be(o, "sts.txt", "record");
	must_be(o, "sts.txt_id", "77");
	must_be(o, "sts.txt_ends_in", "110");
	must_be(o, "sts.policy.in_force", "true");
	must_be(o, "sts.policy.mode", "enforce");
	must_be(o, "sts.policy.id", "77");
	must_be(o, "sts.policy.max_age", "86400");
	must_be(o, "sts.policy.fetched_at", "1000000");
	must_be(o, "sts.policy.age", "10");
	must_be(o, "sts.policy.expires_in", "86391");
	must_be(o, "sts.policy.refresh_in", "43190");
	must_be(o, "sts.policy.mx.1", "*.b.example");
	must_be(o, "ends_in", "90");
	must_be(o, "verdicts.0.mode", "opportunistic");
	must_be(o, "verdicts.0.answer", "OK dane-only protocols=>=TLSv1.2");
	must_be(o, "verdicts.0.row", "5");
	must_be(o, "verdicts.0.reasons.0.name", "dane-some-usable");
	must_be(o, "verdicts.0.reasons.1.name", "rcpt-mode");
	must_be(o, "verdicts.0.reasons.2.name", ""); /* the exception changed nothing: not used, not told */
	must_be(o, "verdicts.2.mode", "verified");
	must_be(o, "verdicts.2.row", "6");
	assert_true(strlen(at(o, "verdicts.2.postfix")) > 20);
	json_decref(o);
	in.all_modes = false;
	in.mode = MODE_VERIFIED;
	o = explained(&in);
	must_be(o, "verdicts.0.mode", "verified");
	must_be(o, "verdicts.1.mode", "");
	json_decref(o);
	job_free(job);
}

static void test_failure(void **state)
{
	struct dest_setting dest = {.has_match = true, .mode = MODE_VERIFIED, .valid_until_ms = INT64_MAX};
	struct nexthop nexthop;
	static struct facts f;
	struct explain_input in = {
	    .facts = &f, .now = NOW, .dest = &dest, .all_modes = true, .dane = true, .options = {.min_tls = ""}};
	json_t *o;

	(void)state;
	nexthop_parse(&nexthop, "a.example", 9);
	facts_init(&f, &nexthop);
	facts_timeout(&f, NOW);
	f.sts.failure = FETCH_WEBPKI;
	f.sts.fail_at = NOW - 100;
	strcpy(f.sts.fail_why, "certificate \"x\\\" \xff\n of \x01");
	o = explained(&in);
	must_be(o, "settings_known", "false");
	must_be(o, "destination.match", "(unreadable: nothing matches)");
	must_be(o, "mx.state", "error");
	must_be(o, "mx.why", "no answer in time");
	must_be(o, "sts.failure.kind", "sts-webpki-invalid");
	must_be(o, "sts.failure.why", "certificate \"x\\\" ?? of ?");
	must_be(o, "sts.failure.again_in", "200");
	must_be(o, "verdicts.1.answer", "TEMP a.example: the MX records could not be looked up");
	must_be(o, "verdicts.1.reasons.0.name", "mx-error");
	json_decref(o);
	in.awaited = "not yet";
	o = explained(&in);
	must_be(o, "verdicts.0.answer", "TEMP not yet");
	must_be(o, "verdicts.2.level", "temp");
	must_be(o, "verdicts.2.row", "");
	json_decref(o);
}

static void test_fits(void **state)
{
	struct dest_setting dest = {.valid_until_ms = INT64_MAX};
	struct nexthop nexthop;
	static struct facts f;
	struct explain_input in = {.facts = &f,
				   .now = NOW,
				   .dest = &dest,
				   .all_modes = true,
				   .dane = true,
				   .options = {.min_tls = "1.2", .tlsrpt = true}};
	char name[DOMAIN_SIZE], *patterns = xmalloc(STS_BODY_MAX + 400);
	size_t len = 0;
	json_t *o;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[63] = name[127] = name[191] = '.';
	name[DOMAIN_MAX] = '\0';
	nexthop_parse(&nexthop, name, strlen(name));
	facts_init(&f, &nexthop);
	f.mx = MX_SECURE;
	for (size_t i = 0; i < FACTS_HOSTS_MAX; i++) {
		struct host_fact *h = facts_add_host(&f, name);

		memcpy(h->expanded, name, sizeof(name));
		h->tlsa = TLSA_NONE;
		h->why = "the TLSA name would be longer than DNS allows";
	}
	for (size_t i = 0; len + 300 < STS_BODY_MAX; i++) {
		char number[20];

		snprintf(number, sizeof(number), "%04zu", i);
		memcpy(name, number, 4);
		len += (size_t)sprintf(patterns + len, "%s%s", i > 0 ? " " : "", name);
	}
	assert_true(sts_policy_set_mx(&f.sts.policy, patterns, len));
	f.sts.policy.mode = STS_ENFORCE;
	f.sts.policy.max_age = 86400;
	f.sts.have_policy = true;
	f.sts.fetched_at = NOW;
	memset(f.sts.fail_why, '"', sizeof(f.sts.fail_why) - 1);
	f.sts.failure = FETCH_FAILED;
	memset(dest.match, '.', sizeof(dest.match) - 1);
	o = explained(&in);
	assert_int_equal(json_array_size(json_object_get(json_object_get(json_object_get(o, "sts"), "policy"), "mx")),
			 100);
	assert_true(atoi(at(o, "sts.policy.mx_not_shown")) > 100);
	assert_true(atoi(at(o, "verdicts.0.answer_not_shown")) > 10000);
	json_decref(o);
	facts_fini(&f);
	free(patterns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_failure),
	    cmocka_unit_test(test_fits),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
