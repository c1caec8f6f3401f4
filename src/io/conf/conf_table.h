/*
 * conf_table.h - one row per option of tlsmode.conf: where it is kept, its default, its bounds, its help line.
 *
 * The table alone yields the parser's options, the defaults, the checks, the sample file and the list in
 * tlsmode.conf(5). Private to conf*.c; programs see conf.h.
 */
#ifndef TLSMODE_IO_CONF_TABLE_H
#define TLSMODE_IO_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/names.h"
#include "io/conf/conf.h"

enum conf_type {
	CONF_STRING,
	CONF_LIST,   /* of strings */
	CONF_NUMBER, /* decimal, MIN to MAX */
	CONF_MODE,   /* octal permissions */
	CONF_BOOL,
	CONF_CHOICE, /* one of CHOICES */
	CONF_SET     /* a list of CHOICES, kept as a set of bits */
};

/* What the world outside the file must have for the value. */
enum conf_outside { OUTSIDE_NOTHING, OUTSIDE_FILE, OUTSIDE_USER, OUTSIDE_GROUP };

struct conf_option {
	const char *section; /* "" at the top level */
	const char *name;
	enum conf_type type;
	size_t offset, width; /* of the member of struct conf */
	const char *fallback; /* the default, as one writes it in the file */
	long min, max;
	const struct name_code *choices;
	/* Is TEXT (each item of a list) a value? False: REASON says what is expected. NULL: anything goes. */
	bool (*check)(const char *text, char *reason, size_t size);
	enum conf_outside outside;
	unsigned use;     /* enum conf_use: who needs what is outside */
	const char *hint; /* what to do when it is not there, or NULL */
	const char *help; /* one line */
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_count;
extern const char *const conf_sections[]; /* in the order of the table, ended by NULL; without the top level */

/* The row of NAME in SECTION ("" top level), or NULL. */
const struct conf_option *conf_option_find(const char *section, const char *name);

/* "redis.address", or "user" at the top level, in OUT. */
const char *conf_option_name(const struct conf_option *o, char *out, size_t size);

/* FILE as a string that the caller frees. NULL: REASON. */
char *conf_text_read(const char *file, char *reason, size_t size);
/* Makes blanks of the comments in TEXT. A static reason and its LINE when a string, a comment or a brace has no end,
 * else NULL. */
const char *conf_text_strip(char *text, int *line);
/* The line of "NAME = {}" in a stripped TEXT, 0 when it is not there. */
int conf_text_empty_list(const char *text, const char *name);

/* Reads TEXT as a value of O into CONF; FIRST empties a list before. False: REASON. */
bool conf_value_take(struct conf *conf, const struct conf_option *o, const char *text, bool first, char *reason,
		     size_t size);
/* Empties the list O. */
void conf_value_empty(struct conf *conf, const struct conf_option *o);
void conf_value_free(struct conf *conf, const struct conf_option *o);

/* Values that need each other, and what this build does not do. NULL, or the row at fault with REASON. */
const struct conf_option *conf_check_together(const struct conf *conf, char *reason, size_t size);
/* Files, accounts and groups that USES needs; reads the Redis password. NULL, or the row at fault with REASON. */
const struct conf_option *conf_check_outside(struct conf *conf, unsigned uses, char *reason, size_t size);

/* Checks for the table's rows (conf_check.c). */
bool conf_check_redis_address(const char *text, char *reason, size_t size);
bool conf_check_sentinel(const char *text, char *reason, size_t size);
bool conf_check_master(const char *text, char *reason, size_t size);
bool conf_check_redis_prefix(const char *text, char *reason, size_t size);
bool conf_check_dns_server(const char *text, char *reason, size_t size);
bool conf_check_listen(const char *text, char *reason, size_t size);
bool conf_check_listen_or_none(const char *text, char *reason, size_t size);
bool conf_check_file(const char *text, char *reason, size_t size); /* an absolute path */
bool conf_check_file_or_none(const char *text, char *reason, size_t size);
bool conf_check_transport(const char *text, char *reason, size_t size);
bool conf_check_transport_or_all(const char *text, char *reason, size_t size); /* or "*" */
bool conf_check_header(const char *text, char *reason, size_t size);
bool conf_check_min_tls(const char *text, char *reason, size_t size);

#endif
