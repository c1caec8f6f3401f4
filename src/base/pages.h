/*
 * pages.h - memory straight from the system, for large tables: zeroed, and in large pages where the system has them.
 *
 * No memory ends the program, as in xalloc.h. libbase only (slab.c, refmap.c).
 */
#ifndef TLSMODE_BASE_PAGES_H
#define TLSMODE_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#define PAGES_LARGE ((size_t)2 << 20)

/* SIZE octets, zeroed, aligned to PAGES_LARGE when SIZE is a multiple of that; touched as they are used. LARGE: in
 * large pages, so that a look-up in a great table costs one miss and not three. */
void *pages_map(size_t size, bool large);
void pages_unmap(void *at, size_t size);

/* For the address sanitizer: SIZE octets must not be touched, may be touched again. Nothing without it. */
#if defined(__SANITIZE_ADDRESS__)
#define PAGES_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PAGES_ASAN 1
#endif
#endif
#ifdef PAGES_ASAN
#include <sanitizer/asan_interface.h>
#define pages_guard(at, size) ASAN_POISON_MEMORY_REGION((at), (size))
#define pages_unguard(at, size) ASAN_UNPOISON_MEMORY_REGION((at), (size))
#else
#define pages_guard(at, size) ((void)(at), (void)(size))
#define pages_unguard(at, size) ((void)(at), (void)(size))
#endif

#endif
