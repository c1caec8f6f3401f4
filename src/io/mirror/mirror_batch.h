/*
 * mirror_batch.h - changes announced within a few milliseconds, or in one message, belong together: what vanished among
 * them is judged as one loss (core/guard.h).
 *
 * A batch is open for a moment; it is judged when it is closed and all its keys have been read. New and changed keys do
 * not wait for that: they are in force when they are read, and a key that is found again is lost no more. Called by
 * mirror.c; one thread.
 */
#ifndef TLSMODE_IO_MIRROR_BATCH_H
#define TLSMODE_IO_MIRROR_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "core/guard.h"
#include "core/settings.h"

struct mirror_batches;
struct batch;

/* From the loop, never from inside a call. */
struct mirror_batch_events {
	/* What is B's loss? mirror_batch_lost() counts it. */
	enum guard_loss (*judge)(const struct batch *b, void *arg);
	/* KIND NAME is lost, as GUARD_DROP or GUARD_DROP_NEXT says. */
	void (*lost)(enum setting_kind kind, const char *name, enum guard_loss how, void *arg);
	/* It was a mass loss, of GONE keys: none is told as lost, and no batch is left. */
	void (*mass_loss)(size_t gone, void *arg);
	/* All that could be judged was. */
	void (*judged)(void *arg);
};

struct mirror_batches *mirror_batches_new(struct event_base *base, const struct mirror_batch_events *ev, void *arg);
void mirror_batches_free(struct mirror_batches **all);
/* Forgets all batches, and their losses. */
void mirror_batches_drop(struct mirror_batches *all);
size_t mirror_batches_losses(const struct mirror_batches *all); /* not judged yet */
/* The key was read: it is no loss of any batch. */
void mirror_batches_found(struct mirror_batches *all, enum setting_kind kind, const char *name);

/* The batch that is open now. */
struct batch *mirror_batch_open(struct mirror_batches *all);
/* One more key of B is being read; and one less. */
void mirror_batch_join(struct batch *b);
void mirror_batch_leave(struct batch *b);
/* KIND NAME was announced with B and is not there any more. */
void mirror_batch_lose(struct batch *b, enum setting_kind kind, const char *name);
/* How many of B's losses are in EXACT and have not come to their own end by NOW_MS (wall). */
size_t mirror_batch_lost(const struct batch *b, const struct settings *exact, int64_t now_ms);

#endif
