/*
 * server.h - libmilter as a server: its socket with mode and group, its thread, and an orderly end.
 */
#ifndef TLSMODE_MILTER_SERVER_H
#define TLSMODE_MILTER_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "io/conf/conf.h"

/* Opens the socket of CONF. False: ERROR is one sentence. Connections wait until server_start(). */
bool server_open(const struct conf_milter *conf, char *error, size_t size);

/* Runs libmilter on a thread of its own. A descriptor that becomes readable when it has ended, or -1. */
int server_start(void);

/* No new connections from here on; messages under way go on. */
void server_close(void);

#endif
