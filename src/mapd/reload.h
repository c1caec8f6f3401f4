/*
 * reload.h - SIGHUP: the configuration is read again and taken whole or not at all (tlsmode-mapd(8)).
 *
 * No connection and no answer is lost: new listeners open before old ones close, equal ones stay, jobs under way end
 * with what they began with. The account (user) stays what it is until a restart.
 */
#ifndef TLSMODE_MAPD_RELOAD_H
#define TLSMODE_MAPD_RELOAD_H

#include <stddef.h>

struct mapd;
struct conf;
struct http;

/* Reads m->conf_file again. What is wrong is logged as "file:line: reason", and nothing changes then. */
void reload(struct mapd *m);

/* The configuration of M's file as this process can use it; NULL: ERROR (conf_load()). */
struct conf *reload_conf(const struct mapd *m, char *error, size_t size);

/* The bounds of all tables and queues by m->conf, at the start, too; of those that are there. */
void reload_limits(struct mapd *m);

/* The server of CONF's metrics.listen, with our pages; NULL: ERROR. */
struct http *reload_http(struct mapd *m, const struct conf *conf, char *error, size_t size);

/* Starts logging as CONF says (-v and -f in M count too). */
void reload_log(const struct mapd *m, const struct conf *conf);

#endif
