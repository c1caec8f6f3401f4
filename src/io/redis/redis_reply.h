/*
 * redis_reply.h - what Redis answered: opened here and nowhere else.
 *
 * hiredis hands over a union with a tag, and whoever looks into it without looking at the tag takes a number for a
 * pointer. So it has no inside for anybody else: each function here says "it is that, and here it is", or false.
 * False is never "absent" or "empty": it is "nobody knows", and redis_reply_why() says what came instead. What is
 * lent lives as long as the reply. Lengths are Redis's own: there may be a NUL inside, and there is one behind.
 *
 * hiredis's replies are void * where they are made (redisCommand(), redisGetReply()) and where they end
 * (freeReplyObject()). tests/check-replies.sh holds that no other file opens one.
 */
#ifndef TLSMODE_IO_REDIS_REPLY_H
#define TLSMODE_IO_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_reply;

/* Who waits for one: borrowed for the call; NULL when it will not come. */
typedef void redis_reply_fn(const struct redis_reply *reply, void *arg);

struct redis_text {
	const char *text;
	size_t len;
};
bool redis_text_is(const struct redis_text *t, const char *word);

/* An error; beginning with the word CODE ("WRONGTYPE"), if that is not NULL. */
bool redis_reply_is_error(const struct redis_reply *r, const char *code);
bool redis_reply_error(const struct redis_reply *r, struct redis_text *out);
bool redis_reply_is_nil(const struct redis_reply *r);                      /* "$-1" and "*-1" */
bool redis_reply_is_status(const struct redis_reply *r, const char *word); /* "+OK", "+QUEUED" */
bool redis_reply_integer(const struct redis_reply *r, int64_t *out);
bool redis_reply_string(const struct redis_reply *r, struct redis_text *out);
/* The value of NAME (with its colon) in a reply to INFO; OUT is "" when it has none. False: not even a string. */
bool redis_reply_info(const struct redis_reply *r, const char *name, char *out, size_t size);

/* The first element of an array, if that is a string: "subscribe", "message", "master" (ROLE). */
bool redis_reply_head(const struct redis_reply *r, struct redis_text *out);

/* Strings and nothing else, any number of them. Walk: while (redis_list_next(&list, &text)). */
struct redis_list {
	const struct redis_reply *of;
	size_t at, left;
};
bool redis_reply_list(const struct redis_reply *r, struct redis_list *out);
bool redis_list_next(struct redis_list *l, struct redis_text *out);

/* A hash (HGETALL): an even number of strings; none: there is no such key. LEFT counts both of each pair. */
bool redis_reply_pairs(const struct redis_reply *r, struct redis_list *out);
bool redis_pair_next(struct redis_list *l, struct redis_text *name, struct redis_text *value);

/* A page of SCAN: cursor and keys (redis_scan.h says when it is the last one). */
bool redis_reply_page(const struct redis_reply *r, struct redis_text *cursor, struct redis_list *keys);

/* A pub/sub message has its channel and TEXT; or, of invalidations, the keys that changed: none of them (nil) when all
 * may have. */
bool redis_reply_is_message(const struct redis_reply *r);
bool redis_reply_message(const struct redis_reply *r, struct redis_text *text);
bool redis_reply_changes(const struct redis_reply *r, struct redis_list *keys);

/* What EXEC answers when each of its COUNT commands counts something. CULPRIT: what there is in the place of that, an
 * error perhaps, for redis_reply_why(). */
bool redis_reply_counts(const struct redis_reply *r, size_t count, const struct redis_reply **culprit);

/* What is wrong with it: "COMMAND: text of the error; advice", or what kind of reply came instead of an error. */
void redis_reply_why(char *out, size_t size, const char *command, const struct redis_reply *r);

/* How much work it may be: its elements, and theirs. */
size_t redis_reply_weight(const struct redis_reply *r);

#endif
