/*
 * test_listen.c - listening sockets: stale ones replaced, live ones and files never, mode and group, ports in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/listen.h"

static char dir[] = "/tmp/tlsmode-listen-XXXXXX";
static char path[64], text[80];
static char error[500];

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(text, sizeof(text), "unix:%s", path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static const struct {
	const char *text;
	bool ok, local;
	int family;
} forms[] = {
    {"unix:/a", true, true, AF_UNIX},
    {"inet:127.0.0.1:1", true, false, AF_INET},
    {"inet:0.0.0.0:65535", true, false, AF_INET},
    {"inet:[::1]:8461", true, false, AF_INET6},
    {"inet:[::]:8461", true, false, AF_INET6},
    {"", false, false, 0},
    {"unix:", false, false, 0},
    {"unix:a", false, false, 0},
    {"inet:", false, false, 0},
    {"inet::1", false, false, 0},
    {"inet:127.0.0.1", false, false, 0},
    {"inet:127.0.0.1:", false, false, 0},
    {"inet:127.0.0.1:0", false, false, 0},
    {"inet:127.0.0.1:65536", false, false, 0},
    {"inet:127.0.0.1: 1", false, false, 0},
    {"inet:127.0.0.1:+1", false, false, 0},
    {"inet:127.1:1", false, false, 0},
    {"inet:::1:1", false, false, 0},
    {"inet:[]:1", false, false, 0},
    {"inet:[127.0.0.1]:1", false, false, 0},
    {"inet:localhost:1", false, false, 0},
    {"tcp:127.0.0.1:1", false, false, 0},
    {"/a", false, false, 0},
};

static void test_forms(void **state)
{
	struct listen_address a;
	char long_path[200];

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (listen_parse(&a, forms[i].text, error, sizeof(error)) != forms[i].ok)
			fail_msg("<%s>: %s", forms[i].text, error);
		if (!forms[i].ok)
			continue;
		assert_int_equal(a.addr.ss_family, forms[i].family);
		assert_int_equal(a.local, forms[i].local);
		assert_string_equal(a.text, forms[i].text);
	}
	memset(long_path, 'a', sizeof(long_path));
	memcpy(long_path, "unix:/", 6);
	long_path[5 + LISTEN_PATH_MAX] = '\0';
	assert_true(listen_parse(&a, long_path, error, sizeof(error)));
	long_path[5 + LISTEN_PATH_MAX] = 'a';
	long_path[6 + LISTEN_PATH_MAX] = '\0';
	assert_false(listen_parse(&a, long_path, error, sizeof(error)));
	assert_non_null(strstr(error, "too long"));
}

static int open_or_fail(mode_t mode, const char *group)
{
	struct listen_address a;
	int fd;

	assert_true(listen_parse(&a, text, error, sizeof(error)));
	fd = listen_open(&a, mode, group, error, sizeof(error));
	if (fd < 0)
		fail_msg("%s", error);
	return fd;
}

static void refused(const char *holds)
{
	struct listen_address a;

	assert_true(listen_parse(&a, text, error, sizeof(error)));
	assert_int_equal(listen_open(&a, 0600, "", error, sizeof(error)), -1);
	if (!strstr(error, holds))
		fail_msg("<%s> lacks <%s>", error, holds);
	assert_false(listen_prepare(&a, error, sizeof(error)));
}

static void test_unix(void **state)
{
	struct listen_address a;
	struct stat st;
	mode_t mask = umask(022), after;
	int fd = open_or_fail(0660, ""), client;

	(void)state;
	after = umask(mask);
	assert_int_equal(after, 022); /* left as it was */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	refused("another process listens there already"); /* a live one */
	assert_int_equal(stat(path, &st), 0);
	assert_true(listen_parse(&a, text, error, sizeof(error)));
	client = listen_connect(&a, 2, error, sizeof(error));
	assert_true(client >= 0);
	close(client);
	close(fd);
	assert_int_equal(listen_connect(&a, 2, error, sizeof(error)), -1);
	assert_non_null(strstr(error, "refused"));
	fd = open_or_fail(0600, ""); /* a stale one */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	unlink(path);
}

static void test_file(void **state)
{
	struct stat st;

	(void)state;
	close(open(path, O_CREAT | O_WRONLY, 0600));
	refused("is not a socket");
	assert_int_equal(stat(path, &st), 0);
	unlink(path);
	assert_int_equal(symlink("/nowhere/else", path), 0);
	refused("is not a socket");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("is not a socket");
	rmdir(path);
}

static void test_group(void **state)
{
	struct listen_address a;
	struct stat st;
	int fd;

	(void)state;
	assert_true(listen_parse(&a, text, error, sizeof(error)));
	assert_int_equal(listen_open(&a, 0600, "no-such-group", error, sizeof(error)), -1);
	assert_non_null(strstr(error, "no such group: no-such-group"));
	assert_int_equal(stat(path, &st), -1); /* nothing is left behind */
	if (geteuid() != 0)
		return;
	fd = open_or_fail(0660, "daemon");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_gid, 1);
	assert_int_equal(st.st_mode & 07777, 0660);
	close(fd);
	unlink(path);
}

/* A symbolic link put in the socket's place: what it names keeps its mode and group. */
static void test_swapped(void **state)
{
	struct listen_address a;
	struct stat st;
	char other[80];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink(other, path), 0);
	assert_true(listen_parse(&a, text, error, sizeof(error)));
	assert_false(listen_permit(&a, 0666, geteuid() == 0 ? "daemon" : "", error, sizeof(error)));
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_gid, getegid());
	unlink(path);
	unlink(other);
}

static void test_no_directory(void **state)
{
	struct listen_address a;

	(void)state;
	assert_true(listen_parse(&a, "unix:/nowhere/at/all", error, sizeof(error)));
	assert_int_equal(listen_open(&a, 0600, "", error, sizeof(error)), -1);
	assert_string_equal(error, "unix:/nowhere/at/all: cannot listen: No such file or directory");
}

static void test_port(void **state)
{
	struct listen_address a;
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	char inet[64];
	int fd = socket(AF_INET, SOCK_STREAM, 0), client;

	(void)state;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(inet, sizeof(inet), "inet:127.0.0.1:%d", ntohs(sin.sin_port));
	assert_true(listen_parse(&a, inet, error, sizeof(error)));
	assert_int_equal(listen_open(&a, 0600, "", error, sizeof(error)), -1);
	assert_non_null(strstr(error, "another process listens there already"));
	assert_false(listen_prepare(&a, error, sizeof(error)));
	close(fd);
	assert_true(listen_prepare(&a, error, sizeof(error)));
	fd = listen_open(&a, 0600, "", error, sizeof(error));
	assert_true(fd >= 0);
	client = listen_connect(&a, 2, error, sizeof(error));
	assert_true(client >= 0);
	close(client);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_forms), cmocka_unit_test(test_unix),         cmocka_unit_test(test_file),
	    cmocka_unit_test(test_group), cmocka_unit_test(test_no_directory), cmocka_unit_test(test_swapped),
	    cmocka_unit_test(test_port),
	};

	return cmocka_run_group_tests_name("listen", tests, make_dir, remove_dir);
}
