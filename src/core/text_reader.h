/*
 * text_reader.h - the fields of a Redis hash, read as strictly as what comes from the network.
 *
 * Remembers the first complaint, so that a caller may check once. Numbers are decimal, words are of a table to the
 * letter, a field that is there twice is a complaint, an unknown field is not (a newer node may know more). Only
 * facts_text_take.c calls it.
 */
#ifndef TLSMODE_CORE_TEXT_READER_H
#define TLSMODE_CORE_TEXT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "core/facts_text.h"

struct text_span {
	const char *p;
	size_t len;
};

struct text_reader {
	const struct text_field *field;
	size_t count;
	const char *reason; /* of the first complaint, static, or NULL */
};

bool text_reader_bad(struct text_reader *r, const char *reason); /* false */

/* False when NAME is not there, or there twice (a complaint). */
bool text_reader_get(struct text_reader *r, const char *name, struct text_span *out);
bool text_reader_has(struct text_reader *r, const char *name);
/* The field must be there; false is always a complaint. */
bool text_reader_must(struct text_reader *r, const char *name, struct text_span *out);
bool text_reader_number(struct text_reader *r, const char *name, int64_t max, int64_t *out);
bool text_reader_word(struct text_reader *r, const char *name, const struct name_code *table, int *out);
bool text_reader_id(struct text_reader *r, const char *name, bool empty_ok, char out[STS_ID_SIZE]);

/* The same for a part of a value. */
bool text_span_number(struct text_span s, int64_t *out);
bool text_span_word(const struct name_code *table, struct text_span s, int *out);
/* Takes what stands before the next SEP (or all) off REST; false at the end. */
bool text_span_split(struct text_span *rest, char sep, struct text_span *out);

#endif
