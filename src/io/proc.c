/*
 * proc.c - what makes a process a daemon: account, background with a readiness pipe, file limit, versions.
 *
 * Called by the mains of both daemons (and the control tool for -V) before any thread is started.
 */
#include "config.h"

#include "io/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

#define GROUPS_MAX 64

static bool proc_system_error(char *error, size_t size, const char *what, const char *name)
{
	snprintf(error, size, "%s %s: %s", what, name, strerror(errno));
	return false;
}

/* The groups of USER, and GROUP: a socket made after the drop can be given to it. */
static bool set_groups(const struct passwd *pw, const char *group, char *error, size_t size)
{
	gid_t list[GROUPS_MAX + 1];
	int count = GROUPS_MAX;

	if (getgrouplist(pw->pw_name, pw->pw_gid, list, &count) < 0)
		count = GROUPS_MAX;
	if (*group != '\0') {
		struct group *g = getgrnam(group);

		if (!g) {
			snprintf(error, size, "no such group: %s", group);
			return false;
		}
		list[count++] = g->gr_gid;
	}
	return setgroups((size_t)count, list) == 0 ||
	       proc_system_error(error, size, "cannot set the groups of", pw->pw_name);
}

bool proc_drop(const char *user, const char *group, char *error, size_t size)
{
	struct passwd *pw;

	if (*user == '\0' || geteuid() != 0)
		return true;
	pw = getpwnam(user);
	if (!pw) {
		snprintf(error, size, "no such account: %s", user);
		return false;
	}
	if (!set_groups(pw, group, error, size))
		return false;
	if (setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 || setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return proc_system_error(error, size, "cannot become", user);
	return true;
}

static int ready_pipe = -1;

/* In the parent: one octet means ready; the end of the pipe means that the child has ended. */
static void wait_for_child(int fd, pid_t child)
{
	char c;
	ssize_t n;
	int status = 0;

	do
		n = read(fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EX_OK);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EX_OSERR);
}

void proc_background(void)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		log_tell("cannot go into the background", strerror(errno));
		exit(EX_OSERR);
	}
	if (child != 0) {
		close(fds[1]);
		wait_for_child(fds[0], child);
	}
	close(fds[0]);
	ready_pipe = fds[1];
	setsid();
	if (chdir("/") != 0)
		exit(EX_OSERR);
}

/* Standard error stays the starter's until here, so that he sees what went wrong. */
void proc_ready(void)
{
	int null;

	if (ready_pipe < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	/* the parent may have been killed: nobody waits then */
	signal(SIGPIPE, SIG_IGN);
	if (write(ready_pipe, "", 1) < 0)
		errno = 0;
	close(ready_pipe);
	ready_pipe = -1;
}

void proc_print_version(const char *program, proc_library_fn *const *libraries)
{
	char text[1024];
	struct sbuf line;

	sbuf_init(&line, text, sizeof(text));
	for (size_t i = 0; libraries[i]; i++) {
		sbuf_add(&line, i == 0 ? "; " : ", ");
		libraries[i](&line);
	}
	printf("%s %s%s\n", program, PACKAGE_VERSION, text);
}

size_t proc_files(size_t want)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024;
	if (r.rlim_cur != RLIM_INFINITY && r.rlim_cur < want) {
		r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > want ? want : r.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &r) != 0 && getrlimit(RLIMIT_NOFILE, &r) != 0)
			return 1024;
	}
	return r.rlim_cur == RLIM_INFINITY ? want : (size_t)r.rlim_cur;
}
