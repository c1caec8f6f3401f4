/*
 * redis_probe.c - runs mirror, redis and fact_store on an event loop, told what to do by lines on standard input and
 * telling what happens on standard output. Driven by tests/rooms/redis_world.py; no test by itself.
 *
 *   redis_probe ADDRESS [key=value ...]   snapshot= guard= changes= prefix= user= password= database= tls= tls_ca= tls_name=
 * owner= readers= quiet= beat=; master=: ADDRESS is a list of sentinels with commas; blocking=1: only the control tool's
 * connection, tried once
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/tick.h"
#include "base/xalloc.h"
#include "io/redis/fact_store.h"
#include "io/mirror/mirror.h"
#include "io/redis/redis_blocking.h"
#include "io/mirror/snapshot.h"

static struct event_base *base;
static struct conf *conf;
static struct mirror *mirror;
static struct fact_lock *lock;
static atomic_bool stop;
static bool quiet;

static int64_t mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_setting(enum setting_kind kind, const char *name, void *arg)
{
	(void)arg;
	if (!quiet)
		printf("setting %" PRId64 " %" PRId64 " %s %s\n", mono_us(), tick_wall_ms(),
		       names_name(setting_kind_names, (int)kind), name);
}

static void on_all(void *arg)
{
	(void)arg;
	printf("all %" PRId64 " %s\n", mono_us(), names_name(mirror_state_names, (int)mirror_state(mirror)));
}

static void on_fact(int kind, const char *name, void *arg)
{
	(void)arg;
	printf("fact %" PRId64 " %d %s\n", mono_us(), kind, name ? name : "-");
}

static void on_settled(void *arg)
{
	(void)arg;
	printf("settled %" PRId64 "\n", mono_us());
}

/* ---- commands ---- */
static void dump_one(enum setting_kind kind, const char *name, const struct setting *value, void *arg)
{
	struct setting v = *value;
	char text[SNAPSHOT_LINE_SIZE];
	struct sbuf b;

	(void)arg;
	v.ends_at_ms = v.ends_at_ms != 0; /* the exact time differs from reading to reading */
	sbuf_init(&b, text, sizeof(text));
	snapshot_format_line(&b, kind, name, &v);
	printf("= %s", text);
}

static void do_dump(char *rest)
{
	(void)rest;
	settings_each(mirror_read(mirror), dump_one, NULL);
	mirror_done(mirror);
}

static void do_sender(char *rest)
{
	struct sender_setting s;

	settings_sender(mirror_read(mirror), rest, tick_wall_ms(), &s);
	mirror_done(mirror);
	printf("= %s key=%s bad=%d via=%s\n", names_name(mode_names, (int)s.mode), s.mode_key, s.mode_bad, s.via);
}

static void do_dest(char *rest)
{
	struct dest_setting d;
	struct nexthop n;

	nexthop_parse(&n, rest, strlen(rest));
	settings_dest(mirror_read(mirror), &n, tick_wall_ms(), &d);
	mirror_done(mirror);
	printf("= %s match=%s dane=%d sts=%d plaintext=%d\n", names_name(mode_names, (int)d.mode), d.match,
	       d.dane_ignore, d.sts_ignore, d.plaintext_allow);
}

static void do_counts(char *rest)
{
	struct mirror_counts c;
	struct redis *r = mirror_redis(mirror);
	struct redis_about about;

	(void)rest;
	redis_describe(r, &about);
	mirror_counts(mirror, &c);
	printf(
	    "= state=%s settings=%zu held=%zu lost=%d bad=%lu reloads=%lu endless=%zu up=%d reconnects=%lu policy=%s "
	    "behind=%d age_ms=%" PRId64 " behind_ms=%" PRId64 " version=%s address=%s teller=%s error=%s\n",
	    names_name(mirror_state_names, (int)mirror_state(mirror)), c.settings, c.held, c.lost, c.bad_values,
	    c.reloads, c.exceptions_without_end, redis_is_up(r), about.reconnects, about.maxmemory_policy,
	    mirror_is_behind(mirror), c.snapshot_age_ms, c.snapshot_behind_ms, about.version, about.address,
	    about.teller, about.last_error);
}

/* TEXT: an address, or with a master sentinels */
static void set_address(struct conf *c, const char *text)
{
	char *copy = xstrdup(text), *rest = copy, *one;

	c->redis.address = copy;
	c->redis.sentinels = (struct conf_list){0, NULL};
	while (c->redis.master[0] != '\0' && (one = strsep(&rest, ","))) {
		struct conf_list *list = &c->redis.sentinels;

		list->item = xrealloc(list->item, (list->count + 1) * sizeof(char *));
		list->item[list->count++] = one;
	}
}

