/*
 * regular.h - opening a file that the operator named: a regular one or none.
 *
 * A FIFO would be waited for, a device may have no end. Called wherever the configuration, or a file it names, is read.
 */
#ifndef TLSMODE_IO_REGULAR_H
#define TLSMODE_IO_REGULAR_H

#include <stdio.h>

/* PATH for reading, closed on exec. NULL: WHY is the reason, static or strerror's, and errno fits it. Never waits for a writer. */
FILE *regular_open(const char *path, const char **why);

#endif
