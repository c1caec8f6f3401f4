/*
 * ctl.c - what the commands share: errors, Redis, questions to tlsmode-mapd.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "core/netstring.h"
#include "core/rkeys.h"
#include "core/sockmap.h"
#include "io/listen.h"
#include "io/redis/redis_blocking.h"
#include "io/redis/redis_advice.h"

#define REDIS_TIMEOUT_S 5
#define WRONG_SIZE (RKEY_SIZE + REDIS_WHY_SIZE)
#define REPLY_ROOM (SOCKMAP_REPLY_MAX + 16)

int ctl_error(int code, const char *fmt, ...)
{
	va_list ap;

	fputs("tlsmode: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

redisContext *ctl_redis(struct ctl *ctl)
{
	char error[300];

	if (!ctl->redis) {
		ctl->redis = redis_blocking_connect(&ctl->conf->redis, REDIS_TIMEOUT_S, error, sizeof(error));
		if (!ctl->redis)
			ctl_error(EX_TEMPFAIL, "Redis: %s", error);
	}
	return ctl->redis;
}

struct redis_reply *ctl_reply(struct ctl *ctl, int argc, const char **argv)
{
	struct redis_reply *reply;

	if (!ctl_redis(ctl))
		return NULL;
	reply = redisCommandArgv(ctl->redis, argc, argv, NULL);
	if (!reply)
		ctl_error(EX_TEMPFAIL, "Redis: %s: %s", argv[0], ctl->redis->errstr);
	return reply;
}

int ctl_wrong(int argc, const char **argv, const struct redis_reply *reply)
{
	char *command = xasprintf("%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	char why[WRONG_SIZE];

	redis_reply_why(why, sizeof(why), command, reply);
	free(command);
	return ctl_error(EX_TEMPFAIL, "Redis: %s", why);
}

struct redis_reply *ctl_command(struct ctl *ctl, int argc, const char **argv)
{
	struct redis_reply *reply = ctl_reply(ctl, argc, argv);

	if (!reply || !redis_reply_is_error(reply, NULL))
		return reply;
	ctl_wrong(argc, argv, reply);
	freeReplyObject(reply);
	return NULL;
}

bool ctl_count(struct ctl *ctl, int argc, const char **argv, int64_t *out)
{
	struct redis_reply *reply = ctl_command(ctl, argc, argv);
	bool counts = reply && redis_reply_integer(reply, out) && *out >= 0;

	if (reply && !counts)
		ctl_wrong(argc, argv, reply);
	if (reply)
		freeReplyObject(reply);
	return counts;
}

const char *ctl_text(char *out, size_t size, const struct redis_text *t)
{
	return memchr(t->text, '\0', t->len) ? log_quote(out, size, t->text, t->len) : t->text;
}

json_t *ctl_text_json(const struct redis_text *t)
{
	json_t *text = json_stringn(t->text, t->len);

	return text ? text : json_string("(not UTF-8)");
}

static int connect_mapd(struct ctl *ctl)
{
	struct listen_address address;
	char error[300] = "mapd.listen is empty";

	for (size_t i = 0; i < ctl->conf->mapd.listen.count; i++) {
		int fd;

		if (!listen_parse(&address, ctl->conf->mapd.listen.item[i], error, sizeof(error)))
			continue;
		fd = listen_connect(&address, ctl->conf->mapd.deadline_s + 2, error, sizeof(error));
		if (fd >= 0)
			return fd;
	}
	ctl_error(EX_TEMPFAIL, "no answer from tlsmode-mapd: %s", error);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads one netstring into BUF (REPLY_ROOM octets); NULL payload in OUT when none came. */
static bool receive(int fd, char *buf, struct netstring *out)
{
	size_t have = 0;

	for (;;) {
		enum netstring_status status = netstring_next(out, buf, have, SOCKMAP_REPLY_MAX);
		ssize_t n;

		if (status != NETSTRING_MORE)
			return status == NETSTRING_OK;
		n = read(fd, buf + have, REPLY_ROOM - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
}

static int split_reply(const struct netstring *ns, char **text)
{
	static const struct name_code words[] = {
	    {"OK", SOCKMAP_OK},
	    {"NOTFOUND", SOCKMAP_NOTFOUND},
	    {"TEMP", SOCKMAP_TEMP},
	    {NULL, 0},
	};
	const char *space = memchr(ns->payload, ' ', ns->len);
	size_t word_len = space ? (size_t)(space - ns->payload) : ns->len;
	int status = names_code(words, ns->payload, word_len);

	if (space)
		*text = xstrndup(space + 1, ns->len - word_len - 1);
	else
		*text = xstrdup("");
	return status;
}

int ctl_ask(struct ctl *ctl, const char *map, const char *key, char **text)
{
	char *payload = xasprintf("%s %s", map, key);
	char *request = xasprintf("%zu:%s,", strlen(payload), payload);
	char *buf = xmalloc(REPLY_ROOM);
	struct netstring ns;
	int status = -1;
	int fd = connect_mapd(ctl);

	*text = NULL;
	if (fd >= 0 && send_all(fd, request, strlen(request)) && receive(fd, buf, &ns))
		status = split_reply(&ns, text);
	else if (fd >= 0)
		ctl_error(EX_TEMPFAIL, "tlsmode-mapd closed the connection without an answer; its log says why");
	if (fd >= 0)
		close(fd);
	free(payload);
	free(request);
	free(buf);
	return status;
}

void ctl_print_json(json_t *root)
{
	char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);

	puts(text ? text : "null");
	free(text);
	json_decref(root);
}
