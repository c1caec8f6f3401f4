/*
 * test_settings.c - the table of all settings, closest keys, ends.
 */
#include "unit/settings_room.h"

static void keys_are_put_found_and_removed(void **state)
{
	struct settings *s = settings_new();
	struct setting v;

	(void)state;
	assert_false(settings_get(s, S, "a.example", &v));
	put(s, S, "a.example", 0, "mode=verified via=pool2 note=x colour=red");
	put(s, R, "a.example", 0, "match=b.example:.c.example mode=zzz");
	assert_int_equal(settings_count(s), 2);
	assert_true(settings_get(s, S, "a.example", &v));
	assert_int_equal(v.mode, MODE_VERIFIED);
	assert_string_equal(v.via, "pool2");
	assert_int_equal(v.unknown, 1);
	assert_true(v.has & SETTING_HAS_NOTE);
	assert_true(settings_get(s, R, "a.example", &v));
	assert_string_equal(v.match, "b.example:.c.example");
	assert_int_equal(v.bad, SETTING_HAS_MODE);
	put(s, S, "a.example", 77, "mode=enforced");
	assert_int_equal(settings_count_kind(s, S), 1);
	assert_true(settings_get(s, S, "a.example", &v));
	assert_int_equal(v.mode, MODE_ENFORCED);
	assert_int_equal(v.ends_at_ms, 77);
	assert_string_equal(v.via, "");
	assert_true(settings_remove(s, S, "a.example"));
	assert_false(settings_remove(s, S, "a.example"));
	assert_false(settings_remove(s, X, "a.example"));
	assert_int_equal(settings_count(s), 1);
	settings_free(&s);
	assert_null(s);
}

static void sender_fields_come_from_the_closest_key(void **state)
{
	static const struct {
		const char *domain;
		enum mode mode;
		const char *mode_key, *via, *via_key;
	} rows[] = {
	    {"example.com", MODE_VERIFIED, "example.com", "star", "*"},
	    {"a.example.com", MODE_ENFORCED, ".example.com", "sub", ".example.com"},
	    {"b.a.example.com", MODE_OPPORTUNISTIC, ".a.example.com", "sub", ".example.com"},
	    {"x.b.a.example.com", MODE_OPPORTUNISTIC, ".a.example.com", "sub", ".example.com"},
	    {"other.com", MODE_OPPORTUNISTIC, ".com", "star", "*"},
	    {"com", MODE_ENFORCED, "*", "star", "*"},
	    {"notexample.com", MODE_OPPORTUNISTIC, ".com", "star", "*"},
	    {"example.org", MODE_ENFORCED, "*", "star", "*"},
	    {"", MODE_ENFORCED, "*", "star", "*"},
	    {"<>", MODE_OPPORTUNISTIC, "", "", ""},
	};
	struct settings *s = settings_new();

	(void)state;
	put(s, S, "*", 0, "mode=enforced via=star");
	put(s, S, "example.com", 0, "mode=verified");
	put(s, S, ".example.com", 0, "mode=enforced via=sub");
	put(s, S, ".a.example.com", 0, "mode=opportunistic");
	put(s, S, ".com", 0, "mode=opportunistic");
	put(s, R, "<>", 0, "mode=verified"); /* another kind is another key */
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sender_setting got = sender(s, rows[i].domain, 1000);
		check_row(rows[i].domain, got.mode == rows[i].mode);
		check_row_text(rows[i].domain, got.mode_key, rows[i].mode_key);
		check_row_text(rows[i].domain, got.via, rows[i].via);
		check_row_text(rows[i].domain, got.via_key, rows[i].via_key);
		check_row(rows[i].domain, got.valid_until_ms == INT64_MAX);
	}
	put(s, S, "<>", 0, "mode=enforced");
	assert_int_equal(sender(s, "<>", 1000).mode, MODE_ENFORCED);
	put(s, S, "example.com", 0, "mode=enforcd");
	assert_int_equal(sender(s, "example.com", 1000).mode, MODE_ENFORCED);
	assert_true(sender(s, "example.com", 1000).mode_bad);
	assert_int_equal(sender(s, "example.com", 1000).not_understood, 0);
	put(s, S, ".com", 0, "mode=opportunistic via=a/b colour=red");
	assert_int_equal(sender(s, "example.com", 1000).not_understood, 2);
	settings_free(&s);
}

