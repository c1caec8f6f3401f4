/*
 * https_probe.c - fetches policies through src/io/https/https_curl.h as its standard input says, for tests/io/https/test_https.py.
 *
 *     https_probe -c CA_FILE [-p PORT] [-l LIMIT_S] [-P]          (-P: private addresses are allowed)
 * Lines: "fetch HOST ADDRESS..." · "abort HOST ADDRESS..." (fetches and aborts at once) · "cancel HOST" (aborts a fetch
 * under way) · "public ADDRESS" · "cpu" · "free" (with all that is under way) ; end of input: ends when all have ended.
 * A line per result: HOST ok LEN ms=N "BODY"      HOST fetch-failed ms=N "WHY"      HOST webpki ms=N "WHY" Exit 78 with
 * one sentence when https_new() refuses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "core/domain.h"
#include "io/https/https_curl.h"

#define WORDS_MAX 12
#define FETCHES_MAX 4096

struct https_probe_question {
	char host[DOMAIN_SIZE];
	int64_t at;
	struct https_fetch *fetch;
};

static struct https_probe {
	struct event_base *base;
	struct event *input;
	struct https *https;
	bool inside, ended;
	char line[65536];
	size_t len;
	struct https_probe_question *questions[FETCHES_MAX]; /* under way */
} probe;

static void forget(struct https_probe_question *q)
{
	for (size_t i = 0; i < FETCHES_MAX; i++)
		if (probe.questions[i] == q)
			probe.questions[i] = NULL;
	free(q);
}

static void print_text(const char *text, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len && i < 200; i++)
		if (text[i] == '\n')
			fputs("\\n", stdout);
		else if (text[i] >= ' ' && text[i] <= '~')
			putchar(text[i]);
	puts("\"");
	fflush(stdout);
}

static void end_when_idle(void)
{
	if (probe.ended && (!probe.https || https_pending(probe.https) == 0))
		event_base_loopexit(probe.base, NULL);
}

static void on_result(const struct policy_result *r, void *arg)
{
	static const char *const names[] = {"ok", "fetch-failed", "webpki", "invalid"};
	struct https_probe_question *q = arg;
	long long ms = (long long)(tick_mono_ms() - q->at);

	if (probe.inside) {
		fprintf(stderr, "result from inside https_fetch()\n");
		abort();
	}
	if (r->failure == FETCH_OK)
		printf("%s ok %zu ms=%lld ", q->host, r->len, ms);
	else
		printf("%s %s ms=%lld ", q->host, names[r->failure], ms);
	if (r->failure == FETCH_OK)
		print_text(r->body, r->len);
	else
		print_text(r->why, strlen(r->why));
	forget(q);
	end_when_idle();
}

static struct https_probe_question *fetch(char **word, size_t count)
{
	struct https_probe_question *q = xcalloc(1, sizeof(*q));

	snprintf(q->host, sizeof(q->host), "%s", word[0]);
	q->at = tick_mono_ms();
	for (size_t i = 0; i < FETCHES_MAX; i++) {
		if (probe.questions[i])
			continue;
		probe.questions[i] = q;
		break;
	}
	probe.inside = true;
	q->fetch = https_fetch(probe.https, word[0], (const char *const *)(word + 1), count - 1, on_result, q);
	probe.inside = false;
	return q;
}

static void cancel(struct https_probe_question *q)
{
	https_abort(&q->fetch);
	printf("%s aborted pending=%zu\n", q->host, https_pending(probe.https));
	fflush(stdout);
	forget(q);
}

static void cancel_host(const char *host)
{
	for (size_t i = 0; i < FETCHES_MAX; i++)
		if (probe.questions[i] && strcmp(probe.questions[i]->host, host) == 0) {
			cancel(probe.questions[i]);
			return;
		}
}

static void free_all(void)
{
	https_free(&probe.https);
	for (size_t i = 0; i < FETCHES_MAX; i++)
		free(probe.questions[i]);
	memset(probe.questions, 0, sizeof(probe.questions));
	puts("freed");
	probe.ended = true;
}

static void take_line(char *line)
{
	char *word[WORDS_MAX], *save = NULL;
	size_t count = 0;

	for (char *w = strtok_r(line, " ", &save); w && count < WORDS_MAX; w = strtok_r(NULL, " ", &save))
		word[count++] = w;
	if (count == 0)
		return;
	if (strcmp(word[0], "fetch") == 0)
		fetch(word + 1, count - 1);
	else if (strcmp(word[0], "abort") == 0)
		cancel(fetch(word + 1, count - 1));
	else if (strcmp(word[0], "cancel") == 0)
		cancel_host(word[1]);
	else if (strcmp(word[0], "public") == 0)
		printf("%s %s\n", word[1], https_address_public(word[1]) ? "public" : "special");
	else if (strcmp(word[0], "cpu") == 0)
		printf("cpu ms=%.3f\n", (double)clock() * 1000 / CLOCKS_PER_SEC);
	else
		free_all();
	fflush(stdout);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n = read(fd, probe.line + probe.len, sizeof(probe.line) - probe.len - 1);
	char *start = probe.line, *newline;

	(void)what;
	(void)arg;
	if (n <= 0) {
		probe.ended = true;
		event_del(probe.input);
	} else {
		probe.len += (size_t)n;
	}
	probe.line[probe.len] = '\0';
	while (probe.https && (newline = strchr(start, '\n'))) {
		*newline = '\0';
		take_line(start);
		start = newline + 1;
	}
	probe.len -= (size_t)(start - probe.line);
	memmove(probe.line, start, probe.len + 1);
	end_when_idle();
}

int main(int argc, char **argv)
{
	char nothing[] = "";
	struct conf_sts conf = {.ca_file = nothing, .timeout_s = 5, .max_fetches = 200};
	unsigned limit_s = HTTPS_LIMIT_S;
	uint16_t port = 443;
	char error[512];
	int opt;

	while ((opt = getopt(argc, argv, "c:p:l:P")) != -1) {
		switch (opt) {
		case 'c':
			conf.ca_file = optarg;
			break;
		case 'p':
			port = (uint16_t)atoi(optarg);
			break;
		case 'l':
			limit_s = (unsigned)atoi(optarg);
			break;
		case 'P':
			conf.allow_private = true;
			break;
		default:
			return 2;
		}
	}
	probe.base = event_base_new();
	probe.https = https_new(probe.base, &conf, error, sizeof(error));
	if (!probe.https) {
		printf("%s\n", error);
		event_base_free(probe.base);
		return 78;
	}
	https_tune(probe.https, port, limit_s);
	probe.input = event_new(probe.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);
	event_add(probe.input, NULL);
	event_base_dispatch(probe.base);
	https_free(&probe.https);
	event_free(probe.input);
	event_base_free(probe.base);
	return 0;
}
