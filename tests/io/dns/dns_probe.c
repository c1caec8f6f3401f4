/*
 * dns_probe.c - asks src/io/dns/dns_ub.h what its standard input says, for tests/io/dns/test_dns.py.
 *
 *     dns_probe [-f FORWARDER]... [-r ROOT_HINTS] [-a TRUST_ANCHOR] [-t TIMEOUT_S] [-j THREADS] [-b]
 * -b: the blocking form. Lines: "TYPE NAME [ABOUT]" asks (without ABOUT: about NAME); "abort TYPE NAME" asks and aborts
 * at once; "free" frees the context with all that is on its way and ends; end of input: ends when all is answered. A
 * line per answer, in order of arrival: TYPE NAME STATUS secure|insecure ttl=N canon=NAME count=N ms=N why="..."
 * data=HEX,HEX Exit 78 with one sentence when dns_new() refuses the options.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/tick.h"
#include "base/xalloc.h"
#include "io/dns/dns_ub.h"

static struct dns_probe {
	struct event_base *base;
	struct event *input;
	struct dns *dns;
	bool blocking, inside, ended;
	char line[8192];
	size_t len;
} probe;

struct dns_probe_question {
	TAILQ_ENTRY(dns_probe_question) link;
	char type[8];
	char name[DOMAIN_SIZE];
	int64_t at;
};

static TAILQ_HEAD(, dns_probe_question) questions = TAILQ_HEAD_INITIALIZER(questions);

static void forget(struct dns_probe_question *q)
{
	TAILQ_REMOVE(&questions, q, link);
	free(q);
}

static void print_data(const struct rr_answer *a)
{
	for (size_t i = 0; i < a->count && i < 3; i++) {
		fputs(i == 0 ? " data=" : ",", stdout);
		for (size_t k = 0; k < a->rdata[i].len; k++)
			printf("%02x", a->rdata[i].bytes[k]);
	}
}

static void on_answer(const struct rr_answer *a, void *arg)
{
	struct dns_probe_question *q = arg;

	if (probe.inside && !probe.blocking) {
		fprintf(stderr, "answered from inside dns_ask()\n");
		abort();
	}
	printf("%s %s %s %s ttl=%u canon=%s count=%zu ms=%lld why=\"%s\"", q->type, q->name,
	       names_name(rr_status_names, (int)a->status), a->secure ? "secure" : "insecure", a->ttl, a->canon,
	       a->count, (long long)(tick_mono_ms() - q->at), !a->why ? "" : a->why);
	print_data(a);
	putchar('\n');
	fflush(stdout);
	forget(q);
}

static void on_aborted(const struct rr_answer *a, void *arg)
{
	(void)a;
	(void)arg;
	fprintf(stderr, "answered after dns_abort()\n");
	abort();
}

static void end_when_idle(void)
{
	if (probe.ended && (!probe.dns || dns_pending(probe.dns) == 0))
		event_base_loopexit(probe.base, NULL);
}

static void on_answer_async(const struct rr_answer *a, void *arg)
{
	on_answer(a, arg);
	end_when_idle();
}

static void ask(char *type, const char *name, const char *about)
{
	struct dns_probe_question *q = xcalloc(1, sizeof(*q));
	int code = names_code(rr_type_names, type, strlen(type));

	TAILQ_INSERT_TAIL(&questions, q, link);
	snprintf(q->type, sizeof(q->type), "%s", type);
	snprintf(q->name, sizeof(q->name), "%s", name);
	q->at = tick_mono_ms();
	if (code < 0) {
		fprintf(stderr, "no such type: %s\n", type);
		exit(2);
	}
	probe.inside = true;
	if (probe.blocking)
		dns_ask_blocking(probe.dns, name, (enum rr_type)code, on_answer, q);
	else
		dns_ask(probe.dns, about, name, (enum rr_type)code, on_answer_async, q);
	probe.inside = false;
}

static void ask_and_abort(char *type, const char *name, const char *about)
{
	struct dns_query *q = dns_ask(probe.dns, about, name,
				      (enum rr_type)names_code(rr_type_names, type, strlen(type)), on_aborted, NULL);

	dns_abort(&q);
	printf("aborted %s %s pending=%zu\n", type, name, dns_pending(probe.dns));
	fflush(stdout);
}

static void take_line(char *line)
{
	char *save = NULL;
	char *word = strtok_r(line, " ", &save);
	const char *name, *about;
	bool aborts = word && strcmp(word, "abort") == 0;

	if (!word)
		return;
	if (strcmp(word, "free") == 0) {
		dns_free(&probe.dns);
		while (!TAILQ_EMPTY(&questions)) /* silence: they are ours again */
			forget(TAILQ_FIRST(&questions));
		printf("freed\n");
		fflush(stdout);
		probe.ended = true;
		return;
	}
	if (aborts)
		word = strtok_r(NULL, " ", &save);
	name = strtok_r(NULL, " ", &save);
	about = strtok_r(NULL, " ", &save);
	(aborts ? ask_and_abort : ask)(word, name, !about ? name : about);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n = read(fd, probe.line + probe.len, sizeof(probe.line) - probe.len - 1);
	char *newline;

	(void)what;
	(void)arg;
	if (n <= 0) {
		probe.ended = true;
		event_del(probe.input);
	} else {
		probe.len += (size_t)n;
	}
	probe.line[probe.len] = '\0';
	while (!probe.ended && (newline = strchr(probe.line, '\n'))) {
		*newline = '\0';
		take_line(probe.line);
		probe.len -= (size_t)(newline + 1 - probe.line);
		memmove(probe.line, newline + 1, probe.len + 1);
	}
	end_when_idle();
}

static void add(struct conf_list *l, char *item)
{
	l->item = xrealloc(l->item, (l->count + 1) * sizeof(*l->item));
	l->item[l->count++] = item;
}

static void options(struct conf_dns *conf, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "f:r:a:t:j:b")) != -1) {
		switch (opt) {
		case 'f':
			add(&conf->forward, optarg);
			break;
		case 'r':
			conf->root_hints = optarg;
			break;
		case 'a':
			conf->trust_anchor = optarg;
			break;
		case 't':
			conf->timeout_s = (unsigned)atoi(optarg);
			break;
		case 'j':
			conf->threads = (unsigned)atoi(optarg);
			break;
		case 'b':
			probe.blocking = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	char nothing[] = "";
	struct conf_dns conf = {
	    .root_hints = nothing, .trust_anchor = nothing, .timeout_s = 6, .threads = 1, .cache_mb = 16};
	char error[512];

	options(&conf, argc, argv);
	probe.base = event_base_new();
	probe.dns = dns_new(probe.blocking ? NULL : probe.base, &conf, error, sizeof(error));
	if (!probe.dns) {
		printf("%s\n", error);
		event_base_free(probe.base);
		free(conf.forward.item);
		return 78;
	}
	printf("ready\n");
	fflush(stdout);
	probe.input = event_new(probe.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, NULL);
	event_add(probe.input, NULL);
	event_base_dispatch(probe.base);
	dns_free(&probe.dns);
	event_free(probe.input);
	event_base_free(probe.base);
	free(conf.forward.item);
	return 0;
}
