/*
 * https_worker.c - the fetch thread: runs transfers side by side in a curl multi handle.
 *
 * Two lanes: a transfer is young for HTTPS_PATIENCE_MS, then slow. Only young ones count against sts.max_fetches, so
 * hosts that drip cannot keep good ones from their turn; the slow lane is bounded too, and its oldest ends for one
 * more.
 */
#include "io/https/https_worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/https/https_curl.h"

TAILQ_HEAD(https_job_list, https_job);

struct https_worker {
	X509_STORE *roots;
	CURLM *multi;
	pthread_t thread;
	bool started;
	int fd; /* eventfd: DONE has something */

	pthread_mutex_t lock; /* of the three queues, stop, and the jobs' state and dropped */
	struct https_job_list start, drop, done;
	bool stop;

	/* the fetch thread's */
	struct https_job_list young, slow;
	size_t young_count, slow_count, max_young, max_slow;
};

/* --- on the fetch thread --- */

static void leave_lane(struct https_worker *w, struct https_job *j)
{
	TAILQ_REMOVE(j->slow ? &w->slow : &w->young, j, running);
	(*(j->slow ? &w->slow_count : &w->young_count))--;
}

static void enter_lane(struct https_worker *w, struct https_job *j, bool slow)
{
	j->slow = slow;
	TAILQ_INSERT_TAIL(slow ? &w->slow : &w->young, j, running);
	(*(slow ? &w->slow_count : &w->young_count))++;
}

static void hand_back(struct https_worker *w, struct https_job *j)
{
	uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	if (j->dropped)
		TAILQ_REMOVE(&w->drop, j, queue);
	j->dropped = false;
	j->state = HTTPS_JOB_DONE;
	TAILQ_INSERT_TAIL(&w->done, j, queue);
	pthread_mutex_unlock(&w->lock);
	if (write(w->fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is awake */
}

static void end_job(struct https_worker *w, struct https_job *j, CURLcode rc)
{
	leave_lane(w, j);
	curl_multi_remove_handle(w->multi, j->t.easy);
	https_transfer_end(&j->t, rc);
	hand_back(w, j);
}

static void start_job(struct https_worker *w, struct https_job *j)
{
	j->started_ms = tick_mono_ms();
	if (https_transfer_start(&j->t, w->roots)) {
		enter_lane(w, j, false);
		curl_multi_add_handle(w->multi, j->t.easy);
	} else {
		hand_back(w, j);
	}
}

/* The lanes are in order of start, so the first is the oldest. */
static void make_room(struct https_worker *w)
{
	int64_t now = tick_mono_ms();
	struct https_job *j;

	while ((j = TAILQ_FIRST(&w->young)) && now - j->started_ms >= HTTPS_PATIENCE_MS) {
		leave_lane(w, j);
		enter_lane(w, j, true);
	}
	while (w->slow_count > w->max_slow) {
		j = TAILQ_FIRST(&w->slow);
		j->t.refused = "too slow, and many other fetches wait";
		end_job(w, j, CURLE_ABORTED_BY_CALLBACK);
	}
}

/* The next job to start, or NULL when there is none or no room for it. */
static struct https_job *next_to_start(struct https_worker *w)
{
	struct https_job *j = NULL;

	if (w->young_count >= w->max_young)
		return NULL;
	pthread_mutex_lock(&w->lock);
	j = TAILQ_FIRST(&w->start);
	if (j) {
		TAILQ_REMOVE(&w->start, j, queue);
		j->state = HTTPS_JOB_RUNNING;
	}
	pthread_mutex_unlock(&w->lock);
	return j;
}

static struct https_job *next_to_drop(struct https_worker *w)
{
	struct https_job *j;

	pthread_mutex_lock(&w->lock);
	j = TAILQ_FIRST(&w->drop);
	pthread_mutex_unlock(&w->lock);
	return j;
}

static void end_finished(struct https_worker *w)
{
	struct CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(w->multi, &left))) {
		struct https_job *j = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&j);
		end_job(w, j, msg->data.result);
	}
}

/* libcurl 7.88 gives up an address that does not answer, and then waits for any other event before it tries the next
 * one: so it gets one now and then. */
#define NUDGE_MS 200

static int poll_ms(const struct https_worker *w)
{
	return w->young_count + w->slow_count > 0 ? NUDGE_MS : 60000;
}

