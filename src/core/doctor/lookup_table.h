/*
 * lookup_table.h - Postfix's lookup tables as main.cf names them ("hash:/etc/postfix/transport", "inline:{...}",
 * "socketmap:unix:tlsmode/map.sock:transport"), and the text of those that are text (regexp_table(5), cidr_table(5)).
 *
 * Pure: who lists a database does that elsewhere (ctl/probe_tables.c).
 */
#ifndef TLSMODE_CORE_LOOKUP_TABLE_H
#define TLSMODE_CORE_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_NAME_SIZE 2048
#define TABLE_ENDPOINT_SIZE 300

/* Takes the next word off *REST: commas and white space part words, braces hold them together. False at the end. */
bool lookup_list_next(const char **rest, const char **word, size_t *len);
/* The same into WORD, cut to its size. */
bool lookup_list_take(const char **rest, char *word, size_t size);

struct lookup_table {
	bool proxied;                       /* "proxy:" before it */
	char type[24];                      /* "hash"; "" when there is no type */
	char name[TABLE_NAME_SIZE];         /* behind the type */
	char whole[TABLE_NAME_SIZE];        /* as written */
	char endpoint[TABLE_ENDPOINT_SIZE]; /* socketmap only: "unix:tlsmode/map.sock", "inet:127.0.0.1:8461" */
	char map[64];                       /* socketmap only: the map asked for */
};

/* Reads one word of a list of tables. */
void lookup_table_parse(struct lookup_table *out, const char *word, size_t len);

/* How the entries of a table can be had. */
enum table_listing {
	TABLE_BY_POSTMAP, /* postmap -s TYPE:NAME */
	TABLE_BY_TEXT,    /* struct lookup_reader over the file NAME */
	TABLE_BY_NAME,    /* struct lookup_reader over NAME itself: static: and the {...} forms */
	TABLE_EMPTY,      /* fail: */
	TABLE_NEVER       /* mysql:, ldap:, tcp:, socketmap:, ... */
};
enum table_listing lookup_table_listing(const struct lookup_table *t);

struct lookup_entry {
	const char *key, *value; /* inside the text; the key of a table without keys is "*" */
	size_t key_len, value_len;
};

struct lookup_reader {
	const char *at;
	size_t left;
	bool pattern; /* regexp, pcre: a key may hold white space */
	bool rules;   /* {...} {...} instead of lines */
	bool values;  /* no keys: static, randmap */
	bool whole;   /* one value: static */
};

/* Reads TEXT as a table of TYPE: the "key TAB value" lines of postmap -s, the lines of regexp, pcre and cidr, their
 * "{...}" rules, the values of static and randmap. */
void lookup_reader_init(struct lookup_reader *r, const char *type, const char *text, size_t len);
/* The next entry. Comments, if/endif and lines without a value are passed over. False at the end. */
bool lookup_reader_next(struct lookup_reader *r, struct lookup_entry *out);

#endif
