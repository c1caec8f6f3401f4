/*
 * dns_feed.c - see dns_feed.h.
 *
 * A ticket is shared: its asker may drop it, libunbound may answer it, and both may happen while the thread is still
 * inside ub_resolve_async() with it. Whoever comes last frees it; the lock decides who that is.
 */
#include "io/dns/dns_feed.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/xalloc.h"

#define CLASS_IN 1

enum ticket_state {
	TICKET_QUEUED,
	TICKET_GOING, /* the thread is handing it over */
	TICKET_ASKED,
	TICKET_REFUSED /* libunbound would not take it */
};

struct dns_ticket {
	TAILQ_ENTRY(dns_ticket) all, queue;
	struct dns_feed *feed;
	enum ticket_state state;
	bool dropped, answered; /* while it was going */
	int id, refused;        /* libunbound's name for it; its error */
	ub_callback_type fn;
	void *arg;
	int type;
	char name[];
};
TAILQ_HEAD(ticket_list, dns_ticket);

struct dns_feed {
	struct ub_ctx *ctx;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* of all below, and of the tickets' states */
	pthread_cond_t wake;
	struct ticket_list all, queue;
	bool stop;
};

/* With the lock. */
static void ticket_free(struct dns_ticket *t)
{
	TAILQ_REMOVE(&t->feed->all, t, all);
	free(t);
}

/* Called by ub_process(). */
static void on_answer(void *arg, int err, struct ub_result *result)
{
	struct dns_ticket *t = arg;
	struct dns_feed *f = t->feed;
	ub_callback_type fn = t->fn;
	void *fn_arg = t->arg;
	bool dropped;

	pthread_mutex_lock(&f->lock);
	dropped = t->dropped;
	if (t->state == TICKET_GOING)
		t->answered = true;
	else
		ticket_free(t);
	pthread_mutex_unlock(&f->lock);
	if (dropped)
		ub_resolve_free(result);
	else
		fn(fn_arg, err, result);
}

/* ---- the thread ---- */

static void hand_over(struct dns_feed *f, struct dns_ticket *t)
{
	int rc;

	TAILQ_REMOVE(&f->queue, t, queue);
	t->state = TICKET_GOING;
	pthread_mutex_unlock(&f->lock);
	rc = ub_resolve_async(f->ctx, t->name, t->type, CLASS_IN, t, on_answer, &t->id);
	pthread_mutex_lock(&f->lock);
	t->refused = rc;
	t->state = rc == 0 ? TICKET_ASKED : TICKET_REFUSED;
	if (t->answered || (rc != 0 && t->dropped))
		ticket_free(t);
}

static void *feed_thread(void *arg)
{
	struct dns_feed *f = arg;

	pthread_mutex_lock(&f->lock);
	while (!f->stop) {
		if (TAILQ_EMPTY(&f->queue))
			pthread_cond_wait(&f->wake, &f->lock);
		else
			hand_over(f, TAILQ_FIRST(&f->queue));
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- life ---- */

struct dns_feed *dns_feed_new(struct ub_ctx *ctx)
{
	struct dns_feed *f = xcalloc(1, sizeof(*f));
	sigset_t all, before;

	f->ctx = ctx;
	TAILQ_INIT(&f->all);
	TAILQ_INIT(&f->queue);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	f->started = pthread_create(&f->thread, NULL, feed_thread, f) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!f->started)
		dns_feed_free(&f);
	return f;
}

void dns_feed_stop(struct dns_feed *f)
{
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	if (f->started)
		pthread_join(f->thread, NULL);
	f->started = false;
}

void dns_feed_free(struct dns_feed **feed)
{
	struct dns_feed *f = *feed;
	struct dns_ticket *t;

	*feed = NULL;
	if (!f)
		return;
	while ((t = TAILQ_FIRST(&f->all)))
		ticket_free(t);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->wake);
	free(f);
}

/* ---- questions ---- */

struct dns_ticket *dns_feed_ask(struct dns_feed *f, const char *name, int type, ub_callback_type fn, void *arg)
{
	size_t size = strlen(name) + 1;
	struct dns_ticket *t = xcalloc(1, sizeof(*t) + size);

	t->feed = f;
	t->type = type;
	t->fn = fn;
	t->arg = arg;
	memcpy(t->name, name, size);
	pthread_mutex_lock(&f->lock);
	TAILQ_INSERT_TAIL(&f->all, t, all);
	TAILQ_INSERT_TAIL(&f->queue, t, queue);
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
	return t;
}

void dns_feed_drop(struct dns_ticket *t)
{
	struct dns_feed *f = t->feed;

	pthread_mutex_lock(&f->lock);
	if (t->state == TICKET_GOING) {
		t->dropped = true; /* its answer comes all the same */
	} else {
		if (t->state == TICKET_QUEUED)
			TAILQ_REMOVE(&f->queue, t, queue);
		else if (t->state == TICKET_ASKED)
			ub_cancel(f->ctx, t->id);
		ticket_free(t);
	}
	pthread_mutex_unlock(&f->lock);
}

const char *dns_feed_failure(struct dns_ticket *t)
{
	const char *why = NULL;

	pthread_mutex_lock(&t->feed->lock);
	if (t->state == TICKET_REFUSED)
		why = ub_strerror(t->refused);
	pthread_mutex_unlock(&t->feed->lock);
	return why;
}