static bool told_to_stop(struct https_worker *w)
{
	bool stop;

	pthread_mutex_lock(&w->lock);
	stop = w->stop;
	pthread_mutex_unlock(&w->lock);
	return stop;
}

static void stop_lane(struct https_worker *w, struct https_job_list *lane)
{
	struct https_job *j;

	while ((j = TAILQ_FIRST(lane))) {
		leave_lane(w, j);
		curl_multi_remove_handle(w->multi, j->t.easy);
		https_transfer_fini(&j->t);
	}
}

static void *fetch_thread(void *arg)
{
	struct https_worker *w = arg;
	struct https_job *j;
	int running;

	while (!told_to_stop(w)) {
		make_room(w);
		while ((j = next_to_drop(w)))
			end_job(w, j, CURLE_ABORTED_BY_CALLBACK);
		while ((j = next_to_start(w)))
			start_job(w, j);
		curl_multi_perform(w->multi, &running);
		end_finished(w);
		curl_multi_poll(w->multi, NULL, 0, poll_ms(w), NULL);
	}
	stop_lane(w, &w->young);
	stop_lane(w, &w->slow);
	return NULL;
}

/* --- on the hot thread --- */

void https_worker_start(struct https_worker *w, struct https_job *j)
{
	pthread_mutex_lock(&w->lock);
	j->state = HTTPS_JOB_QUEUED;
	TAILQ_INSERT_TAIL(&w->start, j, queue);
	pthread_mutex_unlock(&w->lock);
	curl_multi_wakeup(w->multi);
}

void https_worker_pass(struct https_worker *w, struct https_job *j)
{
	hand_back(w, j);
}

bool https_worker_drop(struct https_worker *w, struct https_job *j)
{
	enum https_job_state state;

	pthread_mutex_lock(&w->lock);
	state = j->state;
	if (state == HTTPS_JOB_QUEUED) {
		TAILQ_REMOVE(&w->start, j, queue);
		j->state = HTTPS_JOB_NEW;
	} else if (state == HTTPS_JOB_RUNNING) {
		j->dropped = true;
		TAILQ_INSERT_TAIL(&w->drop, j, queue);
	}
	pthread_mutex_unlock(&w->lock);
	if (state == HTTPS_JOB_RUNNING)
		curl_multi_wakeup(w->multi);
	return state == HTTPS_JOB_QUEUED;
}

int https_worker_fd(const struct https_worker *w)
{
	return w->fd;
}

struct https_job *https_worker_take(struct https_worker *w)
{
	struct https_job *j;
	uint64_t count;

	pthread_mutex_lock(&w->lock);
	j = TAILQ_FIRST(&w->done);
	if (j) {
		TAILQ_REMOVE(&w->done, j, queue);
		j->state = HTTPS_JOB_NEW;
	} else if (read(w->fd, &count, sizeof(count)) < 0) {
		errno = 0; /* it was taken before the thread told us */
	}
	pthread_mutex_unlock(&w->lock);
	return j;
}

static int start_thread(struct https_worker *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, fetch_thread, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = rc == 0;
	return rc;
}

static void global_once(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct https_worker *https_worker_new(X509_STORE *roots, size_t max_young, size_t max_slow)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct https_worker *w = xcalloc(1, sizeof(*w));
	int rc;

	pthread_once(&once, global_once);
	w->roots = roots;
	w->max_young = max_young;
	w->max_slow = max_slow;
	TAILQ_INIT(&w->start);
	TAILQ_INIT(&w->drop);
	TAILQ_INIT(&w->done);
	TAILQ_INIT(&w->young);
	TAILQ_INIT(&w->slow);
	pthread_mutex_init(&w->lock, NULL);
	w->multi = curl_multi_init();
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = !w->multi || w->fd < 0 ? errno : start_thread(w);
	if (rc != 0) {
		https_worker_free(&w);
		errno = rc;
	}
	return w;
}

void https_worker_free(struct https_worker **worker)
{
	struct https_worker *w = *worker;

	*worker = NULL;
	if (!w)
		return;
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_mutex_unlock(&w->lock);
		curl_multi_wakeup(w->multi);
		pthread_join(w->thread, NULL);
	}
	curl_multi_cleanup(w->multi);
	X509_STORE_free(w->roots);
	pthread_mutex_destroy(&w->lock);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}
