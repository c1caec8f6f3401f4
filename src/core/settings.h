/*
 * settings.h - what people wrote in Redis, read strictly: the field table, the table of all keys, and the merge of the
 * closest keys (doc/design.md, "Settings in Redis"). Pure: the mirror fills it, the clock comes as an argument.
 *
 * Each FIELD comes from the closest key that has it: exact, then ".parent" from longest to shortest, then "*".
 * A key past its end is as if it were not there, whether or not Redis has said so yet.
 */
#ifndef TLSMODE_CORE_SETTINGS_H
#define TLSMODE_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sbuf.h"
#include "core/domain.h"
#include "core/mode.h"
#include "core/nexthop.h"

enum setting_kind { SETTING_SENDER, SETTING_RCPT, SETTING_EXCEPT };
#define SETTING_KINDS 3
extern const struct name_code setting_kind_names[]; /* sender rcpt except */

#define SETTING_NAME_SIZE NEXTHOP_SIZE
#define SETTING_VIA_MAX 63     /* octets of a transport family */
#define SETTING_MATCH_MAX 1000 /* octets of a match list */
#define SETTING_VALUE_MAX 2000 /* octets of any value; a longer one is a bad value */

enum setting_has {
	SETTING_HAS_MODE = 1 << 0,
	SETTING_HAS_VIA = 1 << 1,
	SETTING_HAS_MATCH = 1 << 2,
	SETTING_HAS_DANE = 1 << 3,
	SETTING_HAS_STS = 1 << 4,
	SETTING_HAS_PLAINTEXT = 1 << 5,
	SETTING_HAS_FOR = 1 << 6,
	SETTING_HAS_NOTE = 1 << 7
};

/* One key, read. Strict reading of bad values: mode -> enforced; match -> one that nothing satisfies (match = ""); an
 * exception's value -> the exception is not made; for -> opportunistic; via -> not there. But for via and note, a bad
 * value is in force in that reading: it hides what a farther key says. Names of fields are lower case; the case of
 * values does not matter, except that via keeps its own, as names in master.cf do. */
struct setting {
	unsigned has;     /* SETTING_HAS_*: fields with a value in force, strictly read ones too */
	unsigned bad;     /* SETTING_HAS_*: fields whose value nobody understands */
	unsigned unknown; /* how many fields have no meaning */
	enum mode mode;
	bool dane_ignore, sts_ignore, plaintext_allow, for_all;
	char via[SETTING_VIA_MAX + 1];
	char match[SETTING_MATCH_MAX +
		   1];      /* canonical, ':' between names, ".x" for subdomains; "" with HAS_MATCH: nothing matches */
	int64_t ends_at_ms; /* wall clock; 0: no end */
};

void setting_init(struct setting *s);

/* Takes one field as Redis has it into S. False when it is bad or unknown: then *COMPLAINT (caller's storage of at
 * least 160 octets, a sentence that names the field and the value as read) is filled. S is read strictly either way. */
bool setting_field(struct setting *s, enum setting_kind kind, const char *field, size_t field_len, const char *value,
		   size_t value_len, char *complaint, size_t complaint_size);

/* The canonical name of a key: a domain, ".domain", "*", for senders "<>", for rcpt and except also a next hop.
 * False with a static *REASON when it is none; people get this on `tlsmode domain set`, the mirror logs it. */
bool setting_name_canon(char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw, size_t len,
			const char **reason);

/* ---- the table of all settings ---- */
struct settings;
struct settings *settings_new(void);
void settings_free(struct settings **s);

/* Puts a copy of VALUE under KIND and canonical NAME, replacing what was there. */
void settings_put(struct settings *s, enum setting_kind kind, const char *name, const struct setting *value);
bool settings_remove(struct settings *s, enum setting_kind kind, const char *name); /* true: it was there */
bool settings_get(const struct settings *s, enum setting_kind kind, const char *name, struct setting *out);
size_t settings_count(const struct settings *s);
size_t settings_octets(const struct settings *s); /* of memory, from the system */
size_t settings_count_kind(const struct settings *s, enum setting_kind kind);
void settings_each(const struct settings *s,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg);

/* The same in pieces of about COUNT, while S may change in between: true while there are more. What stays throughout is
 * met at least once. *W is zero at first, or all zero but for the kind to begin with. */
struct settings_walk {
	uint64_t at;
	int kind;
};
bool settings_walk(const struct settings *s, struct settings_walk *w, size_t count,
		   void (*fn)(enum setting_kind kind, const char *name, const struct setting *value, void *arg),
		   void *arg);

/* ---- merged answers ---- */
struct sender_setting {
	enum mode mode;                   /* opportunistic when no key says otherwise */
	char mode_key[SETTING_NAME_SIZE]; /* the key it came from, "" for none */
	bool mode_bad;                    /* read strictly from a value nobody understands */
	unsigned not_understood;          /* other such values, and unknown fields, in all keys that were looked at */
	char via[SETTING_VIA_MAX + 1];
	char via_key[SETTING_NAME_SIZE];
	int64_t valid_until_ms; /* the earliest end of a key that was used; INT64_MAX: none ends */
};

/* Told of each name that a key may have which bears on a question. */
typedef void settings_name_fn(enum setting_kind kind, const char *name, void *arg);

/* DOMAIN is canonical; "<>" for the null sender (not covered by "*"); "" for an address without a domain (only "*");
 * ".parent" for what is no domain name below PARENT. */
void settings_sender(const struct settings *s, const char *domain, int64_t now_ms, struct sender_setting *out);

/* The names of the keys that settings_sender() looks for, the closest first. */
void settings_sender_names(const char *domain, settings_name_fn *fn, void *arg);

struct dest_setting {
	enum mode mode; /* at least this mode; opportunistic when nothing is set; verified when match is set */
	char mode_key[SETTING_NAME_SIZE];
	bool mode_bad;           /* both as in struct sender_setting */
	unsigned not_understood; /* of rcpt and except keys together */
	bool has_match;
	char match[SETTING_MATCH_MAX + 1]; /* "" with has_match: unreadable, nothing matches */
	char match_key[SETTING_NAME_SIZE];
	bool dane_ignore, sts_ignore, plaintext_allow, for_all;
	char except_key[SETTING_NAME_SIZE]; /* the closest except key that was used, "" for none */
	bool named; /* some rcpt or except key other than "*" applies (matters for keys that begin with a dot) */
	int64_t valid_until_ms;
};

/* The order for DEST: its key, without the port, its bare name, then ".parent"..., then "*". Literals: key, without
 * port, "*". */
void settings_dest(const struct settings *s, const struct nexthop *dest, int64_t now_ms, struct dest_setting *out);
/* The names of the keys that it looks for, rcpt and except. */
void settings_dest_names(const struct nexthop *dest, settings_name_fn *fn, void *arg);

#endif
