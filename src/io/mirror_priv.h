/*
 * mirror_priv.h - what the files of the mirror share: mirror.c (life, changes, readers), mirror_watch.c (what Redis
 * announces), mirror_load.c (full readings and the guard), mirror_turn.c (when), mirror_batch.c (losses judged
 * together), mirror_snapshot.c.
 */
#ifndef TLSMODE_IO_MIRROR_PRIV_H
#define TLSMODE_IO_MIRROR_PRIV_H

#include <stdatomic.h>

#include "io/complaints.h"
#include "io/key_reads.h"
#include "io/mirror.h"
#include "io/mirror_table.h"
#include "io/redis_scan.h"
#include "io/snapshot_writer.h"

struct mirror {
	struct event_base *base;
	const struct conf *conf;
	struct mirror_events ev;
	void *arg;
	struct redis *redis;
	struct mirror_table table;
	struct key_reads *reads;
	struct complaints complaints;
	_Atomic int state;
	bool settled;

	/* full reading (mirror_load.c) */
	bool loading, scan_asked;
	struct redis_scan scan;
	int64_t load_started_ms, load_took_ms; /* took: the last one */
	uint64_t load_mark;                    /* of key_reads.h: changes that were waiting when all keys were named */
	/* whose turn it is (mirror_turn.c) */
	bool waiting;
	struct fact_lock *turn;
	struct event *turn_timer;
	int64_t turn_since_ms, turn_limit_ms;
	/* changes that found no room: everything is to be read again (mirror_load.c) */
	bool missed;
	unsigned long misses, misses_seen;
	unsigned put_off; /* readings since the last judgement */
	int64_t again_by_ms;
	struct event *again_timer;
	/* the guard */
	bool held;
	bool vanished;       /* a mass loss was announced: the next reading may find some of it back already */
	int64_t exact_at_ms; /* wall: when we last were exact, or since when we are not */
	int64_t accept_ms,
	    accept_raw; /* of the operator's key; a time in the future counts as when it was first seen */

	/* losses (mirror_batch.c) */
	struct batch *batches, *open;
	struct key_set losses; /* of all batches not judged yet */
	struct event *batch_timer;

	struct event *ends_timer, *settle_timer, *daily_timer;
	int64_t armed_ms;        /* the end that ends_timer waits for */
	int64_t clock_offset_ms; /* wall - mono: a step of the clock shows here */
	struct snapshot_writer *writer;
	char *snapshot;
	struct event *snapshot_timer;
	bool snapshot_due;

	/* for any thread */
	atomic_size_t held_keys, endless_keys;
	atomic_ulong bad_values, reloads;
	_Atomic int64_t exact_public_ms;
};

/* mirror.c */
enum mirror_state mirror_state_now(const struct mirror *m); /* from what is known; mirror_state() is what was told */
void mirror_update_state(struct mirror *m, bool changed);   /* CHANGED: any setting may have changed */
void mirror_settle(struct mirror *m);
void mirror_put(struct mirror *m, enum setting_kind kind, const char *name, const struct setting *value);
void mirror_remove(struct mirror *m, enum setting_kind kind, const char *name);
void mirror_publish(struct mirror *m);
void mirror_arm_ends(struct mirror *m);
void mirror_log_endless(struct mirror *m);
struct event *mirror_timer_new(struct mirror *m, event_callback_fn fn);
void mirror_timer_ms(struct event *ev, int64_t ms);

/* mirror_watch.c */
extern const struct redis_events mirror_redis_events;

/* mirror_snapshot.c */
void mirror_snapshot_start(struct mirror *m);
void mirror_snapshot_reconf(struct mirror *m);
void mirror_snapshot_end(struct mirror *m);
void mirror_touch(struct mirror *m); /* the snapshot is no longer what is in force */

/* mirror_load.c */
void mirror_load_start(struct mirror *m, const char *why);
void mirror_load_abort(struct mirror *m);
void mirror_load_on_again(evutil_socket_t fd, short what, void *mirror);
void mirror_load_missed(struct mirror *m); /* a change was not noted: all is read again soon */
/* A full reading is under way or due: it judges what vanished. */
static inline bool mirror_is_rereading(const struct mirror *m)
{
	return m->loading || m->missed;
}
void mirror_load_step(struct mirror *m); /* after each key: more to scan, or the end */
void mirror_ask_accept(struct mirror *m);
void mirror_check_returned(struct mirror *m); /* held keys may all be back */

/* mirror_turn.c */
void mirror_turn_wait(struct mirror *m); /* mirror_load_start() when it is our turn; what is in force stays meanwhile */
void mirror_turn_leave(struct mirror *m); /* a reading is over, or given up, or no longer waited for */
void mirror_turn_lost(
    struct mirror *m); /* with the connection; our place, if Redis still has it, is left on the next one */
void mirror_turn_init(struct mirror *m);
void mirror_turn_fini(struct mirror *m);

/* mirror_batch.c */
struct batch *mirror_batch_open(struct mirror *m);
void mirror_batch_join(struct batch *b);
void mirror_batch_leave(struct batch *b, void *mirror);
void mirror_batch_lose(struct batch *b, enum setting_kind kind, const char *name);
void mirror_batch_found(struct mirror *m, enum setting_kind kind,
			const char *name); /* it was read: no loss of any batch */
void mirror_batches_drop(struct mirror *m);
void mirror_batches_fini(struct mirror *m);
void mirror_batches_init(struct mirror *m);

#endif
