/*
 * libmilter_words.c - see libmilter_words.h.
 *
 * syslog(3) waits for a syslogd that does not read, with a lock held that every other caller then waits for; libmilter
 * calls it from the threads that answer the MTA. Its calls end here, because a program's own function comes before the C
 * library's of the same name. Both names: which one libmilter calls depends on how it was compiled. log.c uses vsyslog(3).
 */
#include "milter/libmilter_words.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

#define SEVERITY 7 /* of a priority: what syslog(3) declares would clash with what is defined here */
#define SEVERITY_ERROR 3
#define SEVERITY_WARNING 4

static atomic_bool taken;

void libmilter_words_take(void)
{
	atomic_store(&taken, true);
}

void syslog(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void __syslog_chk(int priority, int flag, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

__attribute__((format(printf, 2, 0))) static void take_words(int priority, const char *fmt, va_list ap)
{
	char text[500], quoted[1000];

	if (!atomic_load(&taken))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	log_quote(quoted, sizeof(quoted), text, strlen(text));
	if ((priority & SEVERITY) <= SEVERITY_ERROR)
		log_error("event=libmilter text=%s", quoted);
	else if ((priority & SEVERITY) == SEVERITY_WARNING)
		log_warn("event=libmilter text=%s", quoted);
	else
		log_info("event=libmilter text=%s", quoted);
}

void syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	take_words(priority, fmt, ap);
	va_end(ap);
}

void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	take_words(priority, fmt, ap);
	va_end(ap);
}
