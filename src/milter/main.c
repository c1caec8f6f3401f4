/*
 * main.c - tlsmode-milter: options, start, reload (SIGUSR1) and stop (SIGTERM).
 *
 * The main thread runs an event loop with the mirror of the settings and the signals; libmilter's threads read the
 * mirror.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>
#include <libmilter/mfapi.h>

#include "base/log.h"
#include "base/sbuf.h"
#include "base/tick.h"
#include "core/domain.h"
#include "io/conf/conf.h"
#include "io/event_log.h"
#include "io/listen.h"
#include "io/mirror/mirror.h"
#include "io/proc.h"
#include "io/redis/redis.h"
#include "milter/callbacks.h"
#include "milter/libmilter_words.h"
#include "milter/report.h"
#include "milter/server.h"

#define PROGRAM "tlsmode-milter"
#define DRAIN_LIMIT_MS 10000 /* a message that has not ended by then is cut */
#define DRAIN_QUIET_MS 200   /* the reply to the last end of message must have left */
#define DRAIN_TICK_MS 20
#define COUNTERS_EVERY_S 3600
#define OTHER_FILES 2000 /* descriptors beside those of sessions; some of them for those that are to be refused */

struct options {
	const char *file;
	bool foreground, test, verbose;
};

static struct {
	struct options options;
	struct event_base *base;
	struct conf *conf;
	struct mirror *mirror;
	struct event *ended, *drain, *counters;
	int64_t stop_at_ms; /* 0: not stopping */
	int64_t busy_at_ms; /* last time a message was under way */
	int exit_code;
} milter;

static void usage(FILE *to)
{
	fputs("usage: tlsmode-milter [-ftVv] [-c file] [--print-sample-config]\n"
	      "  -c FILE  configuration (default " CONF_DEFAULT_FILE ")\n"
	      "  -f       stay in the foreground\n"
	      "  -t       test the configuration and exit\n"
	      "  -V       print versions and exit\n"
	      "  -v       log more\n",
	      to);
}

static void put_stdout(const char *text, void *arg)
{
	(void)arg;
	fputs(text, stdout);
}

static void milter_library(struct sbuf *out)
{
	unsigned major, minor, patch;

	smfi_version(&major, &minor, &patch);
	sbuf_addf(out, "libmilter %u.%u.%u (built with %d.%d.%d)", major, minor, patch, SM_LM_VRS_MAJOR(SMFI_VERSION),
		  SM_LM_VRS_MINOR(SMFI_VERSION), SM_LM_VRS_PLVL(SMFI_VERSION));
}

static proc_library_fn *const libraries[] = {milter_library, redis_library, domain_library, conf_library, NULL};

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"print-sample-config", no_argument, NULL, 'p'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	o->file = CONF_DEFAULT_FILE;
	while ((c = getopt_long(argc, argv, "c:fthVv", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 't':
			o->test = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'V':
			proc_print_version(PROGRAM, libraries);
			exit(EX_OK);
		case 'p':
			conf_print_sample(put_stdout, NULL);
			exit(EX_OK);
		case 'h':
			usage(stdout);
			exit(EX_OK);
		default:
			usage(stderr);
			exit(EX_USAGE);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(EX_USAGE);
	}
}

/* To whoever started us. */
static void die(int code, const char *reason)
{
	log_tell(PROGRAM, reason);
	exit(code);
}

static struct conf *load(char *error, size_t size)
{
	bool shows_stderr = milter.options.foreground || milter.options.test;

	return conf_load(milter.options.file, CONF_FOR_MILTER | (shows_stderr ? 0 : CONF_USE_SYSLOG), error, size);
}

static struct conf *load_or_die(void)
{
	char error[900];
	struct conf *conf = load(error, sizeof(error));

	if (!conf)
		die(EX_CONFIG, error);
	return conf;
}

static void open_log(const struct conf *conf)
{
	log_open(PROGRAM, conf->log.target, milter.options.verbose ? LOG_LVL_DEBUG : conf->log.level);
}

/* ---- events of the main loop ---- */

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What only a restart can change. */
static void warn_restart(const struct conf *old, const struct conf *now)
{
	if (!same(old->milter.listen, now->milter.listen) || old->milter.socket_mode != now->milter.socket_mode ||
	    !same(old->milter.socket_group, now->milter.socket_group))
		log_warn(
		    "event=reload note=\"milter.listen, socket_mode and socket_group change with a restart only\"");
	if (!same(old->user, now->user))
		log_warn("event=reload note=\"user changes with a restart only\"");
}

static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	char error[900], quoted[1200];
	struct conf *now = load(error, sizeof(error));

	(void)sig;
	(void)what;
	(void)arg;
	if (!now) {
		log_error("event=reload status=failed reason=%s",
			  log_quote(quoted, sizeof(quoted), error, strlen(error)));
		return;
	}
	warn_restart(milter.conf, now);
	open_log(now);
	callbacks_configure(now);
	proc_files(now->milter.max_sessions + OTHER_FILES);
	mirror_reconf(milter.mirror, now);
	conf_free(&milter.conf);
	milter.conf = now;
	report_counters();
	log_info("event=reload status=ok");
}

