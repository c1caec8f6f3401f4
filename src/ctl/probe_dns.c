/*
 * probe_dns.c - does the resolver of Postfix's services validate? (probe.h)
 *
 * Reads resolv.conf(5) as the C library does and asks each server for the root's SOA with AD and DO set (RFC 6840 s5.7,
 * RFC 3225): a validating one answers with AD.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/tick.h"
#include "ctl/probe.h"
#include "io/regular.h"

#define TRIES 3
#define TRY_MS 2000
#define DNS_PORT 53
#define LINE_MAX_SIZE 1024

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void add_server(struct doctor_resolver *r, const char *address)
{
	struct doctor_server *s;

	if (r->servers == DOCTOR_SERVERS_MAX || strlen(address) >= sizeof(s->address))
		return;
	s = &r->server[r->servers++];
	strcpy(s->address, address);
	s->loopback = is_loopback(address);
}

/* line = ("nameserver" address / "options" word...) */
static void take_line(struct doctor_resolver *r, char *line)
{
	char *save, *word = strtok_r(line, " \t\r\n", &save);

	if (!word)
		return;
	if (strcmp(word, "nameserver") == 0) {
		word = strtok_r(NULL, " \t\r\n", &save);
		if (word)
			add_server(r, word);
	} else if (strcmp(word, "options") == 0) {
		while ((word = strtok_r(NULL, " \t\r\n", &save)))
			r->trust_ad = r->trust_ad || strcmp(word, "trust-ad") == 0;
	}
}

static void read_file(struct doctor_resolver *r)
{
	const char *why;
	FILE *file = regular_open(r->file, &why);
	char line[LINE_MAX_SIZE];

	r->missing = !file;
	while (file && fgets(line, sizeof(line), file))
		take_line(r, line);
	if (file)
		fclose(file);
	if (r->servers == 0)
		add_server(r, "127.0.0.1");
}

/* The port is always 53; "fe80::1%eth0" has its interface behind the address. */
static socklen_t address_of(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(DNS_PORT);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(DNS_PORT);
		return sizeof(*v6);
	}
	return 0;
}

/* header, question ". SOA IN", OPT with DO */
static void make_query(unsigned char q[28])
{
	static const unsigned char form[28] = {0, 0, 0x01, 0x20, 0, 1,  0,    0, 0, 0, 0,    1, 0, 0,
					       6, 0, 1,    0,    0, 41, 0x10, 0, 0, 0, 0x80, 0, 0, 0};

	memcpy(q, form, sizeof(form));
	if (getrandom(q, 2, 0) != 2)
		q[0] = (unsigned char)tick_mono_ms();
}

static enum server_state read_answer(const unsigned char *query, const unsigned char *a, ssize_t len)
{
	if (len < 12 || memcmp(a, query, 2) != 0 || (a[2] & 0x80) == 0)
		return SERVER_SILENT;
	if ((a[3] & 0x0f) != 0)
		return SERVER_FAILED;
	return (a[3] & 0x20) != 0 ? SERVER_AD : SERVER_NO_AD;
}

static enum server_state ask_once(int fd)
{
	unsigned char query[28], answer[4096];
	struct pollfd p = {fd, POLLIN, 0};
	int64_t until = tick_mono_ms() + TRY_MS;
	enum server_state state = SERVER_SILENT;

	make_query(query);
	if (send(fd, query, sizeof(query), MSG_NOSIGNAL) != (ssize_t)sizeof(query))
		return SERVER_SILENT;
	while (state == SERVER_SILENT) {
		int64_t left = until - tick_mono_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return SERVER_SILENT;
		n = recv(fd, answer, sizeof(answer), 0);
		if (n < 0)
			return SERVER_SILENT;
		state = read_answer(query, answer, n);
	}
	return state;
}

static void ask_server(struct doctor_server *s)
{
	struct sockaddr_storage address;
	socklen_t len = address_of(s->address, &address);
	int fd = len > 0 ? socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	s->state = SERVER_SILENT;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, len) == 0)
		for (int i = 0; i < TRIES && s->state == SERVER_SILENT; i++)
			s->state = ask_once(fd);
	if (fd >= 0)
		close(fd);
}

void probe_resolvers(struct doctor_facts *f)
{
	char queue[DOCTOR_PATH_SIZE];

	probe_main_value(f, "queue_directory", queue, sizeof(queue));
	snprintf(f->resolver[0].file, sizeof(f->resolver[0].file), "/etc/resolv.conf");
	snprintf(f->resolver[1].file, sizeof(f->resolver[1].file), "%.200s/etc/resolv.conf", queue);
	for (size_t i = 0; i < 2; i++) {
		struct doctor_resolver *r = &f->resolver[i];

		if (!r->wanted)
			continue;
		read_file(r);
		for (size_t j = 0; f->conf.dane && j < r->servers; j++)
			ask_server(&r->server[j]);
	}
}
