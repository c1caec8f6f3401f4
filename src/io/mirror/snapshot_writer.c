/*
 * snapshot_writer.c - writes the snapshot in a thread of its own (snapshot_writer.h).
 */
#include "io/mirror/snapshot_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"

#define SLICE 256 /* hash buckets under the lock at a time: the loop waits for it less than a millisecond */

struct snapshot_writer {
	char *file;
	struct mirror_table *table;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int ended;                    /* an eventfd: attempts that ended */
	bool asked, last, stop, keep; /* under the mutex, like info and error; last: nothing more will be asked */
	struct snapshot_info info;
	int error; /* of the last attempt */
	/* the thread's own from here on: the slice */
	char *buf;
	size_t len, size, lines;
};

static bool stopping(struct snapshot_writer *w)
{
	bool stop;

	pthread_mutex_lock(&w->mutex);
	stop = w->stop;
	pthread_mutex_unlock(&w->mutex);
	return stop;
}

static void add_line(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct snapshot_writer *w = arg;
	struct sbuf b;

	if (w->size - w->len < SNAPSHOT_LINE_SIZE) {
		w->size = w->size * 2 + SNAPSHOT_LINE_SIZE;
		w->buf = xrealloc(w->buf, w->size);
	}
	sbuf_init(&b, w->buf + w->len, w->size - w->len);
	snapshot_format_line(&b, kind, name, value);
	w->len += b.len;
	w->lines++;
}

/* One pass over the table into F. False: the table was exchanged meanwhile, or an error (ferror), or the end of the
 * program. */
static bool write_pass(struct snapshot_writer *w, FILE *f, const struct snapshot_info *info)
{
	struct settings_walk walk = {0, 0};
	unsigned long generation = 0;
	char text[200];
	struct sbuf b;
	uint64_t hash = SNAPSHOT_HASH_START;
	bool more = true, first = true;

	sbuf_init(&b, text, sizeof(text));
	snapshot_format_head(&b, info);
	w->lines = 0;
	fwrite(text, 1, b.len, f);
	hash = snapshot_hash(hash, text, b.len);
	while (more && !stopping(w) && !ferror(f)) {
		w->len = 0;
		pthread_rwlock_rdlock(&w->table->lock);
		if (first)
			generation = w->table->generation;
		first = false;
		more = w->table->generation == generation && settings_walk(w->table->live, &walk, SLICE, add_line, w);
		bool exchanged = w->table->generation != generation;
		pthread_rwlock_unlock(&w->table->lock);
		if (exchanged)
			return false;
		if (w->len == 0) /* then there may be no buffer yet */
			continue;
		fwrite(w->buf, 1, w->len, f);
		hash = snapshot_hash(hash, w->buf, w->len);
	}
	sbuf_reset(&b);
	snapshot_format_end(&b, w->lines, hash);
	fwrite(text, 1, b.len, f);
	return !more && fflush(f) == 0 && !ferror(f);
}

static bool write_all(struct snapshot_writer *w, int fd, const struct snapshot_info *info)
{
	FILE *f = fdopen(fd, "w");
	bool ok = false;

	if (!f) {
		close(fd);
		return false;
	}
	errno = 0;
	while (!(ok = write_pass(w, f, info)) && !ferror(f) && !stopping(w)) {
		rewind(f);
		if (ftruncate(fd, 0) != 0)
			break;
	}
	ok = ok && fsync(fd) == 0;
	return (fclose(f) == 0) && ok;
}

/* A damaged file is somebody's evidence. In one step, where the file system can: at no moment is there no file, which
 * would read as "there never were settings". */
static bool replace_damaged(struct snapshot_writer *w, const char *temp)
{
	char *aside = xasprintf("%s.damaged", w->file);
	bool swapped = renameat2(AT_FDCWD, temp, AT_FDCWD, w->file, RENAME_EXCHANGE) == 0;
	bool kept = rename(swapped ? temp : w->file, aside) == 0;

	if (kept || swapped)
		log_warn("event=snapshot_kept file=%s", kept ? aside : temp);
	free(aside);
	return swapped || rename(temp, w->file) == 0;
}

