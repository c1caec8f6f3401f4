/*
 * test_base.c - libbase: builder, cursor, names, clock, log, hash table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cur.h"
#include "base/heap.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/names.h"
#include "base/sbuf.h"
#include "base/tick.h"
#include "base/xalloc.h"

static void sbuf_remembers_overflow(void **state)
{
	char buf[8];
	struct sbuf b;

	(void)state;
	sbuf_init(&b, buf, sizeof(buf));
	sbuf_add(&b, "abc");
	sbuf_addf(&b, "%d", 42);
	assert_true(sbuf_ok(&b));
	assert_string_equal(buf, "abc42");
	sbuf_add(&b, "xyz");
	assert_false(sbuf_ok(&b));
	assert_string_equal(buf, "abc42xy");
	sbuf_addc(&b, '!');
	assert_false(sbuf_ok(&b));
	assert_int_equal(strlen(buf), b.len);
	sbuf_reset(&b);
	sbuf_addf(&b, "%s", "1234567");
	assert_true(sbuf_ok(&b));
	sbuf_addf(&b, "%s", "");
	assert_true(sbuf_ok(&b));
	sbuf_reset(&b);
	sbuf_addf(&b, "%s", "12345678");
	assert_false(sbuf_ok(&b));
	assert_string_equal(buf, "1234567");
}

static void cur_never_leaves_its_bytes(void **state)
{
	struct cur c;
	uint16_t n;
	const unsigned char *bytes;

	(void)state;
	cur_init(&c,
		 "\x01\x02"
		 "ab \t!",
		 7);
	assert_true(cur_u16(&c, &n));
	assert_int_equal(n, 0x0102);
	assert_true(cur_text(&c, "ab"));
	assert_false(cur_text(&c, " \t!?"));
	assert_int_equal(cur_skip_wsp(&c), 2);
	assert_false(cur_char(&c, '?'));
	assert_true(cur_char(&c, '!'));
	assert_int_equal(cur_peek(&c), -1);
	assert_int_equal(cur_next(&c), -1);
	assert_false(cur_char(&c, -1));
	assert_null(c.error);
	assert_false(cur_bytes(&c, 1, &bytes));
	assert_false(cur_fail(&c, "second"));
	assert_string_equal(c.error, "too short");
}

static void names_go_both_ways(void **state)
{
	static const struct name_code table[] = {{"one", 1}, {"uno", 1}, {"two", 2}, {NULL, 0}};

	(void)state;
	assert_string_equal(names_name(table, 1), "one");
	assert_null(names_name(table, 3));
	assert_int_equal(names_code(table, "UNO!", 3), 1);
	assert_int_equal(names_code(table, "tw", 2), -1);
	assert_int_equal(names_code(table, "", 0), -1);
}

static int64_t noon(void)
{
	return 43200000;
}

static void tick_can_be_replaced(void **state)
{
	(void)state;
	assert_true(tick_wall_ms() > 1600000000000LL);
	tick_replace(noon);
	assert_int_equal(tick_wall_ms(), 43200000);
	assert_int_equal(tick_mono_ms(), 43200000);
	tick_replace(NULL);
	assert_true(tick_mono_ms() <= tick_mono_ms());
}

static char seen[4096];
static int seen_count;

static void on_line(enum log_level level, const char *line)
{
	(void)level;
	seen_count++;
	strncpy(seen, line, sizeof(seen) - 1);
}

static void log_is_one_clean_line(void **state)
{
	(void)state;
	log_capture(on_line);
	seen_count = 0;
	log_info("event=x key=%s", "a\nb\x7f");
	assert_int_equal(seen_count, 1);
	assert_string_equal(seen, "event=x key=a?b?");
	log_capture(NULL);
}

/* ---- the log's queue: one process has one, so these come last and in this order; standard error is a pipe ---- */

#define LOGGERS 4
#define LOGGED 700 /* lines each that fit while nobody reads */
#define FLOOD 9000 /* lines each: more than the queue holds */