static void keys_end_on_the_dot(void **state)
{
	struct settings *s = settings_new();
	struct sender_setting got;

	(void)state;
	put(s, S, "*", 9000, "mode=enforced");
	put(s, S, "example.com", 5000, "mode=verified");
	put(s, S, ".com", 7000, "via=pool2");
	got = sender(s, "example.com", 4999);
	assert_int_equal(got.mode, MODE_VERIFIED);
	assert_string_equal(got.via, "pool2");
	assert_true(got.valid_until_ms == 5000);
	got = sender(s, "example.com", 5000);
	assert_int_equal(got.mode, MODE_ENFORCED);
	assert_true(got.valid_until_ms == 7000);
	got = sender(s, "example.com", 7000);
	assert_string_equal(got.via, "");
	assert_true(got.valid_until_ms == 9000);
	got = sender(s, "example.com", 9000);
	assert_int_equal(got.mode, MODE_OPPORTUNISTIC);
	assert_true(got.valid_until_ms == INT64_MAX);
	/* an exception that ends takes nothing else along */
	put(s, X, "example.com", 5000, "dane=ignore");
	put(s, R, "example.com", 0, "mode=verified");
	assert_true(dest(s, "example.com", 4999).dane_ignore);
	assert_true(dest(s, "example.com", 4999).valid_until_ms == 5000);
	assert_false(dest(s, "example.com", 5000).dane_ignore);
	assert_int_equal(dest(s, "example.com", 5000).mode, MODE_VERIFIED);
	settings_free(&s);
}

static void destination_names_from_closest_to_farthest(void **state)
{
	static const struct {
		const char *nexthop, *match_key;
		bool named;
	} rows[] = {
	    {"[relay.example]:587", "[relay.example]:587", true},
	    {"[relay.example]:465", "[relay.example]", true},
	    {"[relay.example]", "[relay.example]", true},
	    {"[Relay.Example.]:25", "[relay.example]", true},
	    {"relay.example", "relay.example", true},
	    {"relay.example:587", "relay.example:587", true},
	    {"relay.example:26", "relay.example", true},
	    {"[other.example]:587", ".example", true},
	    {"other.example", ".example", true},
	    {".relay.example", ".example", true},
	    {".example", ".example", true},
	    {".org", "*", false},
	    {"other.org", "*", false},
	    {"[192.0.2.1]:587", "[192.0.2.1]", true},
	    {"192.0.2.1", "[192.0.2.1]", true},
	    {"[192.0.2.2]:587", "[192.0.2.2]:587", true},
	    {"[192.0.2.2]", "*", false},
	    {"[2001:db8::1]:26", "[2001:db8::1]", true},
	    {"/path", "*", false},
	};
	static const char *const keys[] = {
	    "[relay.example]:587", "[relay.example]", "relay.example", "relay.example:587", ".example", "*",
	    "[192.0.2.1]",         "[192.0.2.2]:587", "[2001:db8::1]",
	};
	struct settings *s = settings_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		put(s, R, keys[i], 0, "match=x.example");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct dest_setting got = dest(s, rows[i].nexthop, 0);
		check_row_text(rows[i].nexthop, got.match_key, rows[i].match_key);
		check_row(rows[i].nexthop, got.named == rows[i].named);
		check_row(rows[i].nexthop, got.mode == MODE_VERIFIED && got.has_match);
		check_row_text(rows[i].nexthop, got.mode_key, rows[i].match_key);
	}
	settings_free(&s);
}

