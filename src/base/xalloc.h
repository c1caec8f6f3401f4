/*
 * xalloc.h - allocation that does not fail: no memory ends the program with one line.
 *
 * Every size that comes from outside is capped before it gets here.
 */
#ifndef TLSMODE_BASE_XALLOC_H
#define TLSMODE_BASE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len); /* LEN octets, no NUL looked for; terminated */
void *xmemdup(const void *p, size_t len);
/* The end, for other allocators. */
void xalloc_failed(size_t size) __attribute__((noreturn));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
