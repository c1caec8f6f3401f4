/*
 * conf.c - reads tlsmode.conf with libconfuse, whole or not at all, and prints the sample from the same table.
 *
 * All options are strings to libconfuse: reading numbers, choices and addresses is ours (conf_value.c, conf_check.c),
 * so that every mistake is one sentence with its file, line and option. Called by the three programs at start and on
 * reload.
 */
#include "io/conf/conf.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"
#include "io/conf/conf_table.h"

#define MAX_OPTIONS 80
#define MAX_SECTIONS 16

struct loader {
	struct conf *conf;
	const char *file;
	char *error;
	size_t size;
	bool failed;
	bool in_file;          /* past the defaults */
	int line[MAX_OPTIONS]; /* where an option was given last; 0: it was not */
};

/* libconfuse's callbacks have no argument of ours. */
static _Thread_local struct loader *loading;

/* The first mistake counts. */
static void conf_fail(struct loader *l, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void conf_fail(struct loader *l, int line, const char *fmt, ...)
{
	struct sbuf b;
	char text[600];
	va_list ap;

	if (l->failed)
		return;
	l->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sbuf_init(&b, l->error, l->size);
	sbuf_add(&b, l->file);
	if (line > 0)
		sbuf_addf(&b, ":%d", line);
	sbuf_addf(&b, ": %s", text);
}

static void fail_option(struct loader *l, const struct conf_option *o, const char *reason)
{
	char name[64];

	conf_fail(l, l->line[o - conf_options], "%s: %s", conf_option_name(o, name, sizeof(name)), reason);
}

static void on_syntax_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[300];
	const char *section = strcmp(cfg->name, "root") == 0 ? "" : cfg->name;

	vsnprintf(text, sizeof(text), fmt, ap);
	conf_fail(loading, cfg->line, "%s%s%s (see tlsmode.conf(5))", text, *section != '\0' ? " in section " : "",
		  section);
}

/* One value, of the defaults (while libconfuse starts) or of the file. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct loader *l = loading;
	const struct conf_option *o = conf_option_find(strcmp(cfg->name, "root") == 0 ? "" : cfg->name, opt->name);
	bool first = opt->nvalues <= 1;
	char reason[400];
	int *line = &l->line[o - conf_options];
	int before = *line;

	*(const char **)result = "";
	if (l->in_file)
		*line = cfg->line;
	if (l->in_file && first && before != 0) {
		char name[64];

		conf_fail(l, cfg->line, "%s: given twice, first in line %d", conf_option_name(o, name, sizeof(name)),
			  before);
		return -1;
	}
	if (conf_value_take(l->conf, o, value, first, reason, sizeof(reason)))
		return 0;
	fail_option(l, o, reason);
	return -1;
}

/* The table in libconfuse's form. Static storage: libconfuse copies it. */
static void make_opts(cfg_opt_t *opts, cfg_opt_t *top, const char *section)
{
	size_t n = 0;

	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		bool list = o->type == CONF_LIST || o->type == CONF_SET;

		if (strcmp(o->section, section) != 0)
			continue;
		opts[n] = (cfg_opt_t)CFG_STR_CB(o->name, NULL, CFGF_NONE, on_value);
		opts[n].flags = list ? CFGF_LIST : CFGF_NONE;
		opts[n++].def.parsed = (char *)(uintptr_t)o->fallback;
	}
	for (size_t i = 0; top && conf_sections[i]; i++)
		opts[n++] = top[i];
	opts[n] = (cfg_opt_t)CFG_END();
}

static cfg_t *make_parser(void)
{
	static cfg_opt_t inner[MAX_SECTIONS][MAX_OPTIONS], sections[MAX_SECTIONS], root[MAX_OPTIONS];

	for (size_t i = 0; conf_sections[i]; i++) {
		make_opts(inner[i], NULL, conf_sections[i]);
		sections[i] = (cfg_opt_t)CFG_SEC(conf_sections[i], inner[i], CFGF_NONE);
	}
	make_opts(root, sections, "");
	return cfg_init(root, CFGF_NONE);
}

/* An empty list in the file calls no value callback, and libconfuse forgets its line. */
static void take_empty_lists(struct loader *l, cfg_t *cfg, const char *text)
{
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		cfg_t *section = *o->section != '\0' ? cfg_getsec(cfg, o->section) : cfg;
		cfg_opt_t *opt = cfg_getopt(section, o->name);

		if ((o->type == CONF_LIST || o->type == CONF_SET) && (opt->flags & CFGF_MODIFIED) != 0 &&
		    opt->nvalues == 0) {
			conf_value_empty(l->conf, o);
			l->line[i] = conf_text_empty_list(text, o->name);
		}
	}
}

