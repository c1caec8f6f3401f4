/*
 * ctl.h - what the commands of the control tool share: options, configuration, Redis, exit codes.
 */
#ifndef TLSMODE_CTL_CTL_H
#define TLSMODE_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>

#include <hiredis/hiredis.h>
#include <jansson.h>

#include "core/mode.h"
#include "core/settings.h"
#include "io/conf/conf.h"
#include "io/redis/redis_reply.h"

#define EX_NOTFOUND 1 /* asked, and there is nothing: like postmap -q */

struct ctl {
	const char *conf_file;
	struct conf *conf;       /* read before a command runs */
	const char *word;        /* the first of the command's, as soon as it is read */
	const char *postfix_dir; /* -c behind the word doctor; NULL: Postfix's own */
	bool json;
	enum mode as;           /* --as */
	bool has_as;            /* it was given */
	bool tlsrpt;            /* --tlsrpt */
	enum setting_kind kind; /* sender, or --rcpt, --except */
	int64_t ttl_ms;         /* --ttl; 0: not given */
	bool no_ttl;            /* --no-ttl */
	bool watch;             /* --watch */
	redisContext *redis;    /* ctl_redis() */
};

/* Prints "tlsmode: ..." to standard error and returns CODE. */
int ctl_error(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The connection to Redis, made when first asked for. NULL: the error is printed, the command ends with EX_TEMPFAIL. */
redisContext *ctl_redis(struct ctl *ctl);

/* One command to Redis. NULL: connection lost; printed. The caller ends the reply, perhaps an error, with
 * freeReplyObject(). */
struct redis_reply *ctl_reply(struct ctl *ctl, int argc, const char **argv);
/* The same; an error reply is NULL, too. */
struct redis_reply *ctl_command(struct ctl *ctl, int argc, const char **argv);
/* One that counts something. False: no such answer; printed. */
bool ctl_count(struct ctl *ctl, int argc, const char **argv, int64_t *out);
/* Prints what is wrong with REPLY to the words and returns EX_TEMPFAIL. */
int ctl_wrong(int argc, const char **argv, const struct redis_reply *reply);

/* T for people: itself, or quoted into OUT when there is a NUL inside. */
const char *ctl_text(char *out, size_t size, const struct redis_text *t);
/* T for --json. */
json_t *ctl_text_json(const struct redis_text *t);

/* Asks MAP for KEY at the first reachable listener of tlsmode-mapd. Heap string of the reply's text behind the status
 * word in *TEXT. Returns an enum sockmap_status, or -1 when no answer came (printed). */
int ctl_ask(struct ctl *ctl, const char *map, const char *key, char **text);

/* Prints ROOT on one line, and drops it. */
void ctl_print_json(json_t *root);

#endif
