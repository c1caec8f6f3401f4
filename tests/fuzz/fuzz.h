/*
 * fuzz.h - what the fuzz targets share: the entry point and must().
 *
 * A target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(): it runs its parser and asserts what always holds of
 * the result. Its corpus is tests/fuzz/corpus/NAME/. replay.c runs the corpus in `make check`; tests/fuzz/run fuzzes.
 */
#ifndef TLSMODE_TESTS_FUZZ_H
#define TLSMODE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* assert() that no build option takes away. */
#define must(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #condition);                     \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
