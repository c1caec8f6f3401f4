/*
 * http_pages.c - see http_pages.h.
 */
#include "mapd/http_pages.h"

#include <string.h>

#include "mapd/mapd.h"
#include "mapd/status.h"

static void show_metrics(struct mapd *m, struct http_answer *out)
{
	metrics_gather(m);
	metrics_format(&m->metrics, out->body);
	out->type = "text/plain; version=0.0.4; charset=utf-8";
}

static void show_health(struct mapd *m, struct http_answer *out)
{
	(void)m;
	evbuffer_add_printf(out->body, "ok\n");
}

static void show_ready(struct mapd *m, struct http_answer *out)
{
	const char *reason = status_not_ready(m);

	out->code = reason ? 503 : 200;
	evbuffer_add_printf(out->body, "%s\n", reason ? reason : "ready");
}

static const struct {
	const char *path;
	void (*show)(struct mapd *m, struct http_answer *out);
} pages[] = {{"/metrics", show_metrics}, {"/healthz", show_health}, {"/readyz", show_ready}};

void http_pages_show(const char *path, struct http_answer *out, void *arg)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0) {
			pages[i].show(arg, out);
			return;
		}
	out->code = 404;
	evbuffer_add_printf(out->body, "there are /metrics, /healthz and /readyz\n");
}