/* The file without its comments, or NULL. */
static char *read_text(struct loader *l)
{
	char reason[200];
	const char *why = reason;
	int line = 0;
	char *text = conf_text_read(l->file, reason, sizeof(reason));

	if (text && !(why = conf_text_strip(text, &line)))
		return text;
	conf_fail(l, line, "%s", why);
	free(text);
	return NULL;
}

static void parse_text(struct loader *l, char *text)
{
	FILE *f = fmemopen(text, strlen(text), "r");
	cfg_t *cfg = make_parser();

	if (!cfg || !f)
		abort(); /* no memory */
	cfg_set_error_function(cfg, on_syntax_error);
	l->in_file = true;
	if (cfg_parse_fp(cfg, f) != CFG_SUCCESS)
		conf_fail(l, cfg->line, "syntax error");
	else
		take_empty_lists(l, cfg, text);
	fclose(f);
	cfg_free(cfg);
}

static bool parse(struct loader *l)
{
	char *text = read_text(l);

	if (!text)
		return false;
	loading = l;
	parse_text(l, text);
	loading = NULL;
	free(text);
	return !l->failed;
}

static bool check(struct loader *l, unsigned uses)
{
	char reason[500];
	const struct conf_option *o = conf_check_together(l->conf, reason, sizeof(reason));

	if (!o)
		o = conf_check_outside(l->conf, uses, reason, sizeof(reason));
	if (o)
		fail_option(l, o, reason);
	return !o;
}

struct conf *conf_load(const char *file, unsigned uses, char *error, size_t size)
{
	struct conf *conf = xcalloc(1, sizeof(*conf));
	struct loader l = {.conf = conf, .file = file, .error = error, .size = size};

	conf->file = xstrdup(file);
	conf->line = xcalloc(conf_option_count, sizeof(*conf->line));
	conf->redis.password = xstrdup("");
	if (parse(&l) && check(&l, uses)) {
		memcpy(conf->line, l.line, conf_option_count * sizeof(*conf->line));
		return conf;
	}
	conf_free(&conf);
	return NULL;
}

/* The line of the option that TEXT names; 0: none, or it was not given. */
static int line_of_named(const struct conf *conf, const char *text)
{
	char name[64], named[80];

	for (size_t i = 0; i < conf_option_count; i++) {
		snprintf(named, sizeof(named), "%s \"", conf_option_name(&conf_options[i], name, sizeof(name)));
		if (strchr(name, '.') && strstr(text, named))
			return conf->line[i];
	}
	return 0;
}

void conf_blame(const struct conf *c, char *error, size_t size)
{
	char *text = xstrdup(error);
	int line = line_of_named(c, text);

	if (line > 0)
		snprintf(error, size, "%s:%d: %s", c->file, line, text);
	else
		snprintf(error, size, "%s: %s", c->file, text);
	free(text);
}

void conf_free(struct conf **c)
{
	struct conf *conf = *c;

	*c = NULL;
	if (!conf)
		return;
	for (size_t i = 0; i < conf_option_count; i++)
		conf_value_free(conf, &conf_options[i]);
	explicit_bzero(conf->redis.password, strlen(conf->redis.password));
	free(conf->redis.password);
	free(conf->line);
	free(conf->file);
	free(conf);
}

/* "# HELP: 1 to 60" */
static void format_help(struct sbuf *b, const struct conf_option *o)
{
	sbuf_addf(b, "# %s", o->help);
	if (o->type == CONF_NUMBER)
		sbuf_addf(b, " [%ld to %ld]", o->min, o->max);
	for (const struct name_code *c = o->choices; c && c->name; c++)
		sbuf_addf(b, "%s%s%s", c == o->choices ? " [" : " | ", c->name, !c[1].name ? "]" : "");
	sbuf_addc(b, '\n');
}

void conf_print_sample(void (*put)(const char *text, void *arg), void *arg)
{
	char line[600];
	const char *section = "";

	put("# tlsmode.conf - every option with its default; what is left out has it. See tlsmode.conf(5).\n\n", arg);
	for (size_t i = 0; i < conf_option_count; i++) {
		const struct conf_option *o = &conf_options[i];
		const char *indent = *o->section != '\0' ? "\t" : "";
		struct sbuf b;

		sbuf_init(&b, line, sizeof(line));
		if (strcmp(section, o->section) != 0)
			sbuf_addf(&b, "%s\n%s {\n", *section != '\0' ? "}\n" : "", o->section);
		section = o->section;
		sbuf_add(&b, indent);
		format_help(&b, o);
		sbuf_addf(&b, "%s%s = %s\n", indent, o->name, o->fallback);
		put(line, arg);
	}
	put("}\n", arg);
}

void conf_library(struct sbuf *out)
{
	sbuf_addf(out, "libconfuse %s", confuse_version);
}
