/*
 * run_program.c - see run_program.h.
 */
#include "ctl/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tick.h"
#include "base/xalloc.h"

#define CHUNK 65536

struct stream {
	int fd;
	char *text;
	size_t len, room, max;
};

static void start(int out, int err, char *const *argv)
{
	const char *path = getenv("PATH");
	char *longer = xasprintf("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	int null = open("/dev/null", O_RDWR);

	setenv("PATH", longer, 1);
	setenv("LC_ALL", "C", 1);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	_exit(RUN_NOT_FOUND);
}

/* Takes what there is; what is over the limit is read and dropped. False at the end. */
static bool take(struct stream *s)
{
	char chunk[CHUNK];
	ssize_t n = read(s->fd, chunk, sizeof(chunk));
	size_t keep;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	keep = (size_t)n > s->max - s->len ? s->max - s->len : (size_t)n;
	if (s->len + keep + 1 > s->room) {
		s->room = (s->len + keep + 1) * 2;
		s->text = xrealloc(s->text, s->room);
	}
	memcpy(s->text + s->len, chunk, keep);
	s->len += keep;
	return true;
}

static bool gather(struct stream stream[2], int64_t until_ms)
{
	struct pollfd p[2] = {{stream[0].fd, POLLIN, 0}, {stream[1].fd, POLLIN, 0}};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		int64_t left = until_ms - tick_mono_ms();

		if (left <= 0)
			return false;
		if (poll(p, 2, (int)left) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents != 0 && !take(&stream[i]))
				p[i].fd = -1;
	}
	return true;
}

static char *ended(struct stream *s)
{
	s->text = xrealloc(s->text, s->len + 1);
	s->text[s->len] = '\0';
	return s->text;
}

void run_program(struct run_result *out, char *const *argv, unsigned timeout_s)
{
	int o[2], e[2], status = 0;
	struct stream stream[2];
	pid_t pid;
	bool whole;

	*out = (struct run_result){.status = RUN_LATE, .out = xstrdup(""), .err = xstrdup("")};
	if (pipe2(o, O_CLOEXEC) < 0)
		return;
	if (pipe2(e, O_CLOEXEC) < 0) {
		close(o[0]);
		close(o[1]);
		return;
	}
	pid = fork();
	if (pid == 0)
		start(o[1], e[1], argv);
	close(o[1]);
	close(e[1]);
	stream[0] = (struct stream){o[0], NULL, 0, 0, RUN_OUT_MAX};
	stream[1] = (struct stream){e[0], NULL, 0, 0, RUN_ERR_MAX};
	whole = pid > 0 && gather(stream, tick_mono_ms() + (int64_t)timeout_s * 1000);
	if (pid > 0 && !whole)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(o[0]);
	close(e[0]);
	run_result_fini(out);
	*out = (struct run_result){.status = whole && WIFEXITED(status) ? WEXITSTATUS(status) : RUN_LATE,
				   .out = ended(&stream[0]),
				   .out_len = stream[0].len,
				   .err = ended(&stream[1]),
				   .err_len = stream[1].len};
}

void run_result_fini(struct run_result *r)
{
	free(r->out);
	free(r->err);
	memset(r, 0, sizeof(*r));
}
