/*
 * dns_closer.c - see dns_closer.h.
 */
#include "io/dns/dns_closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "io/conf/conf.h"

static pthread_mutex_t closing_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t closing_ended = PTHREAD_COND_INITIALIZER;
static unsigned closing;
static pthread_mutex_t contexts_lock = PTHREAD_MUTEX_INITIALIZER;

struct closer {
	struct ub_ctx *ctx[CONF_DNS_THREADS_MAX];
	size_t count;
	struct dns_ending ending;
};

void dns_contexts_lock(void)
{
	pthread_mutex_lock(&contexts_lock);
}

void dns_contexts_unlock(void)
{
	pthread_mutex_unlock(&contexts_lock);
}

static void *close_contexts(void *arg)
{
	struct closer *c = arg;

	c->ending.before(c->ending.arg);
	for (size_t i = 0; i < c->count; i++) {
		dns_contexts_lock();
		ub_ctx_delete(c->ctx[i]);
		dns_contexts_unlock();
	}
	c->ending.after(c->ending.arg);
	free(c);
	pthread_mutex_lock(&closing_lock);
	closing--;
	pthread_cond_signal(&closing_ended);
	pthread_mutex_unlock(&closing_lock);
	return NULL;
}

/* exit(3) must not pull the libraries from under a thread that is still deleting. */
static void wait_for_closers(void)
{
	pthread_mutex_lock(&closing_lock);
	while (closing > 0)
		pthread_cond_wait(&closing_ended, &closing_lock);
	pthread_mutex_unlock(&closing_lock);
}

static void at_exit_once(void)
{
	atexit(wait_for_closers);
}

void dns_contexts_delete(struct ub_ctx *const *ctx, size_t count, const struct dns_ending *ending)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct closer *c = xmalloc(sizeof(*c));
	pthread_t thread;
	sigset_t all, before;
	int rc;

	*c = (struct closer){.count = count, .ending = *ending};
	for (size_t i = 0; i < count; i++)
		c->ctx[i] = ctx[i];
	pthread_once(&once, at_exit_once);
	pthread_mutex_lock(&closing_lock);
	closing++;
	pthread_mutex_unlock(&closing_lock);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, close_contexts, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		pthread_detach(thread);
	else
		close_contexts(c);
}
