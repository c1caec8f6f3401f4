/*
 * test_one_hash.c - tables of which every key has the same hash, as if a stranger knew the key of the hash or the hash
 * left out what he chooses: nothing ends, nothing is lost that must not be, and work is counted, not timed.
 *
 * This program has a siphash of its own (base/siphash.h), which gives one value for everything while ONE_HASH says so.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "base/hmap.h"
#include "base/refmap.h"
#include "base/siphash.h"
#include "core/settings.h"
#include "mapd/maps/refusal_memory.h"
#include "mapd/maps/verdict_cache.h"

#define MANY 70000
#define NOW 1000000000000LL
#define LATER (NOW + 100000)

static bool one_hash;

uint64_t siphash13(const uint64_t key[2], const void *bytes, size_t len)
{
	uint64_t h = 14695981039346656037ULL ^ key[0];

	if (one_hash)
		return 0x1234567812345678;
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const unsigned char *)bytes)[i]) * 1099511628211ULL;
	return h ^ h >> 29;
}

void siphash_make_key(uint64_t key[2])
{
	key[0] = key[1] = 4711;
}

static int one(void **state)
{
	(void)state;
	one_hash = true;
	return 0;
}

static int many(void **state)
{
	(void)state;
	one_hash = false;
	return 0;
}

/* ---- the tables below ---- */

static size_t asked; /* how often the table wanted a hash */
static unsigned char met[MANY + 1];

static uint32_t constant_hash(slab_ref ref, const void *arg)
{
	(void)ref;
	(void)arg;
	asked++;
	return 0x12345678;
}

static void meet(slab_ref ref, void *arg)
{
	(void)arg;
	met[ref]++;
}

static size_t refmap_walk(const struct refmap *m)
{
	struct refmap_find f;
	size_t found = 0;

	for (slab_ref r = refmap_first(m, 0x12345678, &f); r; r = refmap_next(m, &f))
		found++;
	return found;
}

static void a_refmap_keeps_them_all(void **state)
{
	struct refmap m = {.count = 0};
	uint64_t hand = 0;

	(void)state;
	refmap_init(&m, constant_hash, NULL);
	for (slab_ref i = 1; i <= MANY; i++) {
		asked = 0;
		refmap_insert(&m, 0x12345678, i);
		assert_in_range(asked, 0, i); /* an insertion touches no entry twice */
	}
	assert_int_equal(m.count, MANY);
	assert_int_equal(refmap_walk(&m), MANY);
	while (!refmap_turn(&m, &hand, meet, NULL))
		;
	for (slab_ref i = 1; i <= MANY; i++)
		assert_int_equal(met[i], 1);
	for (slab_ref i = 1; i <= 1000; i++)
		refmap_remove(&m, 0x12345678, i);
	assert_int_equal(refmap_walk(&m), MANY - 1000);
	refmap_fini(&m);
}

struct same_hash_node {
	struct hmap_node node;
};

static void an_hmap_keeps_them_all(void **state)
{
	struct same_hash_node *items = calloc(MANY, sizeof(*items));
	struct hmap m;
	size_t found = 0;

	(void)state;
	hmap_init(&m, 0);
	for (size_t i = 0; i < MANY; i++)
		hmap_insert(&m, &items[i].node, hmap_hash(&m, &i, sizeof(i)));
	for (struct hmap_node *n = hmap_first(&m, hmap_hash(&m, "", 0)); n; n = hmap_next(n))
		found++;
	assert_int_equal(found, MANY);
	hmap_remove(&m, &items[0].node);
	assert_int_equal(m.count, MANY - 1);
	hmap_fini(&m);
	free(items);
}

/* ---- those who use them ---- */

static struct verdict_cache *cache;

static bool put(const char *key)
{
	return verdict_cache_put(cache, key, 0, "2:OK,", 5, NOW, LATER);
}

static bool is_there(const char *key)
{
	struct verdict_hit hit;

	return verdict_cache_get(cache, key, strlen(key), 0, NOW, &hit);
}

static struct verdict_cache_counts counts(void)
{
	struct verdict_cache_counts c;

	verdict_cache_counts(cache, &c);
	return c;
}

