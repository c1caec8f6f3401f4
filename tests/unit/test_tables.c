/*
 * test_tables.c - slab.h and refmap.h: blocks of every size keep what was written, memory comes back, the bound holds;
 * names are found while the table grows, and a hand meets them all.
 */
#include "base/refmap.h"
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000

static uint64_t seed = 88172645463325252ULL;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

struct test_block {
	slab_ref ref;
	size_t size;
	unsigned char mark;
};

static void fill(struct slab *s, struct test_block *b, size_t size)
{
	b->ref = slab_alloc(s, size);
	assert_int_not_equal(b->ref, 0);
	b->size = size;
	b->mark = (unsigned char)draw(256);
	memset(slab_at(s, b->ref), b->mark, size);
}

static void assert_whole(const struct slab *s, const struct test_block *b)
{
	const unsigned char *at = slab_at(s, b->ref);

	for (size_t i = 0; i < b->size; i++)
		if (at[i] != b->mark)
			fail_msg("block of %zu octets was overwritten at %zu", b->size, i);
}

static size_t some_size(void)
{
	switch (draw(20)) {
	case 0:
		return 1 + draw(300000);
	case 1:
		return 1 + draw(40000);
	default:
		return 1 + draw(600);
	}
}

static void blocks_keep_what_was_written(void **state)
{
	static struct test_block block[2000];
	struct slab s;

	(void)state;
	slab_init(&s, 0);
	for (int i = 0; i < MANY; i++) {
		struct test_block *b = &block[draw(2000)];

		if (b->ref == 0) {
			fill(&s, b, some_size());
			continue;
		}
		assert_whole(&s, b);
		slab_free(&s, b->ref);
		b->ref = 0;
	}
	for (int i = 0; i < 2000; i++)
		if (block[i].ref) {
			assert_whole(&s, &block[i]);
			slab_free(&s, block[i].ref);
		}
	assert_int_equal(s.mapped, 2 << 20); /* every chunk went back but the spare one */
	slab_fini(&s);
}

static void sizes_are_rounded_little(void **state)
{
	(void)state;
	for (size_t size = 16; size <= SLAB_BLOCK_MAX; size += size / 16) {
		size_t taken = slab_size(size);

		assert_true(taken >= size);
		if (size >= 32 && size <= 21840)
			assert_true(taken <= size + size / 3 + 16);
	}
	assert_int_equal(slab_size(64), 64);
}

