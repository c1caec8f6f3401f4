/*
 * slab.c - see slab.h.
 *
 * A page of one size hands out its blocks in order first, then those that came back, through a chain of offsets in the
 * free blocks themselves. Pages with something free stand in a list for their size. A block larger than half a page is
 * a row of whole pages. One empty chunk is kept, so that a block that comes and goes does not take it along. Where the
 * address sanitizer watches, a free block may not be touched.
 */
#include "base/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"
#include "base/xalloc.h"

#define UNIT ((size_t)1 << SLAB_UNIT_BITS)
#define PAGE_UNITS (1u << SLAB_PAGE_BITS)
#define PAGE_SIZE ((size_t)PAGE_UNITS << SLAB_UNIT_BITS)
#define CHUNK_SIZE ((size_t)1 << (SLAB_CHUNK_BITS + SLAB_UNIT_BITS))
#define CHUNK_PAGES (1u << (SLAB_CHUNK_BITS - SLAB_PAGE_BITS))
#define CHUNKS_MAX (1u << (32 - SLAB_CHUNK_BITS))
#define SMALL_CHUNKS 4 /* so many are not in large pages: a small installation stays small */
#define ROW 0xff       /* instead of a size: the first page of a row */

struct slab_page {
	slab_ref next, prev; /* names of the pages around it in the list of their size; 0: none */
	uint16_t used;       /* blocks in use; of a row: its pages */
	uint16_t fresh;      /* units from here on were never handed out */
	uint16_t back;       /* offset of the first block that came back, plus one */
	uint8_t size;        /* index in units[] */
};

/* Four sizes for every doubling; the last ones are what fits six, five, four, three and two times in a page. */
static const uint16_t units[] = {1,   2,   3,   4,   5,   6,   7,   8,   10,   12,   14,  16,  20,
				 24,  28,  32,  40,  48,  56,  64,  80,  96,   112,  128, 160, 192,
				 224, 256, 320, 384, 448, 512, 682, 819, 1024, 1365, 2048};
#define SIZES (sizeof(units) / sizeof(units[0]))
_Static_assert(SIZES <= SLAB_CLASSES, "a list for each size");

void slab_init(struct slab *s, size_t max)
{
	memset(s, 0, sizeof(*s));
	s->chunks = s->first_free = 1;
	s->max = max;
}

void slab_set_max(struct slab *s, size_t max)
{
	s->max = max;
}

static void chunk_free(struct slab *s, uint32_t n)
{
	pages_unguard(s->chunk[n], CHUNK_SIZE);
	pages_unmap(s->chunk[n], CHUNK_SIZE);
	s->chunk[n] = NULL;
	s->mapped -= CHUNK_SIZE;
}

void slab_fini(struct slab *s)
{
	for (uint32_t n = 1; n < s->chunks; n++)
		if (s->chunk[n])
			chunk_free(s, n);
	free(s->chunk);
	free(s->taken);
	free(s->page);
	slab_init(s, s->max);
}

/* ---- chunks and pages ---- */

static void make_numbers(struct slab *s)
{
	s->room = s->room ? s->room * 2 : 4;
	s->chunk = xrealloc(s->chunk, s->room * sizeof(*s->chunk));
	s->taken = xrealloc(s->taken, s->room * sizeof(*s->taken));
	s->page = xrealloc(s->page, s->room * CHUNK_PAGES * sizeof(*s->page));
	s->chunk[0] = NULL;
	s->taken[0] = UINT32_MAX;
}

/* Maps chunk N, one without memory or the next number. False: the bound. */
static bool chunk_new(struct slab *s, uint32_t n)
{
	if (n == CHUNKS_MAX || (s->max != 0 && s->mapped + CHUNK_SIZE > s->max && s->mapped > 0))
		return false;
	if (n == s->chunks) {
		if (s->chunks >= s->room)
			make_numbers(s);
		s->chunks++;
	}
	s->chunk[n] = pages_map(CHUNK_SIZE, s->mapped >= SMALL_CHUNKS * CHUNK_SIZE);
	pages_guard(s->chunk[n], CHUNK_SIZE);
	s->taken[n] = 0;
	s->mapped += CHUNK_SIZE;
	return true;
}

/* The first of COUNT free pages in a row, as a bit number; CHUNK_PAGES: there is no such row. */
static uint32_t free_row(uint32_t taken, uint32_t count)
{
	uint64_t want = ((uint64_t)1 << count) - 1;

	for (uint32_t at = 0; at + count <= CHUNK_PAGES; at++)
		if ((taken & want << at) == 0)
			return at;
	return CHUNK_PAGES;
}

