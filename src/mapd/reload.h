/*
 * reload.h - SIGHUP: the configuration is read again and taken whole or not at all (PRODUCT.md).
 *
 * No connection and no answer is lost: new listeners open before old ones close, equal ones stay, jobs under way end
 * with what they began with. The account (user) stays what it is until a restart.
 */
#ifndef TLSMODE_MAPD_RELOAD_H
#define TLSMODE_MAPD_RELOAD_H

#include <stddef.h>

struct mapd;
struct conf;

/* Reads m->conf_file again. What is wrong is logged as "file:line: reason", and nothing changes then. */
void reload(struct mapd *m);

/* Starts logging as CONF says (-v and -f in M count too). */
void reload_log(const struct mapd *m, const struct conf *conf);

#endif
