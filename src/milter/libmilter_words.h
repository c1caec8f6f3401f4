/*
 * libmilter_words.h - what libmilter tells syslog(3) becomes lines of our log: "event=libmilter text=...".
 */
#ifndef TLSMODE_MILTER_LIBMILTER_WORDS_H
#define TLSMODE_MILTER_LIBMILTER_WORDS_H

/* From here on. What it says before, while it opens its socket, is nobody's: server_open() has the reason. */
void libmilter_words_take(void);

#endif