static struct {
	int fd, before;  /* to read from; standard error as it was */
	char line[4096]; /* the last one read */
	char got[8192];
	size_t len, at;
	unsigned long long missing; /* lines, as event=log_dropped has it */
} target;

static void target_open(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	target.before = dup(STDERR_FILENO);
	target.fd = fds[0];
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	close(fds[1]);
}

/* The next whole line, in target.line. */
static const char *target_line(void)
{
	struct pollfd in = {.fd = target.fd, .events = POLLIN};
	size_t len = 0;

	for (;;) {
		if (target.at == target.len) {
			ssize_t n = poll(&in, 1, 20000) == 1 ? read(target.fd, target.got, sizeof(target.got)) : 0;

			assert_true(n > 0);
			target.len = (size_t)n;
			target.at = 0;
		}
		assert_true(len < sizeof(target.line) - 1);
		target.line[len] = target.got[target.at++];
		if (target.line[len] == '\n')
			break;
		len++;
	}
	target.line[len] = '\0';
	return target.line;
}

/* Would a write to standard error wait? */
static bool target_full(void)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 0;
}

static void *log_many(void *arg)
{
	const int *many = arg;

	for (int i = 0; i < many[1]; i++)
		log_info("thread=%d line=%d %0200d", many[0], i, 0);
	return NULL;
}

static void log_from_threads(int lines)
{
	pthread_t threads[LOGGERS];
	int args[LOGGERS][2];

	for (int i = 0; i < LOGGERS; i++) {
		args[i][0] = i;
		args[i][1] = lines;
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, args[i]), 0);
	}
	for (int i = 0; i < LOGGERS; i++)
		pthread_join(threads[i], NULL);
}

/* A line that says how many are missing. */
static void take_gap(const char *line)
{
	unsigned long long lines, errors, warnings;

	assert_non_null(strstr(line, "warning: event=log_dropped lines="));
	assert_int_equal(
	    sscanf(strstr(line, "lines="), "lines=%llu errors=%llu warnings=%llu", &lines, &errors, &warnings), 3);
	assert_true(lines > 0);
	assert_int_equal(errors + warnings, 0);
	target.missing += lines;
}

/* Reads until a line that has END: every line whole, those of a thread in their order; how many of threads. */
static int read_until(const char *end)
{
	int next[LOGGERS] = {0}, count = 0, thread, number;

	while (!strstr(target_line(), end)) {
		const char *line = strstr(target.line, "thread=");

		if (strstr(target.line, "event=log_dropped"))
			take_gap(target.line);
		if (!line)
			continue;
		assert_int_equal(sscanf(line, "thread=%d line=%d", &thread, &number), 2);
		assert_true(thread >= 0 && thread < LOGGERS && number >= next[thread]);
		next[thread] = number + 1;
		assert_int_equal(strlen(strrchr(line, ' ')), 201);
		count++;
	}
	return count;
}

static void log_keeps_what_comes_before_the_thread(void **state)
{
	struct pollfd in = {.events = POLLIN};

	(void)state;
	target_open();
	in.fd = target.fd;
	log_open("test", LOG_TO_STDERR, LOG_LVL_INFO);
	assert_true(log_hold());
	log_info("event=early");
	log_tell("test", "a sentence");
	assert_int_equal(poll(&in, 1, 0), 0);
	assert_true(log_background());
	assert_non_null(strstr(target_line(), "info: event=early"));
	assert_string_equal(target_line(), "test: a sentence");
}

static void log_loses_nothing_that_fits(void **state)
{
	(void)state;
	log_from_threads(LOGGED);
	log_warn("event=last");
	assert_int_equal(read_until("event=last"), LOGGERS * LOGGED);
	assert_int_equal(log_unwritten(), 0);
}