static void free_address(struct conf *c)
{
	free(c->redis.sentinels.item);
	free(c->redis.address);
}

static void do_reconf(char *rest)
{
	struct conf *next = xmemdup(conf, sizeof(*conf));

	set_address(next, rest);
	mirror_reconf(mirror, next);
	free_address(conf);
	explicit_bzero(conf, sizeof(*conf)); /* whoever still reads the old one shall fall */
	free(conf);
	conf = next;
	printf("= ok\n");
}

static void print_fields(const char *what, const struct text_field *f, size_t count)
{
	printf(" %s=", what);
	for (size_t i = 0; i < count; i++)
		printf("%s%.*s:%.*s", i ? "," : "", (int)f[i].name_len, f[i].name, (int)f[i].value_len, f[i].value);
}

static void on_facts(enum facts_shared how, const struct text_field *sts, size_t sts_count,
		     const struct text_field *dane, size_t dane_count, void *arg)
{
	static const char *const words[] = {"read", "away", "unread"};

	(void)arg;
	printf("facts %s", words[how]);
	print_fields("sts", sts, sts_count);
	print_fields("dane", dane, dane_count);
	printf("\n");
}

static void do_facts(char *rest)
{
	struct nexthop n;

	nexthop_parse(&n, rest, strlen(rest));
	fact_store_read(mirror_redis(mirror), base, &n, on_facts, NULL);
	printf("= asked\n");
}

/* write KIND NAME TTL field value field value ... */
static void do_write(char *rest)
{
	struct text_fields f = {0};
	char *kind = strtok(rest, " "), *name = strtok(NULL, " "), *ttl = strtok(NULL, " "), *field, *value;

	while ((field = strtok(NULL, " ")) && (value = strtok(NULL, " ")))
		f.field[f.count++] = (struct text_field){field, strlen(field), value, strlen(value)};
	if (strcmp(kind, "sts") == 0)
		fact_store_write_sts(mirror_redis(mirror), name, &f, atoll(ttl));
	else
		fact_store_write_dane(mirror_redis(mirror), name, &f, atoll(ttl));
	printf("= sent\n");
}

static void on_lock(bool got, void *arg)
{
	(void)arg;
	printf("lock got=%d\n", got);
}

static void do_lock(char *rest)
{
	lock = fact_store_lock(mirror_redis(mirror), base, rest, 30, on_lock, NULL);
	printf("= asked\n");
}

static void do_release(char *rest)
{
	(void)rest;
	fact_lock_release(&lock);
	printf("= released\n");
}

static void do_quiet(char *rest)
{
	quiet = strcmp(rest, "1") == 0;
	printf("= ok\n");
}

static void on_pause(const struct redis_reply *reply, void *arg)
{
	(void)arg;
	printf("reply %s\n", !reply ? "none" : "some");
}

static void do_busy(char *rest)
{
	redis_set_busy(mirror_redis(mirror), (size_t)atoi(rest));
	printf("= ok\n");
}

static void do_ping(char *rest)
{
	(void)rest;
	redis_command(mirror_redis(mirror), on_pause, NULL, 1, (const char *[]){"PING"}, NULL);
	printf("= asked\n");
}

static const struct {
	const char *name;
	void (*fn)(char *rest);
} commands[] = {
    {"dump", do_dump},       {"sender", do_sender}, {"dest", do_dest},   {"counts", do_counts},
    {"reconf", do_reconf},   {"facts", do_facts},   {"write", do_write}, {"lock", do_lock},
    {"release", do_release}, {"quiet", do_quiet},   {"ping", do_ping},   {"busy", do_busy},
};

static void run_line(char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	if (strcmp(line, "quit") == 0) {
		event_base_loopbreak(base);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, line) == 0)
			commands[i].fn(rest ? rest : line + strlen(line));
	printf(".\n");
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	static char buf[65536];
	static size_t len;
	ssize_t got = read(fd, buf + len, sizeof(buf) - 1 - len);
	char *line = buf, *end;

	(void)what;
	(void)arg;
	if (got <= 0) {
		event_base_loopbreak(base);
		return;
	}
	len += (size_t)got;
	buf[len] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		run_line(line);
		line = end + 1;
	}
	len -= (size_t)(line - buf);
	memmove(buf, line, len);
}

