/*
 * test_proc.c - dropping to an account, going into the background, the file limit. Each in a child: none can be taken
 * back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "io/proc.h"

/* The exit status of FN in a child, or -1. */
static int in_child(int (*fn)(void))
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(fn());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* 0, or the number of what is not so */
static int drop_to_nobody(void)
{
	char error[200];
	uid_t r, e, s;
	gid_t groups[64];
	int count, has_daemon = 0, has_root = 0;
	struct passwd *pw = getpwnam("nobody");

	if (!proc_drop("nobody", "daemon", error, sizeof(error)))
		return 1;
	if (getresuid(&r, &e, &s) != 0 || r != pw->pw_uid || e != pw->pw_uid || s != pw->pw_uid)
		return 2;
	if (getresgid(&r, &e, &s) != 0 || r != pw->pw_gid || e != pw->pw_gid || s != pw->pw_gid)
		return 3;
	count = getgroups(64, groups);
	for (int i = 0; i < count; i++) {
		has_daemon |= groups[i] == getgrnam("daemon")->gr_gid;
		has_root |= groups[i] == 0;
	}
	if (!has_daemon || has_root)
		return 4;
	if (setuid(0) == 0 || setgid(0) == 0)
		return 5;
	/* not root any more: nothing to do, and no error */
	return proc_drop("no-such-user", "", error, sizeof(error)) ? 0 : 6;
}

static void test_drop(void **state)
{
	char error[200];

	(void)state;
	assert_true(proc_drop("", "", error, sizeof(error))); /* stays who it is */
	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(drop_to_nobody), 0);
	assert_false(proc_drop("no-such-user", "", error, sizeof(error)));
	assert_string_equal(error, "no such account: no-such-user");
	assert_false(proc_drop("nobody", "no-such-group", error, sizeof(error)));
	assert_string_equal(error, "no such group: no-such-group");
	assert_int_equal(geteuid(), 0);
}

static int become_ready(void)
{
	proc_background();
	proc_ready();
	_exit(3); /* after it said ready: nobody asks */
}

static int fail_to_start(void)
{
	proc_background();
	_exit(EX_CONFIG);
}

static int end_without_a_word(void)
{
	proc_background();
	_exit(0);
}

static int die_of_a_signal(void)
{
	proc_background();
	kill(getpid(), 9);
	_exit(0);
}

static int ready_in_front(void)
{
	proc_ready();
	return fileno(stderr) == 2 && write(2, "", 0) == 0 ? 0 : 1;
}

static void test_background(void **state)
{
	(void)state;
	assert_int_equal(in_child(become_ready), EX_OK);
	assert_int_equal(in_child(fail_to_start), EX_CONFIG);
	assert_int_equal(in_child(end_without_a_word), EX_OSERR);
	assert_int_equal(in_child(die_of_a_signal), EX_OSERR);
	assert_int_equal(in_child(ready_in_front), 0);
}

static int raise_files(void)
{
	struct rlimit r = {.rlim_cur = 64, .rlim_max = 256};

	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1;
	if (proc_files(32) != 64 || proc_files(128) != 128)
		return 2;
	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur != 128)
		return 3;
	if (geteuid() == 0)
		return 0;
	return proc_files(100000) == 256 ? 0 : 4;
}

static void test_files(void **state)
{
	(void)state;
	assert_int_equal(in_child(raise_files), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_drop),
	    cmocka_unit_test(test_background),
	    cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
