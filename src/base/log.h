/*
 * log.h - one line per event, for syslog or standard error.
 *
 * A line is "event=NAME key=value ..." (or "QUEUEID: event=..." in the milter): plain to grep, one event each.
 * A value that came from outside goes through log_quote() first. Thread-safe after log_open().
 * libbase: libc only. Core never logs; adapters and programs do.
 */
#ifndef TLSMODE_BASE_LOG_H
#define TLSMODE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Starts logging as PROGRAM (kept, not copied) to TARGET, dropping what is below LEVEL. May be called again (reload).
 */
void log_open(const char *program, enum log_target target, enum log_level level);

/* From here on lines are kept for a thread that log_background() begins, and no call of this header waits for who reads
 * them: not for a full pipe, not for a syslogd that is stopped. What finds no room (a megabyte; the last of it for
 * warnings and errors) is dropped and counted, and event=log_dropped says so once the target reads again. exit(3) waits
 * for what is kept, a second at most. Once, before there is another thread. False: no memory. */
bool log_hold(void);
/* The thread begins: once, after the last fork. False: there is none to be had. */
bool log_background(void);

/* Waits for what is kept as exit(3) does. For who ends without it. */
void log_flush(void);

/* Lines that were not written, since the start. */
uint64_t log_unwritten(void);

/* One sentence to whoever started us: "PROGRAM: TEXT" on standard error, wherever the log goes. Kept like a line. */
void log_tell(const char *program, const char *text);

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
