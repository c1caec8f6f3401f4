/*
 * pages.c - see pages.h.
 */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/xalloc.h"

static unsigned char *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		xalloc_failed(size);
	return at;
}

void *pages_map(size_t size, bool large)
{
	unsigned char *at;
	size_t before;

	if (size % PAGES_LARGE != 0)
		return map(size);
	at = map(size + PAGES_LARGE);
	before = (PAGES_LARGE - (uintptr_t)at % PAGES_LARGE) % PAGES_LARGE;
	if (before > 0)
		munmap(at, before);
	if (before < PAGES_LARGE)
		munmap(at + before + size, PAGES_LARGE - before);
	if (large)
		madvise(at + before, size, MADV_HUGEPAGE); /* a wish */
	return at + before;
}

void pages_unmap(void *at, size_t size)
{
	munmap(at, size);
}
