/*
 * listeners.h - the set of listening sockets, changed as a whole: new ones open before old ones close, and equal ones
 * stay.
 *
 * A unix socket's file goes with its listener, unless another process has put its own there since. Called by main.c and
 * reload.c.
 */
#ifndef TLSMODE_MAPD_LISTENERS_H
#define TLSMODE_MAPD_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>

#include "io/conf/conf.h"

struct listeners;

/* FN takes each connected socket (non-blocking, close-on-exec). */
struct listeners *listeners_new(void (*fn)(int fd, void *arg), void *arg);
void listeners_free(struct listeners **l);

/* Opens what CONF wants and the present set has not. False: ERROR is one sentence, nothing has changed. The new set is
 * in force after listeners_commit(); listeners_rollback() closes what was opened for it. */
bool listeners_prepare(struct listeners *l, const struct conf_mapd *conf, char *error, size_t size);
void listeners_commit(struct listeners *l);
void listeners_rollback(struct listeners *l);

/* Connections are taken from here on, by BASE's loop, also from listeners that are committed later. Until then they
 * queue up. */
void listeners_serve(struct listeners *l, struct event_base *base);

/* Closes all: no connection is taken any more. */
void listeners_close(struct listeners *l);

size_t listeners_count(const struct listeners *l);
const char *listeners_text(const struct listeners *l, size_t i); /* as configured */

#endif