/* Whatever the hash is worth: no more entries of one value than a look-up may walk. */
static void verdicts_of_one_hash_are_bounded(void **state)
{
	char key[40];
	size_t displaced = 0;

	(void)state;
	cache = verdict_cache_new(100000);
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "d%d.example", i);
		displaced += put(key);
		assert_true(is_there(key));
		assert_in_range(counts().entries, 1, VERDICT_VARIANTS);
	}
	assert_int_equal(displaced, MANY - VERDICT_VARIANTS);
	assert_int_equal(counts().evicted, displaced);
	verdict_cache_drop(cache, key);
	assert_int_equal(counts().entries, 0);
	verdict_cache_free(&cache);
}

/* Every port of one name, in brackets and without: others keep their lines, and so does the name itself. */
static void ports_of_a_name_take_nothing_from_others(void **state)
{
	static const char *const others[] = {"a.example",     "[a.example]",       "b.example",
					     "b.example:587", "[2001:db8::1]:587", "[2001:db8::1]"};
	char key[40];

	(void)state;
	cache = verdict_cache_new(100000);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		put(others[i]);
	for (int port = 1; port < 65536; port++) {
		static const char *const forms[] = {"a.example:%d", "[a.example]:%d", "[2001:db8::1]:%d"};

		for (size_t form = 0; form < COUNT_OF(forms); form++) {
			snprintf(key, sizeof(key), forms[form], port);
			put(key);
			assert_true(is_there(key));
		}
	}
	assert_int_equal(counts().entries, 2 * VERDICT_VARIANTS + 2);
	for (size_t i = 0; i < COUNT_OF(others); i++)
		if (strcmp(others[i], "[2001:db8::1]:587") != 0)
			check_row_text(others[i], is_there(others[i]) ? "there" : "gone", "there");
	verdict_cache_free(&cache);
}

static void a_port_that_is_used_stays(void **state)
{
	char key[40];

	(void)state;
	cache = verdict_cache_new(100000);
	put("a.example:587");
	for (int port = 1000; port < 3000; port++) {
		assert_true(is_there("a.example:587"));
		snprintf(key, sizeof(key), "a.example:%d", port);
		put(key);
	}
	assert_true(is_there("a.example:587"));
	verdict_cache_free(&cache);
}

/* A setting is never given up, and each question walks what there is of that hash once. */
#define SETTINGS 10000

static void count_setting(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	(void)kind;
	(void)value;
	met[atoi(name + 1)]++;
	++*(size_t *)arg;
}

static void settings_of_one_hash_are_all_kept(void **state)
{
	struct settings *s = settings_new();
	struct setting value;
	size_t seen = 0;
	char name[40];

	(void)state;
	setting_init(&value);
	memset(met, 0, sizeof(met));
	for (int i = 0; i < SETTINGS; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		value.has = SETTING_HAS_MODE;
		value.mode = i % 2 ? MODE_ENFORCED : MODE_VERIFIED;
		settings_put(s, SETTING_SENDER, name, &value);
	}
	settings_each(s, count_setting, &seen);
	assert_int_equal(seen, SETTINGS);
	for (int i = 0; i < SETTINGS; i++) {
		assert_int_equal(met[i], 1);
		snprintf(name, sizeof(name), "d%d.example", i);
		assert_true(settings_get(s, SETTING_SENDER, name, &value));
		assert_int_equal(value.mode, i % 2 ? MODE_ENFORCED : MODE_VERIFIED);
	}
	assert_true(settings_remove(s, SETTING_SENDER, "d7.example"));
	assert_int_equal(settings_count(s), SETTINGS - 1);
	settings_free(&s);
}

static void a_memory_of_refusals_keeps_its_bound(void **state)
{
	struct refusal_memory *m = refusal_memory_new(1000);
	char name[40];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "mx%d.example", i);
		refusal_memory_note(m, name, MODE_ENFORCED, NOW);
		assert_in_range(refusal_memory_count(m), 1, 1000);
	}
	assert_true(refusal_memory_modes(m, name, NOW) == 1u << MODE_ENFORCED);
	refusal_memory_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_refmap_keeps_them_all, one),
	    cmocka_unit_test_setup(an_hmap_keeps_them_all, one),
	    cmocka_unit_test_setup(verdicts_of_one_hash_are_bounded, one),
	    cmocka_unit_test_setup(ports_of_a_name_take_nothing_from_others, many),
	    cmocka_unit_test_setup(a_port_that_is_used_stays, many),
	    cmocka_unit_test_setup(settings_of_one_hash_are_all_kept, one),
	    cmocka_unit_test_setup(a_memory_of_refusals_keeps_its_bound, one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
