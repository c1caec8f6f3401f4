/*
 * callbacks.h - libmilter's side: negotiation, the steps of a message, the edits at its end.
 *
 * libmilter's worker threads call in here and read memory only; nothing waits for a network.
 */
#ifndef TLSMODE_MILTER_CALLBACKS_H
#define TLSMODE_MILTER_CALLBACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "io/conf/conf.h"
#include "io/mirror/mirror.h"

/* Tells libmilter what we are. Before smfi_opensocket(). */
bool callbacks_register(void);

/* Messages that begin from now on obey CONF. Any thread. */
void callbacks_configure(const struct conf *conf);
/* Where the settings are read. Before smfi_main(); M lives as long as the process. */
void callbacks_use(struct mirror *m);

/* Messages between MAIL FROM and the end of their last callback. Any thread. */
size_t callbacks_in_flight(void);

#endif