static void a_line_is_a_line(void **state)
{
	struct slab s;

	(void)state;
	slab_init(&s, 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal((uintptr_t)slab_at(&s, slab_alloc(&s, 64)) % 64, 0);
	assert_int_equal(s.mapped, 2 << 20);
	slab_fini(&s);
}

static void the_bound_holds_and_room_comes_back(void **state)
{
	static slab_ref ref[200000];
	size_t count = 0;
	struct slab s;

	(void)state;
	slab_init(&s, 8 << 20);
	while ((ref[count] = slab_alloc(&s, 100)) != 0)
		count++;
	assert_in_range(s.mapped, 6 << 20, 8 << 20);
	assert_in_range(count, (6 << 20) / 112, (8 << 20) / 112);
	assert_int_equal(slab_alloc(&s, 50000), 0);
	for (size_t i = 0; i < count; i++)
		slab_free(&s, ref[i]);
	assert_int_not_equal(slab_alloc(&s, 50000), 0); /* another size in the same memory */
	slab_fini(&s);
}

static void one_chunk_there_always_is(void **state)
{
	struct slab s;

	(void)state;
	slab_init(&s, 1);
	assert_int_not_equal(slab_alloc(&s, 10), 0);
	slab_fini(&s);
}

/* ---- refmap ---- */

static uint32_t hash_of(slab_ref ref, const void *arg)
{
	return refmap_hash(arg, &ref, sizeof(ref));
}

static bool has(const struct refmap *m, slab_ref ref)
{
	struct refmap_find f;

	for (slab_ref r = refmap_first(m, hash_of(ref, m), &f); r; r = refmap_next(m, &f))
		if (r == ref)
			return true;
	return false;
}

static void names_are_found_while_it_grows(void **state)
{
	struct refmap m = {.count = 0};

	(void)state;
	refmap_init(&m, hash_of, &m);
	for (slab_ref i = 1; i <= MANY; i++) {
		refmap_insert(&m, hash_of(i, &m), i);
		assert_true(has(&m, 1 + (slab_ref)draw(i)));
		assert_false(has(&m, i + 1));
	}
	for (slab_ref i = 1; i <= MANY; i++)
		assert_true(has(&m, i));
	for (slab_ref i = 1; i <= MANY; i += 2)
		refmap_remove(&m, hash_of(i, &m), i);
	for (slab_ref i = 1; i <= MANY; i++)
		assert_int_equal(has(&m, i), i % 2 == 0);
	assert_int_equal(m.count, MANY / 2);
	refmap_replace(&m, hash_of(2, &m), 2, 4);
	assert_false(has(&m, 2));
	refmap_fini(&m);
}

/* Many entries of one hash value, as variants of one domain are. */
static uint32_t same_hash(slab_ref ref, const void *arg)
{
	(void)ref;
	(void)arg;
	return 0x12340005;
}

static void equal_hashes_stand_together(void **state)
{
	struct refmap m = {.count = 0};
	struct refmap_find f;
	size_t found = 0;

	(void)state;
	refmap_init(&m, same_hash, NULL);
	for (slab_ref i = 1; i <= 100; i++)
		refmap_insert(&m, same_hash(i, NULL), i);
	for (slab_ref r = refmap_first(&m, same_hash(0, NULL), &f); r; r = refmap_next(&m, &f))
		found++;
	assert_int_equal(found, 100);
	for (slab_ref i = 1; i <= 100; i++)
		refmap_remove(&m, same_hash(i, NULL), i);
	assert_int_equal(refmap_first(&m, same_hash(0, NULL), &f), 0);
	refmap_fini(&m);
}

/* Full buckets of the tag 1: what looks like a match beyond the last slot is none. */
static uint32_t hash_near(slab_ref ref, const void *arg)
{
	(void)arg;
	return 0x01000000u + ref % 3 * 0x02000000u;
}

static void only_slots_are_found(void **state)
{
	struct refmap m = {.count = 0};
	struct refmap_find f;

	(void)state;
	refmap_init(&m, hash_near, NULL);
	for (slab_ref i = 1; i <= 400; i++) {
		size_t found = 0;

		refmap_insert(&m, hash_near(i, NULL), i);
		for (slab_ref r = refmap_first(&m, hash_near(i, NULL), &f); r; r = refmap_next(&m, &f)) {
			assert_in_range(r, 1, i);
			found += r == i;
		}
		assert_int_equal(found, 1);
	}
	refmap_fini(&m);
}

static void count_met(slab_ref ref, void *arg)
{
	((unsigned char *)arg)[ref]++;
}

static void a_hand_meets_all(void **state)
{
	static unsigned char met[MANY + 1];
	uint64_t hand = 0;
	struct refmap m = {.count = 0};

	(void)state;
	refmap_init(&m, hash_of, &m);
	for (slab_ref i = 1; i <= MANY; i++)
		refmap_insert(&m, hash_of(i, &m), i);
	while (!refmap_turn(&m, &hand, count_met, met))
		;
	for (slab_ref i = 1; i <= MANY; i++)
		assert_int_equal(met[i], 1);
	refmap_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_keep_what_was_written),
	    cmocka_unit_test(sizes_are_rounded_little),
	    cmocka_unit_test(a_line_is_a_line),
	    cmocka_unit_test(the_bound_holds_and_room_comes_back),
	    cmocka_unit_test(one_chunk_there_always_is),
	    cmocka_unit_test(names_are_found_while_it_grows),
	    cmocka_unit_test(equal_hashes_stand_together),
	    cmocka_unit_test(only_slots_are_found),
	    cmocka_unit_test(a_hand_meets_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
