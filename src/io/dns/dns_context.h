/*
 * dns_context.h - a libunbound context as tlsmode wants it: options, forwarders or root, trust anchor, its thread
 * started.
 *
 * For dns_ub.c only. A context's options are frozen by its first look-up, so a reload makes a new one.
 */
#ifndef TLSMODE_IO_DNS_CONTEXT_H
#define TLSMODE_IO_DNS_CONTEXT_H

#include <stddef.h>

#include <unbound.h>

#include "io/conf/conf.h"

/* A context that has answered its first look-up; its caches and ports are one share of CONF's threads. NULL: ERROR is
 * one sentence that names the option or file. */
struct ub_ctx *dns_context_new(const struct conf_dns *conf, char *error, size_t size);

#endif
