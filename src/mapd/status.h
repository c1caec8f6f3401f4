/*
 * status.h - what tlsmode-mapd knows of itself as one line of JSON, for the map `status` and the control tool.
 */
#ifndef TLSMODE_MAPD_STATUS_H
#define TLSMODE_MAPD_STATUS_H

#include <stdbool.h>
#include <stddef.h>

struct mapd;

/* Heap string without newline, the caller's. */
char *status_json(struct mapd *m);

/* Why /readyz should say no (static text), or NULL. */
const char *status_not_ready(struct mapd *m);

#endif