static void log_waits_for_nobody(void **state)
{
	int64_t begun_ms;
	int count;

	(void)state;
	log_from_threads(FLOOD); /* returns: nobody reads */
	while (!target_full())
		sched_yield();
	for (int i = 0; i < 10; i++)
		log_warn("event=worse number=%d", i);
	log_error("event=worst");
	begun_ms = tick_mono_ms();
	log_flush();
	assert_in_range(tick_mono_ms() - begun_ms, 900, 30000); /* it gave up; the upper bound is a loaded machine's */
	assert_true(target_full());
	assert_true(log_unwritten() > 0);
	count = read_until("event=worse number=0");
	for (int i = 1; i < 10; i++)
		assert_non_null(strstr(target_line(), "event=worse")); /* for them there was room */
	assert_non_null(strstr(target_line(), "event=worst"));
	take_gap(target_line()); /* one may have come before: the thread was late, and the first half was full, too */
	assert_int_equal(count + target.missing, LOGGERS * FLOOD);
	assert_int_equal(target.missing, log_unwritten());
	log_info("event=after");
	assert_non_null(strstr(target_line(), "event=after"));
}

static void log_goes_on_after_a_gap(void **state)
{
	uint64_t missing;
	int full;

	(void)state;
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK),
			 0); /* somebody else's doing: no reason to lose lines */
	log_from_threads(LOGGED);
	log_error("event=last");
	assert_int_equal(read_until("event=last"), LOGGERS * LOGGED);
	log_flush();
	missing = log_unwritten();
	full = open("/dev/full", O_WRONLY);
	if (full >= 0) { /* as a disk is */
		dup2(full, STDERR_FILENO);
		close(full);
		log_error("event=lost");
		log_flush();
		assert_true(log_unwritten() > missing);
	}
	dup2(target.before, STDERR_FILENO);
	close(target.before);
	close(target.fd);
}

