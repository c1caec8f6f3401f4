/*
 * fuzz_redis_replies.c - what Redis or a sentinel may answer, whatever it is, to each who asks: the mirror with its
 * readings and announcements, facts and locks, early keys, the setting up of a pair, sentinels, and the control tool.
 *
 * The real modules run on a real loop; redis_address_connect() is ours and hands out one end of a socketpair, whose
 * other end is a server that answers rightly but for what the input says. Nothing sleeps: a run is over when nothing
 * moves any more. The first octet says who asks (askers); for those on the loop the rest is pieces with \xff between,
 * each a letter of points[] and the answer to the next command that it stands for (nothing: the right one), '!' what
 * is said to the subscribed, '?' to the other connection. For the tool, which waits for its answers, the rest is its
 * whole conversation: connections with \xff between.
 */
#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "core/doctor/doctor.h"
#include "core/rkeys.h"
#include "ctl/commands.h"
#include "ctl/probe.h"
#include "io/mirror/early_keys.h"
#include "io/redis/fact_store.h"
#include "io/mirror/mirror.h"
#include "io/redis/redis_address.h"
#include "io/redis/redis_blocking.h"

#define PEERS_MAX 64
#define PIECES_MAX 256
#define QUIET_TURNS 8
#define TURNS_MAX 2000
#define END 0xff

static struct event_base *base;
static unsigned moved; /* commands that were read */

/* ---- the input ---- */
static struct piece {
	const uint8_t *at;
	size_t len;
	bool used;
} pieces[PIECES_MAX];
static size_t piece_count;

static void cut(const uint8_t *data, size_t size)
{
	piece_count = 0;
	while (size > 0 && piece_count < PIECES_MAX) {
		const uint8_t *end = memchr(data, END, size);
		size_t len = end ? (size_t)(end - data) : size, step = end ? len + 1 : len;

		pieces[piece_count++] = (struct piece){data, len, false};
		data += step;
		size -= step;
	}
}

static const struct piece *next_piece(char letter)
{
	for (size_t i = 0; i < piece_count; i++)
		if (!pieces[i].used && pieces[i].len > 0 && pieces[i].at[0] == letter) {
			pieces[i].used = true;
			return &pieces[i];
		}
	return NULL;
}