static bool put_in_place(struct snapshot_writer *w, const char *temp)
{
	bool keep, ok;

	pthread_mutex_lock(&w->mutex);
	keep = w->keep;
	pthread_mutex_unlock(&w->mutex);
	ok = keep ? replace_damaged(w, temp) : rename(temp, w->file) == 0;
	pthread_mutex_lock(&w->mutex);
	w->keep = keep && !ok;
	pthread_mutex_unlock(&w->mutex);
	return ok;
}

/* 0, or why it was not written. */
static int write_snapshot(struct snapshot_writer *w, const struct snapshot_info *info)
{
	char *temp = xasprintf("%s.XXXXXX", w->file);
	int64_t start = tick_mono_ms();
	int fd = mkostemp(temp, O_CLOEXEC);
	/* a listener may be opened just now, with another umask */
	bool ok = fd >= 0 && fchmod(fd, S_IRUSR | S_IWUSR) == 0 && write_all(w, fd, info) && put_in_place(w, temp);
	int err = errno;

	if (!ok && fd >= 0)
		unlink(temp);
	free(temp);
	if (!ok)
		return err != 0 ? err : EIO;
	log_debug("event=snapshot_written file=%s count=%zu ms=%lld", w->file, w->lines,
		  (long long)(tick_mono_ms() - start));
	return 0;
}

static void attempt(struct snapshot_writer *w, const struct snapshot_info *info)
{
	const uint64_t one = 1;
	int error = write_snapshot(w, info);

	if (stopping(w))
		return;
	pthread_mutex_lock(&w->mutex);
	w->error = error;
	pthread_mutex_unlock(&w->mutex);
	if (write(w->ended, &one, sizeof(one)) < 0)
		log_debug("event=snapshot_outcome note=\"earlier ones are not read yet\"");
}

static void *run(void *arg)
{
	struct snapshot_writer *w = arg;
	struct snapshot_info info;

	pthread_mutex_lock(&w->mutex);
	while (!w->stop && (w->asked || !w->last)) {
		if (!w->asked) {
			pthread_cond_wait(&w->cond, &w->mutex);
			continue;
		}
		w->asked = false;
		info = w->info;
		pthread_mutex_unlock(&w->mutex);
		attempt(w, &info);
		pthread_mutex_lock(&w->mutex);
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

struct snapshot_writer *snapshot_writer_new(const char *file, struct mirror_table *table)
{
	struct snapshot_writer *w = xcalloc(1, sizeof(*w));

	w->file = xstrdup(file);
	w->table = table;
	w->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->ended < 0)
		abort();
	pthread_mutex_init(&w->mutex, NULL);
	pthread_cond_init(&w->cond, NULL);
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		abort();
	return w;
}

bool snapshot_writer_outcome(struct snapshot_writer *w, int *error)
{
	uint64_t attempts;

	if (read(w->ended, &attempts, sizeof(attempts)) != (ssize_t)sizeof(attempts))
		return false;
	pthread_mutex_lock(&w->mutex);
	*error = w->error;
	pthread_mutex_unlock(&w->mutex);
	return true;
}

/* Nobody will ask for it. */
static void log_last(struct snapshot_writer *w)
{
	int error;

	if (snapshot_writer_outcome(w, &error) && error != 0)
		log_error(
		    "event=snapshot_failed file=%s why=\"%s\" do=\"it was the last attempt: what has changed is not in "
		    "the last good copy, and must come from Redis at the next start\"",
		    w->file, strerror(error));
}

static void snapshot_writer_end(struct snapshot_writer **writer, bool at_once)
{
	struct snapshot_writer *w = *writer;

	*writer = NULL;
	if (!w)
		return;
	pthread_mutex_lock(&w->mutex);
	w->last = true;
	w->stop = at_once;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->thread, NULL);
	if (!at_once)
		log_last(w);
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->cond);
	close(w->ended);
	free(w->buf);
	free(w->file);
	free(w);
}

void snapshot_writer_finish(struct snapshot_writer **w)
{
	snapshot_writer_end(w, false);
}

void snapshot_writer_free(struct snapshot_writer **w)
{
	snapshot_writer_end(w, true);
}

void snapshot_writer_keep(struct snapshot_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->keep = true;
	pthread_mutex_unlock(&w->mutex);
}

int snapshot_writer_fd(const struct snapshot_writer *w)
{
	return w->ended;
}

void snapshot_writer_ask(struct snapshot_writer *w, const struct snapshot_info *info)
{
	pthread_mutex_lock(&w->mutex);
	w->info = *info;
	w->asked = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}