static void destination_fields_are_merged_one_by_one(void **state)
{
	struct settings *s = settings_new();
	struct dest_setting got;

	(void)state;
	got = dest(s, "a.example", 0);
	assert_int_equal(got.mode, MODE_OPPORTUNISTIC);
	assert_false(got.has_match || got.dane_ignore || got.sts_ignore || got.plaintext_allow || got.for_all ||
		     got.named);
	assert_true(got.valid_until_ms == INT64_MAX);

	put(s, X, ".example", 0, "dane=ignore sts=ignore plaintext=allow for=all");
	put(s, X, "a.example", 0, "dane=ingore for=opportunistic");
	put(s, R, ".example", 0, "mode=enforced");
	put(s, R, "a.example", 0, "note=hello");
	got = dest(s, "a.example", 0);
	assert_int_equal(got.mode, MODE_ENFORCED);
	assert_string_equal(got.mode_key, ".example");
	assert_false(got.dane_ignore); /* a bad closer value hides the farther exception */
	assert_false(got.for_all);
	assert_true(got.sts_ignore && got.plaintext_allow);
	assert_string_equal(got.except_key, ".example");
	got = dest(s, "b.example", 0);
	assert_true(got.dane_ignore && got.for_all);

	put(s, R, "a.example", 0, "match=a.example:*.bad");
	got = dest(s, "a.example", 0);
	assert_true(got.has_match);
	assert_string_equal(got.match, ""); /* unreadable: nothing matches */
	assert_int_equal(got.mode, MODE_VERIFIED);
	assert_string_equal(got.mode_key, "a.example");

	put(s, R, "a.example", 0, "match=mx.example mode=verified");
	got = dest(s, "a.example", 0);
	assert_string_equal(got.match, "mx.example");
	put(s, X, "a.example", 0, "plaintext=allow");
	put(s, X, ".example", 0, "for=nobody");
	got = dest(s, "a.example", 0);
	assert_string_equal(got.except_key, "a.example");
	assert_true(got.plaintext_allow);
	assert_false(got.for_all || got.dane_ignore || got.sts_ignore);
	settings_free(&s);
}

static void sum_lengths(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	size_t *sum = arg;

	*sum += (size_t)kind + strlen(name) + strlen(value->via);
}

static void each_walks_every_key_once(void **state)
{
	struct settings *s = settings_new();
	size_t sum = 0, expected = 0;
	char name[32];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		put(s, (enum setting_kind)(i % 3), name, 0, i % 3 == S ? "via=abc" : "note=x");
		expected += (size_t)(i % 3) + strlen(name) + (i % 3 == S ? 3 : 0);
	}
	settings_each(s, sum_lengths, &sum);
	assert_int_equal(sum, expected);
	struct settings_walk w = {0};
	sum = 0;
	while (settings_walk(s, &w, 10, sum_lengths, &sum))
		;
	assert_int_equal(sum, expected);
	settings_free(&s);
}

/* A name of 127 labels: the ladder has room for all its parents. */
static void the_longest_name_has_an_answer(void **state)
{
	struct settings *s = settings_new();
	char name[DOMAIN_SIZE];

	(void)state;
	for (size_t i = 0; i < DOMAIN_MAX; i++)
		name[i] = i % 2 ? '.' : 'a';
	name[DOMAIN_MAX] = '\0';
	put(s, S, ".a", 0, "mode=verified");
	put(s, R, ".a", 0, "mode=verified");
	assert_int_equal(sender(s, name, 0).mode, MODE_VERIFIED);
	char bracketed[NEXTHOP_SIZE + 8];
	snprintf(bracketed, sizeof(bracketed), "[%s]:587", name);
	assert_int_equal(dest(s, bracketed, 0).mode, MODE_VERIFIED);
	assert_string_equal(dest(s, bracketed, 0).mode_key, ".a");
	settings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_put_found_and_removed),
	    cmocka_unit_test(sender_fields_come_from_the_closest_key),
	    cmocka_unit_test(keys_end_on_the_dot),
	    cmocka_unit_test(destination_names_from_closest_to_farthest),
	    cmocka_unit_test(destination_fields_are_merged_one_by_one),
	    cmocka_unit_test(each_walks_every_key_once),
	    cmocka_unit_test(the_longest_name_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