/* ---- the server ---- */
static const struct point {
	const char *command, *word; /* NULL: any second word */
	char letter;
	const char *right;
} points[] = {
    {"AUTH", NULL, 'A', "+OK\r\n"},
    {"CLIENT", "SETNAME", 'N', "+OK\r\n"},
    {"CLIENT", "ID", 'I', ":7\r\n"},
    {"CLIENT", "TRACKING", 'T', "+OK\r\n"},
    {"SUBSCRIBE", NULL, 'S', "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"},
    {"SELECT", NULL, 'D', "+OK\r\n"},
    {"INFO", NULL, 'V', "$45\r\nredis_version:7.0\r\nmaxmemory_policy:allkeys-\r\n\r\n"},
    {"ROLE", NULL, 'R', "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
    {"PING", NULL, 'K', "+PONG\r\n"},
    {"GET", NULL, 'G', "$-1\r\n"},
    {"SCAN", NULL, 'C',
     "*2\r\n$1\r\n0\r\n*4\r\n$16\r\ntlsmode:sender:a\r\n$16\r\ntlsmode:sender:b\r\n$14\r\ntlsmode:rcpt:c\r\n"
     "$16\r\ntlsmode:except:d\r\n"},
    {"HGETALL", NULL, 'H', "*4\r\n$4\r\nmode\r\n$8\r\nenforced\r\n$4\r\nnote\r\n$1\r\nx\r\n"},
    {"PTTL", NULL, 'P', ":-1\r\n"},
    {"EVAL", NULL, 'E', ":1\r\n"},
    {"MULTI", NULL, 'M', "+OK\r\n"},
    {"DEL", NULL, 'Q', "+QUEUED\r\n"},
    {"HSET", NULL, 'Q', "+QUEUED\r\n"},
    {"EXPIRE", NULL, 'Q', "+QUEUED\r\n"},
    {"EXEC", NULL, 'X', "*3\r\n:0\r\n:1\r\n:1\r\n"},
    {"SET", NULL, 'L', "+OK\r\n"},
    {"SENTINEL", NULL, 'Z', "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n"},
};

static struct peer {
	int fd;
	struct event *readable;
	redisReader *reader;
	bool subscribed;
} peers[PEERS_MAX];
static size_t peer_count;

static void say(int fd, const void *bytes, size_t len)
{
	if (send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it has hung up, or does not read */
}

static void reply_to(struct peer *p, const struct redis_text *command, const struct redis_text *word)
{
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		const struct point *t = &points[i];
		const struct piece *piece;

		if (!redis_text_is(command, t->command) || (t->word && !redis_text_is(word, t->word)))
			continue;
		piece = next_piece(t->letter);
		if (piece && piece->len > 1)
			say(p->fd, piece->at + 1, piece->len - 1);
		else
			say(p->fd, t->right, strlen(t->right));
		return;
	}
	must(!"a command that the server does not know");
}

static void take_commands(struct peer *p)
{
	struct redis_text command, word = {"", 0};
	struct redis_list words;
	void *request;

	while (redisReaderGetReply(p->reader, &request) == REDIS_OK && request) {
		must(redis_reply_list(request, &words) && redis_list_next(&words, &command));
		redis_list_next(&words, &word);
		p->subscribed = p->subscribed || redis_text_is(&command, "SUBSCRIBE");
		reply_to(p, &command, &word);
		freeReplyObject(request);
		moved++;
	}
}

static void on_commands(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	if (n <= 0) {
		event_del(p->readable);
		return;
	}
	must(redisReaderFeed(p->reader, buf, (size_t)n) == REDIS_OK);
	take_commands(p);
}

/* The tool's: all answers are there before it asks, and then the end. */
static void speak_beforehand(struct peer *p)
{
	size_t n = (size_t)(p - peers);

	if (n < piece_count)
		say(p->fd, pieces[n].at, pieces[n].len);
	shutdown(p->fd, SHUT_WR);
}

/* In the place of the one in io/redis/redis_address.c. */
redisContext *redis_address_connect(const char *address, const struct timeval *timeout)
{
	struct peer *p = &peers[peer_count];
	redisContext *c;
	int fd[2];

	(void)address;
	if (peer_count == PEERS_MAX)
		return NULL;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0);
	*p = (struct peer){.fd = fd[1]};
	peer_count++;
	c = redisConnectFd(fd[0]);
	must(c);
	c->tcp.host = strdup("127.0.0.1"); /* redisFree() frees it */
	c->tcp.port = 6379;
	if (timeout) {
		speak_beforehand(p);
		return c;
	}
	c->flags &= ~REDIS_BLOCK;
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	p->reader = redisReaderCreate();
	p->readable = event_new(base, p->fd, EV_READ | EV_PERSIST, on_commands, p);
	event_add(p->readable, NULL);
	return c;
}

static void hang_up(void)
{
	while (peer_count > 0) {
		struct peer *p = &peers[--peer_count];

		if (p->readable)
			event_free(p->readable);
		if (p->reader)
			redisReaderFree(p->reader);
		close(p->fd);
	}
}

