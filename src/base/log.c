/*
 * log.c - one line per event, for syslog or standard error.
 *
 * To standard error a line goes out whole with one write(2), so that lines of two threads never mix.
 */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log_queue.h"
#include "base/sbuf.h"

#define LINE_SIZE 2048
#define HEAD_SIZE 128 /* time, program, level */
#define BATCH_SIZE 65536
#define FLUSH_MS 1000

/* A reload calls log_open() while other threads log. */
static const char *_Atomic log_program = "tlsmode";
static _Atomic(enum log_target) log_where = LOG_TO_STDERR;
static _Atomic(enum log_level) log_least = LOG_LVL_INFO;
static void (*log_captured)(enum log_level level, const char *line);

static const struct {
	int syslog;
	const char *name;
} levels[] = {
    [LOG_LVL_ERROR] = {LOG_ERR, "error"},
    [LOG_LVL_WARN] = {LOG_WARNING, "warning"},
    [LOG_LVL_INFO] = {LOG_INFO, "info"},
    [LOG_LVL_DEBUG] = {LOG_DEBUG, "debug"},
};

void log_open(const char *program, enum log_target target, enum log_level level)
{
	log_program = program;
	log_where = target;
	log_least = level;
}

enum log_level log_level(void)
{
	return log_least;
}

void log_capture(void (*fn)(enum log_level level, const char *line))
{
	log_captured = fn;
}

/* Date and time of a second; written once in it. */
static const char *second_text(time_t second)
{
	static _Thread_local time_t written;
	static _Thread_local char text[32];
	struct tm tm;

	if (second != written && gmtime_r(&second, &tm)) {
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
		written = second;
	}
	return text;
}

static void format_line(struct sbuf *b, enum log_level level, const struct timespec *at, const char *line)
{
	sbuf_add(b, second_text(at->tv_sec));
	sbuf_addf(b, ".%03ldZ %s[%ld]: %s: ", at->tv_nsec / 1000000, log_program, (long)getpid(), levels[level].name);
	sbuf_add(b, line);
	sbuf_addc(b, '\n');
}

/* All of it, however long that takes: also where somebody made standard error non-blocking. */
static bool write_stderr(const char *text, size_t len)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	while (len > 0) {
		ssize_t n = write(STDERR_FILENO, text, len);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			poll(&out, 1, -1);
		} else if (errno != EINTR) {
			return false; /* nowhere left to say it */
		}
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static void call_syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsyslog(priority, fmt, ap); /* not syslog(): a program may take that from its libraries */
	va_end(ap);
}

/* syslog(3) waits for syslogd with a lock held that openlog(3) takes, too: both are called here only. */
static void write_syslog(enum log_level level, const char *line)
{
	static bool opened;

	if (!opened)
		openlog(log_program, LOG_PID | LOG_NDELAY, LOG_MAIL);
	opened = true;
	call_syslog(levels[level].syslog, "%s", line);
}

/* ---- at once ---- */

static bool write_line(enum log_level level, const struct timespec *at, const char *line)
{
	char buf[LINE_SIZE + HEAD_SIZE];
	struct sbuf b;

	sbuf_init(&b, buf, sizeof(buf));
	if (level == LOG_QUEUE_TELL)
		sbuf_add(&b, line);
	else
		format_line(&b, level, at, line);
	return write_stderr(b.buf, b.len);
}

/* ---- in the background: many lines with one write(2) ---- */

static char many_buf[BATCH_SIZE];
static struct sbuf many;
static size_t many_lines;

static void write_many(void)
{
	if (!write_stderr(many.buf, many.len))
		log_queue_lost(many_lines);
	sbuf_reset(&many);
	many_lines = 0;
}

static void add_line(enum log_level level, const struct timespec *at, const char *line)
{
	if (level == LOG_QUEUE_TELL) {
		write_many();
		write_line(level, at, line);
		return;
	}
	if (log_where == LOG_TO_SYSLOG) {
		write_syslog(level, line);
		return;
	}
	if (many.len + LINE_SIZE + HEAD_SIZE > many.size)
		write_many();
	format_line(&many, level, at, line);
	many_lines++;
}

bool log_hold(void)
{
	sbuf_init(&many, many_buf, sizeof(many_buf));
	return log_queue_hold(add_line, write_many) && atexit(log_flush) == 0;
}

bool log_background(void)
{
	return log_queue_start();
}

void log_flush(void)
{
	log_queue_flush(FLUSH_MS);
}

uint64_t log_unwritten(void)
{
	return log_queue_dropped();
}

/* ---- lines ---- */

static void put_line(enum log_level level, const char *line)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (log_queue_put(level, &now, line))
		return;
	if (log_where == LOG_TO_SYSLOG && level != LOG_QUEUE_TELL)
		write_syslog(level, line);
	else
		write_line(level, &now, line);
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_SIZE];

	if (level > log_least && !log_captured)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	if (log_captured)
		log_captured(level, line);
	else
		put_line(level, line);
}

void log_tell(const char *program, const char *text)
{
	char line[LINE_SIZE];

	snprintf(line, sizeof(line) - 1, "%s: %s", program, text);
	strcat(line, "\n");
	put_line(LOG_QUEUE_TELL, line);
}

#define LOG_FUNCTION(name, level)                                                                                      \
	void name(const char *fmt, ...)                                                                                \
	{                                                                                                              \
		va_list ap;                                                                                            \
                                                                                                                       \
		va_start(ap, fmt);                                                                                     \
		log_line(level, fmt, ap);                                                                              \
		va_end(ap);                                                                                            \
	}

LOG_FUNCTION(log_error, LOG_LVL_ERROR)
LOG_FUNCTION(log_warn, LOG_LVL_WARN)
LOG_FUNCTION(log_info, LOG_LVL_INFO)
LOG_FUNCTION(log_debug, LOG_LVL_DEBUG)

static int is_plain(const char *raw, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (raw[i] <= ' ' || raw[i] >= 0x7f || raw[i] == '"' || raw[i] == '=' || raw[i] == '\\')
			return 0;
	return len > 0;
}

static void add_escaped(struct sbuf *b, unsigned char c)
{
	if (c == '"' || c == '\\')
		sbuf_addf(b, "\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		sbuf_addf(b, "\\x%02x", c);
	else
		sbuf_addc(b, (char)c);
}

const char *log_quote(char *out, size_t size, const char *raw, size_t len)
{
	struct sbuf b;
	size_t i;

	sbuf_init(&b, out, size);
	if (is_plain(raw, len) && len < size) {
		sbuf_addn(&b, raw, len);
		return out;
	}
	sbuf_addc(&b, '"');
	for (i = 0; i < len && b.len + 9 <= size; i++) /* room for one \xNN, "..." and the quote */
		add_escaped(&b, (unsigned char)raw[i]);
	sbuf_add(&b, i < len ? "...\"" : "\"");
	return out;
}
