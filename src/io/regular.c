/*
 * regular.c - see regular.h.
 */
#include "io/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *irregular(const struct stat *st)
{
	errno = S_ISDIR(st->st_mode) ? EISDIR : EINVAL;
	return errno == EISDIR ? strerror(EISDIR) : "not a regular file";
}

FILE *regular_open(const char *path, const char **why)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	FILE *f = NULL;

	if (fd < 0 || fstat(fd, &st) != 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = irregular(&st);
	else if (!(f = fdopen(fd, "r")))
		*why = strerror(errno);
	if (!f && fd >= 0) {
		int err = errno;

		close(fd);
		errno = err;
	}
	return f;
}
