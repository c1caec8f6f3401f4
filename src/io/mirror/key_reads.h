/*
 * key_reads.h - reads settings keys from Redis (HGETALL and PTTL of each), a bounded number at a time, changed ones
 * first; of a full reading and changes that come all the time, each has half of the turns.
 *
 * A key that is wanted again while it is being read is read once more and the first answer discarded: it may be older
 * than the change. Only so often, though: a key that changes faster than it can be read still gets through, with values
 * that were all true once and end with the last.
 * Called by mirror_load.c, mirror_watch.c and mirror.c.
 */
#ifndef TLSMODE_IO_KEY_READS_H
#define TLSMODE_IO_KEY_READS_H

#include "core/settings.h"
#include "io/mirror/complaints.h"
#include "io/redis/redis.h"

struct key_reads;

/* The changes that are handled together: their losses are judged as one. */
struct batch;

struct key_reads_events {
	/* VALUE NULL: there is no such key. BULK: this completes a wish made with BULK. */
	void (*on_read)(enum setting_kind kind, const char *name, const struct setting *value, struct batch *batch,
			bool bulk, void *arg);
	/* A read counts for BATCH no more (it was read, or belongs to a later batch now). */
	void (*on_leave)(struct batch *batch, void *arg);
	/* Redis would not answer about a key: nothing can be exact. All reads have been given up. */
	void (*on_refused)(const char *why, void *arg);
};

struct key_reads *key_reads_new(struct redis *r, struct complaints *complaints, const struct key_reads_events *ev,
				void *arg);
void key_reads_free(struct key_reads **k);

/* Wants KIND NAME read. BATCH may be NULL; true: the wish counts for BATCH from now on (false: it did already). */
bool key_reads_want(struct key_reads *k, enum setting_kind kind, const char *name, bool bulk, struct batch *batch);
/* Gives all up; nothing more is heard of them, nor of their batches. */
void key_reads_abort(struct key_reads *k);
size_t key_reads_waiting(const struct key_reads *k);    /* wishes not sent yet */
size_t key_reads_changes(const struct key_reads *k);    /* wishes made without BULK and not fulfilled */
size_t key_reads_bulk(const struct key_reads *k);       /* wishes made with BULK and not fulfilled */
unsigned long key_reads_bad(const struct key_reads *k); /* values read strictly so far */
/* A wish for KIND NAME is not fulfilled yet: another one costs nothing. */
bool key_reads_has(const struct key_reads *k, enum setting_kind kind, const char *name);
/* Have all wishes been fulfilled that were made without BULK before the mark was taken? */
uint64_t key_reads_mark(const struct key_reads *k);
bool key_reads_passed(const struct key_reads *k, uint64_t mark);
/* Takes a raw key name (complains about faulty ones); true: OUT is the canonical name. */
bool key_reads_name(struct key_reads *k, char out[SETTING_NAME_SIZE], enum setting_kind kind, const char *raw,
		    size_t len);

#endif
