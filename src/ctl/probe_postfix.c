/*
 * probe_postfix.c - Postfix's configuration by postconf(1), and what the postfix user sees (probe.h).
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/probe.h"
#include "ctl/run_program.h"

#define POSTCONF_S 30

typedef void take_fn(struct postconf *p, const char *text, size_t len);

/* "postconf: warning: FILE: unused parameter: NAME=VALUE" */
static void take_warnings(struct doctor_facts *f, char *text)
{
	static const char mark[] = "unused parameter: ";
	char *save;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = strstr(line, mark);

		if (!name)
			continue;
		name += sizeof(mark) - 1;
		name[strcspn(name, "=")] = '\0';
		/* a service for newer versions, too, may have these */
		if (strcmp(name, "tls_required_enable") != 0 && strcmp(name, "smtp_tls_enforce_sts_mx_patterns") != 0 &&
		    !strstr(f->unused.text, name))
			doctor_names_add(&f->unused, name);
	}
}

/* Runs postconf with OPTION (NULL none) and gives what it prints to TAKE. */
static bool run_postconf(struct doctor_facts *f, struct postconf *p, const char *option, take_fn *take, int *code)
{
	char *argv[5] = {xstrdup("postconf")};
	struct run_result r;
	int n = 1;

	if (f->config_dir) {
		argv[n++] = xstrdup("-c");
		argv[n++] = xstrdup(f->config_dir);
	}
	if (option)
		argv[n++] = xstrdup(option);
	run_program(&r, argv, POSTCONF_S);
	if (r.status == 0) {
		take(p, r.out, r.out_len);
		take_warnings(f, r.err);
	} else if (r.status == RUN_NOT_FOUND)
		*code = ctl_error(EX_OSERR, "postconf cannot be run: is Postfix installed?");
	else if (r.status == RUN_LATE)
		*code = ctl_error(EX_OSERR, "postconf did not end");
	else
		*code = ctl_error(EX_CONFIG, "%.*s", (int)strcspn(r.err, "\n"), r.err);
	while (n > 0)
		free(argv[--n]);
	n = r.status;
	run_result_fini(&r);
	return n == 0;
}

bool probe_postfix(struct doctor_facts *f, struct postconf *p, int *code)
{
	char version[64];

	if (!run_postconf(f, p, NULL, postconf_take_main, code) ||
	    !run_postconf(f, p, "-M", postconf_take_services, code) ||
	    !run_postconf(f, p, "-P", postconf_take_overrides, code))
		return false;
	f->postfix = p;
	f->as_root = geteuid() == 0;
	postfix_version_parse(&f->version, probe_main_value(f, "mail_version", version, sizeof(version)));
	return true;
}

const char *probe_main_value(const struct doctor_facts *f, const char *parameter, char *out, size_t size)
{
	struct sbuf b;

	sbuf_init(&b, out, size);
	postconf_value(f->postfix, NULL, parameter, &b);
	return out;
}

/* Becomes what master(8) makes of a service: the groups before the chroot, the id after it. */
static bool become(const char *owner, const char *queue, bool chrooted)
{
	const struct passwd *account = getpwnam(owner);

	if (!account || chdir(queue) < 0)
		return false;
	if (setgid(account->pw_gid) < 0 || initgroups(owner, account->pw_gid) < 0)
		return false;
	if (chrooted && (chroot(queue) < 0 || chdir("/") < 0))
		return false;
	return setuid(account->pw_uid) == 0;
}

static bool read_all(int fd, void *out, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, (char *)out + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

bool probe_as_postfix(const struct doctor_facts *f, bool chrooted, void (*fn)(const void *arg, void *out),
		      const void *arg, void *out, size_t size, char *why, size_t why_size)
{
	char owner[64], queue[DOCTOR_PATH_SIZE];
	int fd[2];
	pid_t pid;
	bool ok;

	if (!f->as_root) {
		snprintf(why, why_size, "this takes root's rights");
		return false;
	}
	probe_main_value(f, "mail_owner", owner, sizeof(owner));
	probe_main_value(f, "queue_directory", queue, sizeof(queue));
	if (pipe(fd) < 0 || (pid = fork()) < 0) {
		snprintf(why, why_size, "%s", strerror(errno));
		return false;
	}
	if (pid == 0) {
		if (!become(owner, queue, chrooted))
			_exit(EX_OSERR);
		fn(arg, out);
		_exit(write(fd[1], out, size) == (ssize_t)size ? 0 : EX_OSERR);
	}
	close(fd[1]);
	ok = read_all(fd[0], out, size);
	close(fd[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!ok)
		snprintf(why, why_size, "the account \"%s\" or the directory %s is not usable", owner, queue);
	return ok;
}
