/*
 * proc.h - what makes a process a daemon: account, background, file limit; and what -V says.
 */
#ifndef TLSMODE_IO_PROC_H
#define TLSMODE_IO_PROC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sbuf.h"

/* Becomes USER (its groups too, plus GROUP when not "") when started as root; nothing when USER is "" or we are not
 * root. False: ERROR says why. */
bool proc_drop(const char *user, const char *group, char *error, size_t size);

/* Forks into the background. The parent stays until proc_ready() or the child's end, and exits with the child's code,
 * so that "started" means "serving". */
void proc_background(void);
void proc_ready(void);

/* Adds the name of an outside library with the version that runs, and the one it was built with where the library tells
 * both. Each stands beside the code that uses the library: a program links what it names. */
typedef void proc_library_fn(struct sbuf *out);

/* One line for -V: PROGRAM's version and its LIBRARIES (ended by NULL). */
void proc_print_version(const char *program, proc_library_fn *const *libraries);

/* Raises RLIMIT_NOFILE to at least WANT (bounded by the hard limit). What is possible now is returned. */
size_t proc_files(size_t want);

#endif
