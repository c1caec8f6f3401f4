/*
 * log.h - one line per event, for syslog or standard error.
 *
 * A line is "event=NAME key=value ..." (or "QUEUEID: event=..." in the milter): plain to grep, one event each.
 * A value that came from outside goes through log_quote() first. Thread-safe after log_open().
 * libbase: libc only. Core never logs; adapters and programs do.
 */
#ifndef TLSMODE_BASE_LOG_H
#define TLSMODE_BASE_LOG_H

#include <stddef.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Starts logging as PROGRAM (kept, not copied) to TARGET, dropping what is below LEVEL. May be called again (reload).
 */
void log_open(const char *program, enum log_target target, enum log_level level);

/* From here on lines are written by a thread: who logs does not wait for a disk or for syslogd, unless a quarter of a
 * megabyte waits for them already. Warnings and errors are waited for; exit(3) waits for all. Once, after the last
 * fork. */
void log_background(void);

/* The level in force, so that a caller can skip work for lines nobody sees. */
enum log_level log_level(void);

/* Writes one line. FMT never ends in a newline; control characters in the result become '?'. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* RAW as a log value in OUT (always terminated): as it is when it is plain printable ASCII without space, '"' and '=';
 * else in double quotes with everything else escaped as \xNN; cut with "..." when OUT is too small. Returns OUT. */
const char *log_quote(char *out, size_t size, const char *raw, size_t len);

/* Calls FN(line) for every line written, instead of the target; NULL ends it. For tests. */
void log_capture(void (*fn)(enum log_level level, const char *line));

#endif
