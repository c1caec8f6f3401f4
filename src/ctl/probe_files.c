/*
 * probe_files.c - certification authorities and the chroot's copies, as Postfix's services read them
 * (probe.h).
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "base/sbuf.h"
#include "base/xalloc.h"
#include "ctl/probe.h"
#include "io/regular.h"

#define CA_FILE_MAX (16u << 20)
#define COPY_MAX (1u << 20)

/* Reads at most MAX octets of PATH, NUL-terminated heap; NULL: errno. */
static char *slurp(const char *path, size_t max, size_t *len)
{
	const char *why;
	FILE *file = regular_open(path, &why);
	char *text;

	if (!file)
		return NULL;
	text = xmalloc(max + 1);
	*len = fread(text, 1, max, file);
	text[*len] = '\0';
	fclose(file);
	return text;
}

static bool has_certificate(const char *path, char *why, size_t size)
{
	size_t len;
	char *text = slurp(path, CA_FILE_MAX, &len);
	bool ok;

	if (!text) {
		snprintf(why, size, "%.150s: %s", path, strerror(errno));
		return false;
	}
	ok = strstr(text, "-----BEGIN CERTIFICATE-----") || strstr(text, "-----BEGIN TRUSTED CERTIFICATE-----");
	if (!ok)
		snprintf(why, size, "%.150s: no certificate in it", path);
	free(text);
	return ok;
}

/* hash = 8HEXDIG "." DIGIT: the names OpenSSL looks for */
static bool is_hash_name(const char *name)
{
	for (size_t i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[8] == '.' && isdigit((unsigned char)name[9]);
}

struct path_answer {
	bool ok;
	char why[DOCTOR_WHY_SIZE];
};

/* Runs as the postfix user, in its chroot. */
static void look_into(const void *arg, void *out)
{
	const struct doctor_trust *t = arg;
	struct path_answer *a = out;
	DIR *dir = opendir(t->path);
	const struct dirent *e;
	char file[DOCTOR_PATH_SIZE + 300];

	memset(a, 0, sizeof(*a));
	if (!dir) {
		snprintf(a->why, sizeof(a->why), "%.120s%s: %s", t->path, t->chrooted ? " in the chroot" : "",
			 strerror(errno));
		return;
	}
	while (!a->ok && (e = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", t->path, e->d_name);
		a->ok = is_hash_name(e->d_name) && access(file, R_OK) == 0;
	}
	closedir(dir);
	if (!a->ok)
		snprintf(a->why, sizeof(a->why), "%.120s%s: no certificates by hash in it", t->path,
			 t->chrooted ? " in the chroot" : "");
}

static void look_at_trust(const struct doctor_facts *f, struct doctor_trust *t)
{
	struct path_answer a = {0};
	char why[DOCTOR_WHY_SIZE];

	t->file_ok = t->file[0] != '\0' && has_certificate(t->file, t->why, sizeof(t->why));
	t->default_ok = t->appended && has_certificate(X509_get_default_cert_file(), why, sizeof(why));
	if (t->path[0] == '\0')
		return;
	if (!probe_as_postfix(f, t->chrooted, look_into, t, &a, sizeof(a), a.why, sizeof(a.why)))
		a.ok = false;
	t->path_ok = a.ok;
	if (!a.ok && t->why[0] == '\0')
		memcpy(t->why, a.why, sizeof(t->why));
}

static void compare_copy(const struct doctor_facts *f, struct doctor_copy *c)
{
	char queue[DOCTOR_PATH_SIZE], path[DOCTOR_PATH_SIZE + 80];
	size_t len, copy_len;
	char *text, *copy;

	snprintf(path, sizeof(path), "/%s", c->name);
	text = slurp(path, COPY_MAX, &len);
	if (!text)
		return; /* nothing to copy */
	probe_main_value(f, "queue_directory", queue, sizeof(queue));
	snprintf(path, sizeof(path), "%s/%s", queue, c->name);
	copy = slurp(path, COPY_MAX, &copy_len);
	c->missing = !copy;
	c->differs = copy && (len != copy_len || memcmp(text, copy, len) != 0);
	free(text);
	free(copy);
}

void probe_files(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->trusts; i++)
		look_at_trust(f, &f->trust[i]);
	for (size_t i = 0; i < f->copies; i++)
		compare_copy(f, &f->copy[i]);
}

void probe_files_library(struct sbuf *out)
{
	sbuf_add(out, OpenSSL_version(OPENSSL_VERSION));
}
