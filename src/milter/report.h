/*
 * report.h - what the milter logs of a message, and what it counts.
 *
 * Called by callbacks.c from libmilter's threads, and by main.c for the counters' line.
 */
#ifndef TLSMODE_MILTER_REPORT_H
#define TLSMODE_MILTER_REPORT_H

#include "milter/message.h"

#define REPORT_ID_SIZE 64

/* The queue id for the log in OUT, quoted when strange; NOQUEUE for NULL. */
const char *report_id(char out[REPORT_ID_SIZE], const char *raw_id);

/* A recipient was refused: V is what message_recipient() said. */
void report_recipient(const char *id, const struct message *m, const char *rcpt, const char *mailer,
		      const struct message_verdict *v);
/* A message has come to its end. */
void report_message(const char *id, const struct message *m, const struct message_verdict *v);

/* A session was refused: there are too many. */
void report_full(void);

/* One line with what was counted since the start, unless nothing was since the last one. */
void report_counters(void);

#endif
