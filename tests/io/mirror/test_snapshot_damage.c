/*
 * test_snapshot_damage.c - every way to spoil one octet of a snapshot, and every place to cut it, is noticed: none is
 * read as a good one, so none gives a weaker mode, and none is "there is no snapshot".
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/mirror/snapshot.h"

#define NOW 1000000

static char folder[] = "/tmp/tlsmode-snapshot-XXXXXX";
static char file[sizeof(folder) + 16];
static char good[4096];
static size_t good_len;

static void put(const char *bytes, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static enum snapshot_status status_now(size_t *count)
{
	struct settings *settings = settings_new();
	struct snapshot_info info;
	char why[160] = "";
	enum snapshot_status status = snapshot_read(file, settings, &info, NOW, why, sizeof(why));

	assert_true((status == SNAPSHOT_DAMAGED) == (why[0] != '\0'));
	if (count)
		*count = settings_count(settings);
	settings_free(&settings);
	return status;
}

static void add(struct sbuf *b, size_t *lines, enum setting_kind kind, const char *name, enum mode mode,
		int64_t ends_at)
{
	struct setting s;

	setting_init(&s);
	s.has = SETTING_HAS_MODE;
	s.mode = mode;
	s.ends_at_ms = ends_at;
	snapshot_format_line(b, kind, name, &s);
	++*lines;
}

static int make_good(void **state)
{
	const struct snapshot_info info = {12345, false};
	size_t lines = 0;
	struct sbuf b;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/snap", folder);
	sbuf_init(&b, good, sizeof(good));
	snapshot_format_head(&b, &info);
	add(&b, &lines, SETTING_SENDER, "a.test", MODE_ENFORCED, 0);
	add(&b, &lines, SETTING_SENDER, ".b.test", MODE_VERIFIED, 0);
	add(&b, &lines, SETTING_SENDER, "*", MODE_OPPORTUNISTIC, 0);
	add(&b, &lines, SETTING_RCPT, "[mx.test]:587", MODE_VERIFIED, NOW + 1);
	add(&b, &lines, SETTING_SENDER, "ended.test", MODE_ENFORCED, NOW);
	snapshot_format_end(&b, lines, snapshot_hash(SNAPSHOT_HASH_START, good, b.len));
	good_len = b.len;
	return 0;
}

static int remove_all(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static void the_good_one_is_good(void **state)
{
	size_t count;

	(void)state;
	put(good, good_len);
	assert_int_equal(status_now(&count), SNAPSHOT_OK);
	assert_int_equal(count, 4);
	unlink(file);
	assert_int_equal(status_now(&count), SNAPSHOT_NONE);
}

static void every_octet_may_be_any_other(void **state)
{
	char bad[sizeof(good)];

	(void)state;
	for (size_t i = 0; i < good_len; i++)
		for (int flip = 1; flip < 256; flip++) {
			memcpy(bad, good, good_len);
			bad[i] = (char)(bad[i] ^ flip);
			put(bad, good_len);
			if (status_now(NULL) != SNAPSHOT_DAMAGED)
				fail_msg("octet %zu of %zu, flipped by %d", i, good_len, flip);
		}
}

static void it_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < good_len; i++) {
		put(good, i);
		if (status_now(NULL) != SNAPSHOT_DAMAGED)
			fail_msg("cut at %zu of %zu", i, good_len);
		put(good + good_len - i, i);
		if (status_now(NULL) != SNAPSHOT_DAMAGED)
			fail_msg("the last %zu of %zu", i, good_len);
	}
}

static void a_line_may_be_missing_or_come_twice(void **state)
{
	(void)state;
	for (const char *line = good, *end; line < good + good_len; line = end) {
		size_t head, len;
		char bad[2 * sizeof(good)];

		end = strchr(line, '\n') + 1;
		head = (size_t)(line - good);
		len = (size_t)(end - line);
		memcpy(bad, good, head);
		memcpy(bad + head, end, good_len - head - len);
		put(bad, good_len - len);
		assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
		memcpy(bad, good, head + len);
		memcpy(bad + head + len, line, good_len - head);
		put(bad, good_len + len);
		assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
	}
}

/* What stands there and cannot be read is not "none". */
static void what_is_no_file_is_damage(void **state)
{
	(void)state;
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0);
	assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
	unlink(file);
	assert_int_equal(symlink("snap", file), 0);
	assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
	unlink(file);
	assert_int_equal(symlink("nowhere", file), 0);
	assert_int_equal(status_now(NULL), SNAPSHOT_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_good_one_is_good),      cmocka_unit_test(every_octet_may_be_any_other),
	    cmocka_unit_test(it_may_be_cut_anywhere),    cmocka_unit_test(a_line_may_be_missing_or_come_twice),
	    cmocka_unit_test(what_is_no_file_is_damage),
	};

	return cmocka_run_group_tests(tests, make_good, remove_all);
}