static void on_counters(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	report_counters();
}

static void on_drain(evutil_socket_t fd, short what, void *arg)
{
	int64_t now = tick_mono_ms();
	size_t busy = callbacks_in_flight();

	(void)fd;
	(void)what;
	(void)arg;
	if (busy > 0)
		milter.busy_at_ms = now;
	if (now - milter.busy_at_ms < DRAIN_QUIET_MS && now - milter.stop_at_ms < DRAIN_LIMIT_MS)
		return;
	report_counters();
	log_info("event=stopped unfinished=%zu", busy);
	event_base_loopbreak(milter.base);
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	const struct timeval tick = {.tv_usec = DRAIN_TICK_MS * 1000};

	(void)sig;
	(void)what;
	(void)arg;
	if (milter.stop_at_ms != 0)
		return;
	log_info("event=stopping in_flight=%zu", callbacks_in_flight());
	milter.stop_at_ms = milter.busy_at_ms = tick_mono_ms();
	server_close();
	milter.drain = event_new(milter.base, -1, EV_PERSIST, on_drain, NULL);
	event_add(milter.drain, &tick);
}

/* libmilter's thread has ended: only when it cannot go on, or when a signal has found it first. */
static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (milter.stop_at_ms == 0) {
		log_error("event=stopped status=failed reason=\"libmilter ended by itself\"");
		milter.exit_code = EX_OSERR;
	}
	event_base_loopbreak(milter.base);
}

/* The settings are known, or Redis is known to be away: serve. */
static void on_settled(void *arg)
{
	int fd;

	(void)arg;
	if (milter.stop_at_ms != 0)
		return;
	fd = server_start();
	if (fd < 0)
		die(EX_OSERR, "cannot start libmilter's thread");
	milter.ended = event_new(milter.base, fd, EV_READ, on_ended, NULL);
	event_add(milter.ended, NULL);
	log_info("event=started listen=%s settings=%s", milter.conf->milter.listen,
		 names_name(mirror_state_names, mirror_state(milter.mirror)));
	proc_ready();
}

/* ---- start ---- */

static void add_signals(void)
{
	static const struct {
		int number;
		event_callback_fn fn;
	} signals[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGUSR1, on_reload}, {SIGHUP, on_reload}};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		event_add(evsignal_new(milter.base, signals[i].number, signals[i].fn, NULL), NULL);
}

/* As root what only root may; then everything is read again as the account that will have to read it at a reload. */
static void open_and_drop(void)
{
	char error[900];
	struct conf *first = load_or_die();

	if (!callbacks_register())
		die(EX_SOFTWARE, "libmilter does not take us: another version than it was built with?");
	if (!server_open(&first->milter, error, sizeof(error)))
		die(EX_OSERR, error);
	proc_files(first->milter.max_sessions + OTHER_FILES);
	if (!proc_drop(first->user, first->milter.socket_group, error, sizeof(error)))
		die(EX_OSERR, error);
	conf_free(&first);
	milter.conf = load_or_die();
}

static void add_counters(void)
{
	const struct timeval every = {.tv_sec = COUNTERS_EVERY_S};

	milter.counters = event_new(milter.base, -1, EV_PERSIST, on_counters, NULL);
	event_add(milter.counters, &every);
}

static void serve(void)
{
	static const struct mirror_events events = {.on_settled = on_settled};

	milter.base = event_base_new();
	if (!milter.base)
		die(EX_OSERR, "cannot make an event loop");
	add_signals();
	add_counters();
	open_log(milter.conf);
	if (!log_background())
		die(EX_OSERR, "no thread for the log can be had");
	event_log_take();
	libmilter_words_take();
	callbacks_configure(milter.conf);
	milter.mirror = mirror_new(milter.base, milter.conf, "milter", &events, NULL);
	callbacks_use(milter.mirror);
	event_base_dispatch(milter.base);
	mirror_finish(milter.mirror);
	/* libmilter's threads may still look at the mirror: the process's end frees it */
	exit(milter.exit_code);
}

int main(int argc, char **argv)
{
	parse_options(&milter.options, argc, argv);
	if (!log_hold())
		die(EX_OSERR, "no memory for the log");
	milter.conf = load_or_die();
	if (milter.options.test) {
		puts("configuration ok");
		return EX_OK;
	}
	conf_free(&milter.conf);
	/* a reload that comes before the loop takes it must not end us */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (!milter.options.foreground)
		proc_background();
	open_and_drop();
	serve();
	return EX_OK;
}
