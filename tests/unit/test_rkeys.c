/*
 * test_rkeys.c - the names of our keys in Redis.
 */
#include "unit/check.h"

#include "core/rkeys.h"

static void keys_are_formatted_and_parsed_back(void **state)
{
	static const struct {
		enum rkey_kind kind;
		const char *name, *key;
	} rows[] = {
	    {RKEY_SENDER, "example.com", "tlsmode:sender:example.com"},
	    {RKEY_SENDER, "<>", "tlsmode:sender:<>"},
	    {RKEY_RCPT, "[relay.example]:587", "tlsmode:rcpt:[relay.example]:587"},
	    {RKEY_EXCEPT, "*", "tlsmode:except:*"},
	    {RKEY_STS, "example.com", "tlsmode:sts:example.com"},
	    {RKEY_DANE, "[mx.example]", "tlsmode:dane:[mx.example]"},
	    {RKEY_LOCK, "a", "tlsmode:lock:a"},
	    {RKEY_ACCEPT, "settings", "tlsmode:accept:settings"},
	    {RKEY_SENDER, "", "tlsmode:sender:"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[RKEY_SIZE];
		const char *name;
		size_t len;
		struct sbuf out;

		sbuf_init(&out, text, sizeof(text));
		rkeys_format(&out, "tlsmode:", rows[i].kind, rows[i].name);
		check_row_text(rows[i].key, text, rows[i].key);
		check_row(rows[i].key, rkeys_parse("tlsmode:", text, out.len, &name, &len) == rows[i].kind);
		check_row(rows[i].key, len == strlen(rows[i].name) && memcmp(name, rows[i].name, len) == 0);
	}
}

static void other_keys_are_left_alone(void **state)
{
	static const char *const rows[] = {
	    "",
	    "tlsmode:",
	    "tlsmode:sender",
	    "tlsmode:senders:x",
	    "tlsmode:Sender:x",
	    "TLSMODE:sender:x",
	    "xtlsmode:sender:x",
	    "sender:x",
	    "tlsmode::x",
	    "tlsmode:verdict:x",
	    "tlsmode",
	};
	const char *name;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_row(rows[i], rkeys_parse("tlsmode:", rows[i], strlen(rows[i]), &name, &len) == RKEY_OTHER);
	assert_int_equal(rkeys_parse("", "sender:x", 8, &name, &len), RKEY_SENDER);
}

/* Redis' glob for what rkeys_settings_glob() writes: [set], '\', '*' and plain characters. */
static int glob(const char *p, const char *s)
{
	for (; *p && *p != '*'; p++, s++) {
		if (*p == '[') {
			const char *end = strchr(p, ']');
			if (!*s || !memchr(p + 1, *s, (size_t)(end - p - 1)))
				return 0;
			p = end;
		} else {
			p += *p == '\\';
			if (*p != *s)
				return 0;
		}
	}
	if (!*p)
		return !*s;
	for (;; s++) {
		if (glob(p + 1, s))
			return 1;
		if (!*s)
			return 0;
	}
}

static void the_glob_takes_settings_and_no_facts(void **state)
{
	static const char *const prefixes[] = {"tlsmode:", "", "we*ird[1]?\\:", "a-^b:"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		for (int kind = RKEY_SENDER; kind < RKEY_OTHER; kind++) {
			char pattern[200], key[RKEY_SIZE];
			struct sbuf b;

			sbuf_init(&b, pattern, sizeof(pattern));
			rkeys_settings_glob(&b, prefixes[i]);
			sbuf_init(&b, key, sizeof(key));
			rkeys_format(&b, prefixes[i], (enum rkey_kind)kind, "sender:x");
			check_row(key, glob(pattern, key) == (kind <= RKEY_EXCEPT));
			key[0] = key[0] == 'z' ? 'y' : 'z';
			check_row(key, !glob(pattern, key));
		}
	}
}

/* By their names: "sender" is the key of the kind "sender". */
static void each_kind_of_setting_has_its_key(void **state)
{
	size_t settings = 0;

	(void)state;
	for (int kind = 0; kind <= RKEY_OTHER; kind++) {
		enum setting_kind setting;
		char text[RKEY_SIZE];
		struct sbuf out;

		if (!rkeys_is_setting((enum rkey_kind)kind, &setting))
			continue;
		settings++;
		assert_int_equal(rkeys_of_setting(setting), kind);
		sbuf_init(&out, text, sizeof(text));
		rkeys_format(&out, "", (enum rkey_kind)kind, "");
		text[out.len - 1] = '\0';
		assert_string_equal(text, names_name(setting_kind_names, (int)setting));
	}
	assert_int_equal(settings, SETTING_KINDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_formatted_and_parsed_back),
	    cmocka_unit_test(other_keys_are_left_alone),
	    cmocka_unit_test(each_kind_of_setting_has_its_key),
	    cmocka_unit_test(the_glob_takes_settings_and_no_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