/* The number of the first of COUNT pages; 0: the bound. */
static uint32_t pages_take(struct slab *s, uint32_t count)
{
	uint32_t n, at = 0, unmapped = 0;

	while (s->first_free < s->chunks && s->taken[s->first_free] == UINT32_MAX)
		s->first_free++;
	for (n = s->first_free; n < s->chunks; n++) {
		if (!s->chunk[n])
			unmapped = n;
		else if ((at = free_row(s->taken[n], count)) < CHUNK_PAGES)
			break;
	}
	if (n == s->chunks) {
		n = unmapped ? unmapped : s->chunks;
		if (!chunk_new(s, n))
			return 0;
		at = 0;
	}
	if (n == s->spare)
		s->spare = 0;
	s->taken[n] |= (uint32_t)((((uint64_t)1 << count) - 1) << at);
	return n * CHUNK_PAGES + at;
}

static void pages_give(struct slab *s, uint32_t first, uint32_t count)
{
	uint32_t n = first / CHUNK_PAGES;

	s->taken[n] &= ~(uint32_t)((((uint64_t)1 << count) - 1) << first % CHUNK_PAGES);
	if (n < s->first_free)
		s->first_free = n;
	if (s->taken[n] == 0 && s->spare == 0)
		s->spare = n;
	else if (s->taken[n] == 0)
		chunk_free(s, n);
}

/* ---- blocks ---- */

static unsigned size_of(size_t wanted)
{
	unsigned i = 0;

	while (units[i] < wanted)
		i++;
	return i;
}

static size_t units_of(size_t size)
{
	return (size + UNIT - 1) >> SLAB_UNIT_BITS;
}

size_t slab_size(size_t size)
{
	size_t wanted = units_of(size);

	if (wanted > units[SIZES - 1])
		return (size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	return (size_t)units[size_of(wanted)] * UNIT;
}

static void list_add(struct slab *s, uint32_t number)
{
	struct slab_page *p = &s->page[number];
	slab_ref *first = &s->partial[p->size];

	p->prev = 0;
	p->next = *first;
	if (*first)
		s->page[*first].prev = number;
	*first = number;
}

static void list_remove(struct slab *s, uint32_t number)
{
	struct slab_page *p = &s->page[number];

	*(p->prev ? &s->page[p->prev].next : &s->partial[p->size]) = p->next;
	if (p->next)
		s->page[p->next].prev = p->prev;
}

static bool is_full(const struct slab_page *p)
{
	return p->back == 0 && p->fresh + units[p->size] > PAGE_UNITS;
}

static slab_ref page_name(uint32_t number)
{
	return number << SLAB_PAGE_BITS;
}

static slab_ref take_block(struct slab *s, uint32_t number)
{
	struct slab_page *p = &s->page[number];
	size_t size = (size_t)units[p->size] * UNIT;
	slab_ref ref;

	if (p->back) {
		uint16_t *chain;

		ref = page_name(number) + (p->back - 1u);
		chain = slab_at(s, ref);
		pages_unguard(chain, size);
		p->back = *chain;
	} else {
		ref = page_name(number) + p->fresh;
		pages_unguard(slab_at(s, ref), size);
		p->fresh = (uint16_t)(p->fresh + units[p->size]);
	}
	p->used++;
	if (is_full(p))
		list_remove(s, number);
	return ref;
}

static slab_ref take_row(struct slab *s, size_t size)
{
	uint32_t count = (uint32_t)((size + PAGE_SIZE - 1) / PAGE_SIZE), number = pages_take(s, count);

	if (number == 0)
		return 0;
	s->page[number] = (struct slab_page){.used = (uint16_t)count, .size = ROW};
	pages_unguard(slab_at(s, page_name(number)), count * PAGE_SIZE);
	return page_name(number);
}

slab_ref slab_alloc(struct slab *s, size_t size)
{
	size_t wanted = units_of(size);
	unsigned class;
	uint32_t number;

	assert(size > 0 && size <= SLAB_BLOCK_MAX);
	if (wanted > units[SIZES - 1])
		return take_row(s, size);
	class = size_of(wanted);
	if (s->partial[class] == 0) {
		number = pages_take(s, 1);
		if (number == 0)
			return 0;
		s->page[number] = (struct slab_page){.size = (uint8_t) class};
		list_add(s, number);
	}
	return take_block(s, s->partial[class]);
}

void slab_free(struct slab *s, slab_ref ref)
{
	uint32_t number = ref >> SLAB_PAGE_BITS;
	struct slab_page *p = &s->page[number];
	size_t size;
	uint16_t *chain = slab_at(s, ref);

	if (p->size == ROW) {
		pages_guard(chain, p->used * PAGE_SIZE);
		pages_give(s, number, p->used);
		return;
	}
	size = (size_t)units[p->size] * UNIT;
	if (is_full(p))
		list_add(s, number);
	*chain = p->back;
	pages_guard(chain, size);
	p->back = (uint16_t)((ref & (PAGE_UNITS - 1)) + 1);
	if (--p->used == 0) {
		list_remove(s, number);
		pages_give(s, number, 1);
	}
}
