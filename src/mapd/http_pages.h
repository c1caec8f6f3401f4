/*
 * http_pages.h - the pages of metrics.listen: /metrics, /healthz, /readyz. Handed to http_new() by main.c and reload.c.
 */
#ifndef TLSMODE_MAPD_HTTP_PAGES_H
#define TLSMODE_MAPD_HTTP_PAGES_H

#include "mapd/serve/http_client.h"

/* A http_page_fn; ARG is the struct mapd. */
void http_pages_show(const char *path, struct http_answer *out, void *arg);

#endif