/* ---- those on the loop ---- */
/* Until nothing has moved for a while. Pauses of 100 ms and more do not end in it. */
static void settle(void)
{
	unsigned before = moved - 1;

	for (int quiet = 0, turns = 0; quiet < QUIET_TURNS && turns < TURNS_MAX; quiet++, turns++) {
		if (moved != before)
			quiet = 0;
		before = moved;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

static void say_unasked(void)
{
	const struct piece *piece;

	for (size_t i = 0; i < peer_count; i++) {
		char letter = '?';

		if (peers[i].subscribed)
			letter = '!';
		if (!(piece = next_piece(letter)))
			continue;
		say(peers[i].fd, piece->at + 1, piece->len - 1);
		settle();
	}
}

static int facts_told, locks_told, keys_told;

static void on_facts(enum facts_shared how, const struct text_field *sts, size_t sts_count,
		     const struct text_field *dane, size_t dane_count, void *arg)
{
	size_t total = 0;

	facts_told++;
	must(how == FACTS_SHARED_READ || (sts_count == 0 && dane_count == 0));
	for (size_t i = 0; i < sts_count; i++)
		total += strlen(sts[i].name) + strlen(sts[i].value) + sts[i].name_len + sts[i].value_len;
	for (size_t i = 0; i < dane_count; i++)
		total += strlen(dane[i].name) + strlen(dane[i].value) + dane[i].name_len + dane[i].value_len;
	must(total < 4 << 18);
	*(struct fact_read **)arg = NULL;
}

static void on_lock(bool got, void *arg)
{
	(void)got;
	(void)arg;
	locks_told++;
}

static void on_keys(struct settings *settings, void *arg)
{
	keys_told++;
	settings_free(&settings);
	*(struct early_keys **)arg = NULL;
}

static void on_setting(enum setting_kind kind, const char *name, void *arg)
{
	(void)arg;
	must(kind < SETTING_KINDS && strlen(name) < SETTING_NAME_SIZE);
}

static void on_all(void *arg)
{
	(void)arg;
}

static void on_fact(int kind, const char *name, void *arg)
{
	(void)arg;
	must(kind == RKEY_OTHER || name);
}

static void ask_for_facts(struct mirror *m)
{
	struct text_fields fields = {.field = {{"fetched_at", 10, "5", 1}}, .count = 1};
	struct redis *r = mirror_redis(m);
	struct fact_read *read;
	struct fact_lock *lock;
	struct nexthop n;

	nexthop_parse(&n, "a.test", 6);
	read = fact_store_read(r, base, &n, on_facts, &read);
	lock = fact_store_lock(r, base, "a.test", 5, on_lock, NULL);
	fact_store_write_sts(r, "a.test", &fields, 60);
	fact_store_write_dane(r, "a.test", &fields, 60);
	settle();
	must(facts_told <= 1 && locks_told <= 1);
	fact_read_abort(&read);
	fact_lock_release(&lock);
	settle();
}

static void ask_for_keys(struct mirror *m)
{
	struct early_keys *keys = mirror_early_keys(m, on_keys, &keys);

	early_keys_want(SETTING_SENDER, "a", keys);
	early_keys_want(SETTING_EXCEPT, "d", keys);
	settle();
	must(keys_told <= 1);
	early_keys_abort(&keys);
}

static void run_mirror(const struct conf *conf)
{
	static const struct mirror_events events = {on_setting, on_all, on_fact, on_all, on_all};
	struct mirror *m;

	base = event_base_new();
	must(base);
	facts_told = locks_told = keys_told = 0;
	m = mirror_new(base, conf, NULL, &events, NULL);
	settle();
	say_unasked();
	ask_for_facts(m);
	ask_for_keys(m);
	say_unasked();
	settings_count(mirror_read(m));
	mirror_done(m);
	mirror_free(&m);
	hang_up();
	event_base_free(base);
	base = NULL;
}

/* ---- the tool ---- */
static void run_command(const struct conf *conf, int (*command)(struct ctl *ctl, int argc, char **args), int argc,
			bool json, enum setting_kind kind)
{
	char name[] = "a.test", mode[] = "enforced", *args[] = {name, mode};
	struct ctl ctl = {.kind = kind, .json = json, .ttl_ms = argc == 2 ? 60000 : 0};
	int code;

	ctl.conf = (struct conf *)(uintptr_t)conf;
	code = command(&ctl, argc, args);
	must(code == EX_OK || code == EX_NOTFOUND || code == EX_TEMPFAIL);
	if (ctl.redis)
		redisFree(ctl.redis);
}

static void run_doctor(const struct conf *conf)
{
	struct doctor_facts *f = calloc(1, sizeof(*f));

	must(f);
	probe_settings(f, conf);
	must(f->redis.known == (f->redis.why[0] == '\0'));
	doctor_facts_fini(f);
	free(f);
}

static void run_sentinel(const struct conf *conf)
{
	char address[SENTINEL_ADDRESS_SIZE], error[400] = "";
	bool ok = redis_blocking_ask_sentinel(&conf->redis, "10.0.0.1:26379", address, error, sizeof(error));

	must(ok == (address[0] != '\0') && ok == (error[0] == '\0'));
}

static const struct reply_asker {
	char letter;
	bool sentinels, password;
	void (*run)(const struct conf *conf);
	int (*command)(struct ctl *ctl, int argc, char **args);
	int argc;
	bool json;
	enum setting_kind kind;
} askers[] = {
    {.letter = 'm', .password = true, .run = run_mirror},
    {.letter = 's', .sentinels = true, .run = run_mirror},
    {.letter = 'S', .sentinels = true, .password = true, .run = run_mirror},
    {.letter = 'l', .command = cmd_domain_list},
    {.letter = 'L', .command = cmd_domain_list, .json = true, .kind = SETTING_EXCEPT},
    {.letter = 'g', .command = cmd_domain_get, .argc = 1},
    {.letter = 'G', .command = cmd_domain_get, .argc = 1, .json = true, .sentinels = true, .password = true},
    {.letter = 'w', .command = cmd_domain_set, .argc = 2},
    {.letter = 'u', .command = cmd_domain_unset, .argc = 1},
    {.letter = 'c', .command = cmd_cache_show, .argc = 1},
    {.letter = 'C', .command = cmd_cache_show, .argc = 1, .json = true},
    {.letter = 'f', .command = cmd_cache_forget, .argc = 1},
    {.letter = 'r', .command = cmd_cache_refresh, .argc = 1},
    {.letter = 'a', .command = cmd_settings_accept},
    {.letter = 'd', .run = run_doctor},
    {.letter = 'D', .run = run_doctor, .sentinels = true},
    {.letter = 'b', .run = run_sentinel, .sentinels = true, .password = true},
};

static void ask(const struct reply_asker *a)
{
	static char first[] = "10.0.0.1:26379", second[] = "10.0.0.2:26379", none[] = "",
		    prefix[] = "tlsmode:", secret[] = "x", master[] = "m", address[] = "127.0.0.1:6379";
	char *sentinels[] = {first, second};
	struct conf conf = {
	    .redis = {.address = address,
		      .prefix = prefix,
		      .username = none,
		      .password = a->password ? secret : none,
		      .database = a->password ? 1 : 0,
		      .master = a->sentinels ? master : none,
		      .sentinels = {a->sentinels ? 2 : 0, sentinels}},
	    .settings = {.snapshot = none, .guard_percent = 50, .max_changes = 8},
	};

	if (a->command)
		run_command(&conf, a->command, a->argc, a->json, a->kind);
	else
		a->run(&conf);
	hang_up();
}

/* An array of a hundred thousand and more: hiredis takes the room for it before the first one has come, and 16 GB are
 * no finding about who opens it. */
static bool has_huge_count(const uint8_t *data, size_t size)
{
	for (size_t i = 0, digits = 0; i < size; i++) {
		bool counts = data[i] >= '0' && data[i] <= '9' && (digits > 0 || (i > 0 && data[i - 1] == '*'));

		digits = counts ? digits + 1 : 0;
		if (digits > 5)
			return true;
	}
	return false;
}

static void no_log(enum log_level level, const char *line)
{
	(void)level;
	must(!strchr(line, '\n') || strchr(line, '\n')[1] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	FILE *out = stdout, *err = stderr;
	const struct reply_asker *a = NULL;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < sizeof(askers) / sizeof(askers[0]); i++)
		if (data[0] == askers[i].letter)
			a = &askers[i];
	if (!a || has_huge_count(data, size))
		return -1; /* no input of ours: libFuzzer keeps it out of the corpus */
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	must(nowhere);
	log_open("fuzz", LOG_TO_STDERR, LOG_LVL_DEBUG);
	log_capture(no_log);
	cut(data + 1, size - 1);
	fflush(stdout);
	stdout = stderr = nowhere; /* the tool prints what it finds */
	ask(a);
	stdout = out;
	stderr = err;
	log_capture(NULL);
	return 0;
}
