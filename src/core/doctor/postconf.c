/*
 * postconf.c - see postconf.h: the three texts of postconf(1), line by line. The expansion is in postconf_expand.c.
 */
#include "core/doctor/postconf.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct parameter {
	const struct postconf_service *service; /* NULL: for all */
	const char *name, *value;
};

struct parameters {
	struct parameter *row;
	size_t count, room;
};

struct postconf {
	char **text; /* copies that all strings point into */
	size_t texts;
	struct parameters main, overrides;
	struct postconf_service *service;
	size_t services, services_room;
};

struct postconf *postconf_new(void)
{
	return xcalloc(1, sizeof(struct postconf));
}

void postconf_free(struct postconf **p)
{
	struct postconf *old = *p;

	*p = NULL;
	if (!old)
		return;
	for (size_t i = 0; i < old->texts; i++)
		free(old->text[i]);
	free(old->text);
	free(old->main.row);
	free(old->overrides.row);
	free(old->service);
	free(old);
}

/* A copy of TEXT that lives as long as P, without NULs in it. */
static char *keep(struct postconf *p, const char *text, size_t len)
{
	char *copy = xstrndup(text, len > POSTCONF_TEXT_MAX ? POSTCONF_TEXT_MAX : len);
	size_t n = len > POSTCONF_TEXT_MAX ? POSTCONF_TEXT_MAX : len;

	for (size_t i = 0; i < n; i++)
		if (copy[i] == '\0')
			copy[i] = ' ';
	p->text = xrealloc(p->text, (p->texts + 1) * sizeof(p->text[0]));
	p->text[p->texts++] = copy;
	return copy;
}

/* Takes the next line off *REST, NUL-terminated; NULL at the end. */
static char *next_line(char **rest)
{
	char *line = *rest, *end;

	if (!line || *line == '\0')
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end++ = '\0';
	*rest = end;
	return line;
}

static bool postconf_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts white space off both ends. */
static char *trimmed(char *s)
{
	size_t n;

	while (postconf_is_space(*s))
		s++;
	n = strlen(s);
	while (n > 0 && postconf_is_space(s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* Takes the next word off *REST, NUL-terminated; "" at the end. */
static char *next_field(char **rest)
{
	char *word = *rest, *end;

	while (postconf_is_space(*word))
		word++;
	for (end = word; *end != '\0' && !postconf_is_space(*end); end++)
		;
	if (*end != '\0')
		*end++ = '\0';
	*rest = end;
	return word;
}

static void postconf_add_parameter(struct parameters *list, const struct postconf_service *service, const char *name,
				   const char *value)
{
	if (list->count >= POSTCONF_ROWS_MAX)
		return;
	if (list->count == list->room) {
		list->room = list->room == 0 ? 256 : list->room * 2;
		list->row = xrealloc(list->row, list->room * sizeof(list->row[0]));
	}
	list->row[list->count++] = (struct parameter){service, name, value};
}

/* line = name "=" value */
static bool split_line(char *line, char **name, char **value)
{
	char *equals = strchr(line, '=');

	if (!equals)
		return false;
	*equals = '\0';
	*name = trimmed(line);
	*value = trimmed(equals + 1);
	return **name != '\0';
}

void postconf_take_main(struct postconf *p, const char *text, size_t len)
{
	char *rest = keep(p, text, len);
	char *line, *name, *value;

	while ((line = next_line(&rest)))
		if (split_line(line, &name, &value))
			postconf_add_parameter(&p->main, NULL, name, value);
}

/* line = name type private unprivileged chroot wakeup maxproc command [args] */
static bool split_service(char *line, struct postconf_service *out)
{
	char *field[8];

	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
		field[i] = next_field(&line);
	*out = (struct postconf_service){
	    .name = field[0], .type = field[1], .command = field[7], .args = trimmed(line), .chroot = field[4][0]};
	return field[0][0] != '#' && field[7][0] != '\0';
}

void postconf_take_services(struct postconf *p, const char *text, size_t len)
{
	char *rest = keep(p, text, len);
	char *line;
	struct postconf_service s;

	if (p->overrides.count > 0)
		return; /* they point at the services there are */
	while ((line = next_line(&rest))) {
		if (p->services >= POSTCONF_ROWS_MAX || !split_service(line, &s))
			continue;
		if (p->services == p->services_room) {
			p->services_room = p->services_room == 0 ? 64 : p->services_room * 2;
			p->service = xrealloc(p->service, p->services_room * sizeof(p->service[0]));
		}
		p->service[p->services++] = s;
	}
}

/* line = service "/" type "/" parameter "=" value; the service's name may hold "/" no more than the type does */
void postconf_take_overrides(struct postconf *p, const char *text, size_t len)
{
	char *rest = keep(p, text, len);
	char *line, *path, *value;

	while ((line = next_line(&rest))) {
		const struct postconf_service *s;
		char *name, *type;

		if (!split_line(line, &path, &value))
			continue;
		name = strrchr(path, '/');
		if (!name)
			continue;
		*name++ = '\0';
		type = strrchr(path, '/');
		if (!type)
			continue;
		*type++ = '\0';
		s = postconf_service(p, path, type);
		if (s)
			postconf_add_parameter(&p->overrides, s, name, value);
	}
}

size_t postconf_service_count(const struct postconf *p)
{
	return p->services;
}

const struct postconf_service *postconf_service_at(const struct postconf *p, size_t i)
{
	return &p->service[i];
}

const struct postconf_service *postconf_service(const struct postconf *p, const char *name, const char *type)
{
	for (size_t i = p->services; i > 0; i--)
		if (strcmp(p->service[i - 1].name, name) == 0 && strcmp(p->service[i - 1].type, type) == 0)
			return &p->service[i - 1];
	return NULL;
}

bool postconf_chrooted(const struct postconf *p, const struct postconf_service *s)
{
	const char *level;

	if (s->chroot != '-')
		return s->chroot == 'y';
	level = postconf_raw(p, NULL, "compatibility_level");
	return !level || strtol(level, NULL, 10) < 1;
}

static const char *postconf_find(const struct parameters *list, const struct postconf_service *s, const char *name)
{
	for (size_t i = list->count; i > 0; i--)
		if (list->row[i - 1].service == s && strcmp(list->row[i - 1].name, name) == 0)
			return list->row[i - 1].value;
	return NULL;
}

const char *postconf_raw(const struct postconf *p, const struct postconf_service *s, const char *name)
{
	const char *own = s ? postconf_find(&p->overrides, s, name) : NULL;

	return own ? own : postconf_find(&p->main, NULL, name);
}

bool postconf_overrides(const struct postconf *p, const struct postconf_service *s, const char *name)
{
	return s && postconf_find(&p->overrides, s, name);
}
