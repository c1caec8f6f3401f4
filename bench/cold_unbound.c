/*
 * bench_cold_unbound - libunbound alone: validates what tlsmode-mapd asks about cold domains, and prints one line of
 * JSON.
 *
 *     bench_cold_unbound -f FORWARDER -a TRUST_ANCHOR [-c UNDER_WAY] [-k DOMAINS] [-o FIRST] [-j CONTEXTS] [FORMAT]
 *
 * FORMAT holds one "%" where the number of the domain goes, seven digits. Six questions for each, in the planner's
 * order (core/plan.h): MX and _mta-sts TXT; when the MX is there, A of mx1 and mx2; with each of them its TLSA. Options
 * of libunbound as tlsmode sets them (io/dns/dns_context.c). UNDER_WAY domains at once; a domain begins when another ends.
 * CONTEXTS: that many, each with its own thread and caches, domains in turn.
 *
 * Measures and prints; an answer that was not validated is counted as unsound.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <unbound.h>

#include "core/rr.h"
#include "io/dns/dns_context.h"
#include "place.h"

#define DIGITS 7
#define CONTEXTS_MAX 16
#define QUESTIONS 6

enum step { STEP_MX, STEP_TXT, STEP_A1, STEP_A2, STEP_TLSA1, STEP_TLSA2 };

static const struct {
	const char *before;
	enum rr_type type;
} questions[QUESTIONS] = {
    [STEP_MX] = {"", RR_MX},    [STEP_TXT] = {"_mta-sts.", RR_TXT},        [STEP_A1] = {"mx1.", RR_A},
    [STEP_A2] = {"mx2.", RR_A}, [STEP_TLSA1] = {"_25._tcp.mx1.", RR_TLSA}, [STEP_TLSA2] = {"_25._tcp.mx2.", RR_TLSA},
};

/* One domain under way. */
struct domain {
	struct slot {
		struct domain *domain;
		enum step step;
	} slot[QUESTIONS];
	struct ub_ctx *ctx;
	unsigned number;
	int answered;
};

static struct bench {
	struct conf_dns conf;
	const char *format;
	unsigned under_way, domains, first;
	size_t contexts;
	struct ub_ctx *ctx[CONTEXTS_MAX];
	unsigned started, ended, secure, unsound;
} b = {.format = "d%.test", .under_way = 50, .domains = 1000, .contexts = 1};

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_answer(void *arg, int err, struct ub_result *result);

static void ask(struct domain *d, enum step step)
{
	const char *percent = strchr(b.format, '%');
	char name[256];
	int rc;

	snprintf(name, sizeof(name), "%s%.*s%0*u%s", questions[step].before, (int)(percent - b.format), b.format,
		 DIGITS, d->number, percent + 1);
	d->slot[step] = (struct slot){d, step};
	rc = ub_resolve_async(d->ctx, name, (int)questions[step].type, 1, &d->slot[step], on_answer, NULL);
	if (rc != 0) {
		fprintf(stderr, "bench_cold_unbound: %s: %s\n", name, ub_strerror(rc));
		exit(1);
	}
}

static void begin(struct domain *d)
{
	if (b.started == b.domains)
		return;
	d->number = b.first + b.started;
	d->ctx = b.ctx[b.started % b.contexts];
	d->answered = 0;
	b.started++;
	ask(d, STEP_MX);
	ask(d, STEP_TXT);
}

static void ask_next(struct domain *d, enum step answered)
{
	switch (answered) {
	case STEP_MX:
		ask(d, STEP_A1);
		ask(d, STEP_A2);
		return;
	case STEP_A1:
		ask(d, STEP_TLSA1);
		return;
	case STEP_A2:
		ask(d, STEP_TLSA2);
		return;
	case STEP_TXT:
	case STEP_TLSA1:
	case STEP_TLSA2:
		return;
	}
}

static void on_answer(void *arg, int err, struct ub_result *result)
{
	struct slot *s = arg;
	struct domain *d = s->domain;

	if (err == 0 && result->secure && !result->bogus)
		b.secure++;
	else
		b.unsound++;
	ub_resolve_free(result);
	ask_next(d, s->step);
	if (++d->answered < QUESTIONS)
		return;
	b.ended++;
	begin(d);
}

static void open_contexts(void)
{
	char error[512];

	b.conf.threads = (unsigned)b.contexts;
	for (size_t i = 0; i < b.contexts; i++) {
		b.ctx[i] = dns_context_new(&b.conf, error, sizeof(error));
		if (!b.ctx[i]) {
			fprintf(stderr, "bench_cold_unbound: %s\n", error);
			exit(78);
		}
	}
}

static void run(struct domain *domains)
{
	struct pollfd fds[CONTEXTS_MAX];

	for (size_t i = 0; i < b.contexts; i++)
		fds[i] = (struct pollfd){.fd = ub_fd(b.ctx[i]), .events = POLLIN};
	for (unsigned i = 0; i < b.under_way; i++)
		begin(&domains[i]);
	while (b.ended < b.domains) {
		if (poll(fds, (nfds_t)b.contexts, -1) < 0)
			die("poll");
		for (size_t i = 0; i < b.contexts; i++)
			if (fds[i].revents != 0)
				ub_process(b.ctx[i]);
	}
}

static void usage(void)
{
	fputs("usage: bench_cold_unbound -f FORWARDER -a TRUST_ANCHOR [-c UNDER_WAY] [-k DOMAINS] [-o FIRST]\n"
	      "                          [-j CONTEXTS] [FORMAT]\n",
	      stderr);
	exit(64);
}

static void read_options(int argc, char **argv)
{
	static char nothing[] = "";
	static char *forwarder;

	b.conf = (struct conf_dns){.root_hints = nothing, .trust_anchor = nothing, .timeout_s = 6, .cache_mb = 128};
	for (int c; (c = getopt(argc, argv, "f:a:c:k:o:j:")) != -1;) {
		switch (c) {
		case 'f':
			forwarder = optarg;
			b.conf.forward = (struct conf_list){.count = 1, .item = &forwarder};
			break;
		case 'a':
			b.conf.trust_anchor = optarg;
			break;
		case 'c':
			b.under_way = (unsigned)atoi(optarg);
			break;
		case 'k':
			b.domains = (unsigned)atoi(optarg);
			break;
		case 'o':
			b.first = (unsigned)atoi(optarg);
			break;
		case 'j':
			b.contexts = (size_t)atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (optind < argc)
		b.format = argv[optind];
	if (optind + 1 < argc || !strchr(b.format, '%') || b.contexts < 1 || b.contexts > CONTEXTS_MAX)
		usage();
}

int main(int argc, char **argv)
{
	struct domain *domains;
	double began, cpu, took;

	read_options(argc, argv);
	domains = calloc(b.under_way + 1, sizeof(*domains));
	if (!domains)
		die("calloc");
	open_contexts();
	began = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	run(domains);
	took = seconds_of(CLOCK_MONOTONIC) - began;
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"contexts\":%zu,\"domains\":%u,\"seconds\":%.3f,\"per_s\":%.1f,\"cpu_s\":%.3f,\"secure\":%u,"
	       "\"unsound\":%u}\n",
	       b.contexts, b.ended, took, b.ended / took, cpu, b.secure, b.unsound);
	fflush(stdout);
	for (size_t i = 0; i < b.contexts; i++)
		ub_ctx_delete(b.ctx[i]);
	free(domains);
	return 0;
}