/* The longest time the loop did not come round, for the claim that nothing blocks it. */
static int64_t beat_us, worst_us, beat_cpu_us, worst_cpu_us;

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = mono_us(), cpu = cpu_us();

	(void)fd;
	(void)what;
	(void)arg;
	if (beat_us != 0 && cpu - beat_cpu_us > worst_cpu_us) {
		worst_cpu_us = cpu - beat_cpu_us;
		if (worst_cpu_us > 5000)
			log_debug("event=stall us=%" PRId64, worst_cpu_us);
	}
	beat_cpu_us = cpu;
	if (beat_us != 0 && now - beat_us - 1000 > worst_us)
		worst_us = now - beat_us - 1000;
	beat_us = now;
}

static void *reader(void *arg)
{
	struct sender_setting s;
	unsigned n = 0;
	char name[64];

	(void)arg;
	while (!atomic_load(&stop)) {
		snprintf(name, sizeof(name), "d%u.test", n++ % 1000);
		settings_sender(mirror_read(mirror), name, tick_wall_ms(), &s);
		mirror_done(mirror);
		mirror_state(mirror);
		if (n % 64 == 0)
			usleep(100);
	}
	return NULL;
}

static char *option(int argc, char **argv, const char *name, const char *fallback)
{
	size_t len = strlen(name);

	for (int i = 2; i < argc; i++)
		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			return argv[i] + len + 1;
	return (char *)(uintptr_t)fallback;
}

static void make_conf(int argc, char **argv)
{
	conf = xcalloc(1, sizeof(*conf));
	conf->redis.prefix = option(argc, argv, "prefix", "tlsmode:");
	conf->redis.username = option(argc, argv, "user", "");
	conf->redis.password = option(argc, argv, "password", "");
	conf->redis.database = atoi(option(argc, argv, "database", "0"));
	conf->redis.tls = atoi(option(argc, argv, "tls", "0"));
	conf->redis.tls_ca_file = option(argc, argv, "tls_ca", "");
	conf->redis.tls_name = option(argc, argv, "tls_name", "");
	conf->redis.master = option(argc, argv, "master", "");
	set_address(conf, argv[1]);
	conf->settings.snapshot = option(argc, argv, "snapshot", "");
	conf->settings.max_changes = (size_t)atoi(option(argc, argv, "changes", "100000"));
	conf->settings.guard_percent = (unsigned)atoi(option(argc, argv, "guard", "50"));
}

static int try_blocking(void)
{
	char error[600];
	redisContext *c = redis_blocking_connect(&conf->redis, 2, error, sizeof(error));
	struct redis_reply *reply = c ? redisCommand(c, "HGET tlsmode:sender:a.test mode") : NULL;
	struct redis_text mode = {"nothing", 0};

	if (reply)
		redis_reply_string(reply, &mode);
	printf("blocking %s\n", !c ? error : mode.text);
	if (reply)
		freeReplyObject(reply);
	if (c)
		redisFree(c);
	free_address(conf);
	free(conf);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct mirror_events events = {on_setting, on_all, on_fact, NULL, on_settled};
	const struct timeval beat = {0, 1000};
	struct event *in, *ticker;
	pthread_t thread[8];
	int readers;

	if (argc < 2)
		return 64;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_open("redis_probe", LOG_TO_STDERR, LOG_LVL_DEBUG);
	make_conf(argc, argv);
	if (atoi(option(argc, argv, "blocking", "0")))
		return try_blocking();
	base = event_base_new();
	readers = atoi(option(argc, argv, "readers", "0"));
	quiet = atoi(option(argc, argv, "quiet", "0"));
	mirror = mirror_new(base, conf, option(argc, argv, "owner", NULL), &events, NULL);
	in = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, NULL);
	event_add(in, NULL);
	ticker = event_new(base, -1, EV_PERSIST, on_beat, NULL);
	if (atoi(option(argc, argv, "beat", "0")))
		event_add(ticker, &beat);
	for (int i = 0; i < readers && i < 8; i++)
		pthread_create(&thread[i], NULL, reader, NULL);
	event_base_dispatch(base);
	atomic_store(&stop, true);
	for (int i = 0; i < readers && i < 8; i++)
		pthread_join(thread[i], NULL);
	printf("worst_us %" PRId64 " %" PRId64 "\n", worst_us, worst_cpu_us);
	fact_lock_release(&lock);
	mirror_free(&mirror);
	event_free(in);
	event_free(ticker);
	event_base_free(base);
	free_address(conf);
	free(conf);
	return 0;
}