static void log_quote_contains_everything(void **state)
{
	static const struct {
		const char *raw, *quoted;
	} rows[] = {
	    {"plain.example", "plain.example"},
	    {"", "\"\""},
	    {"two words", "\"two words\""},
	    {"a=b", "\"a=b\""},
	    {"say \"hi\"\\", "\"say \\\"hi\\\"\\\\\""},
	    {"line\nend", "\"line\\x0aend\""},
	    {"\xc3\xbc", "\"\\xc3\\xbc\""},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(log_quote(out, sizeof(out), rows[i].raw, strlen(rows[i].raw)), rows[i].quoted);
	assert_string_equal(log_quote(out, 16, "0123456789abcdefghij", 20), "\"0123456...\"");
	for (size_t size = 1; size < 24; size++) {
		log_quote(out, size, "a\n\n\n\n\n\n\nb", 9);
		assert_true(strlen(out) < size);
	}
}

struct item {
	struct hmap_node node;
	int value;
};

static struct item *find(const struct hmap *m, int value)
{
	struct hmap_node *n = hmap_first(m, hmap_hash(m, &value, sizeof(value)));

	for (; n; n = hmap_next(n))
		if (hmap_entry(n, struct item, node)->value == value)
			return hmap_entry(n, struct item, node);
	return NULL;
}

static void sum_up(struct hmap_node *n, void *arg)
{
	*(long *)arg += hmap_entry(n, struct item, node)->value;
}

static void drop_odd(struct hmap_node *n, void *arg)
{
	struct item *it = hmap_entry(n, struct item, node);

	if (it->value % 2 == 0)
		return;
	hmap_remove(arg, n);
	free(it);
}

static void drop_all(struct hmap_node *n, void *arg)
{
	hmap_remove(arg, n);
	free(hmap_entry(n, struct item, node));
}

static void hmap_holds_through_growth(void **state)
{
	enum { COUNT = 20000 };
	struct hmap m;
	long sum = 0;

	(void)state;
	hmap_init(&m, 0);
	for (int i = 0; i < COUNT; i++) {
		struct item *it = xcalloc(1, sizeof(*it));
		it->value = i;
		hmap_insert(&m, &it->node, hmap_hash(&m, &i, sizeof(i)));
		assert_ptr_equal(find(&m, i), it);
		assert_non_null(find(&m, i / 2)); /* one that may be on the move */
	}
	assert_int_equal(m.count, COUNT);
	hmap_each(&m, sum_up, &sum);
	assert_int_equal(sum, (long)COUNT * (COUNT - 1) / 2);
	hmap_each(&m, drop_odd, &m);
	for (int i = 0; i < COUNT; i++)
		assert_true(!!find(&m, i) == (i % 2 == 0));
	hmap_each(&m, drop_all, &m);
	assert_int_equal(m.count, 0);
	hmap_fini(&m);
}

static void hmap_keeps_equal_hashes_together(void **state)
{
	struct hmap m;
	struct item items[200];
	size_t n = 0;

	(void)state;
	hmap_init(&m, 0);
	for (int i = 0; i < 200; i++) {
		items[i].value = i;
		hmap_insert(&m, &items[i].node, i % 2 == 0 ? 7 : (uint64_t)i * 977);
	}
	for (struct hmap_node *at = hmap_first(&m, 7); at; at = hmap_next(at))
		n++;
	assert_int_equal(n, 100);
	hmap_fini(&m);
}

static void hmap_keys_differ(void **state)
{
	struct hmap a, b;

	(void)state;
	hmap_init(&a, 100);
	hmap_init(&b, 100);
	assert_true(hmap_hash(&a, "x", 1) != hmap_hash(&b, "x", 1));
	assert_int_equal(a.size[0], 128);
	hmap_fini(&a);
	hmap_fini(&b);
}

#define HEAP_NODES 300

/* Against a plain list, with random settings, moves and removals. */
static void heap_is_in_order_whatever_happens(void **state)
{
	struct heap_node nodes[HEAP_NODES] = {0};
	struct heap h;

	(void)state;
	srandom(3);
	heap_init(&h);
	for (int step = 0; step < 50000; step++) {
		struct heap_node *n = &nodes[random() % HEAP_NODES], *least = NULL;
		size_t standing = 0;

		if (random() % 3 == 0)
			heap_remove(&h, n);
		else
			heap_set(&h, n, random() % 1000);
		for (size_t i = 0; i < HEAP_NODES; i++) {
			if (nodes[i].place == 0)
				continue;
			standing++;
			if (!least || nodes[i].at < least->at)
				least = &nodes[i];
		}
		assert_int_equal(h.count, standing);
		assert_true(least ? heap_first(&h)->at == least->at : !heap_first(&h));
	}
	heap_fini(&h);
	for (size_t i = 0; i < HEAP_NODES; i++)
		assert_int_equal(nodes[i].place, 0);
}

/* Reference values made with an independent implementation (key 00..0f, message 00 01 02 ... of LEN octets). */
static void siphash_matches_reference(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {{0, 0xabac0158050fc4dcULL},  {1, 0xc9f49bf37d57ca93ULL},  {7, 0xd3927d989bb11140ULL},
		    {8, 0x369095118d299a8eULL},  {9, 0x25a48eb36c063de4ULL},  {15, 0xd320d86d2a519956ULL},
		    {16, 0xcc4fdd1a7d908b66ULL}, {31, 0x2370dd1f8c21d1bcULL}, {63, 0x9d199062b7bbb3a8ULL}};
	static const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
	unsigned char message[64];

	(void)state;
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(siphash13(key, message, rows[i].len) == rows[i].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sbuf_remembers_overflow),
	    cmocka_unit_test(cur_never_leaves_its_bytes),
	    cmocka_unit_test(names_go_both_ways),
	    cmocka_unit_test(tick_can_be_replaced),
	    cmocka_unit_test(log_is_one_clean_line),
	    cmocka_unit_test(log_quote_contains_everything),
	    cmocka_unit_test(hmap_holds_through_growth),
	    cmocka_unit_test(hmap_keeps_equal_hashes_together),
	    cmocka_unit_test(hmap_keys_differ),
	    cmocka_unit_test(heap_is_in_order_whatever_happens),
	    cmocka_unit_test(siphash_matches_reference),
	    cmocka_unit_test(log_keeps_what_comes_before_the_thread),
	    cmocka_unit_test(log_loses_nothing_that_fits),
	    cmocka_unit_test(log_waits_for_nobody),
	    cmocka_unit_test(log_goes_on_after_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
