/*
 * snapshot.c - the settings as a text file (snapshot.h). Reading is as strict as reading Redis: it goes through
 * setting_field().
 */
#include "io/mirror/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define MAGIC "tlsmode-settings 1 "
#define FILE_MAX ((off_t)4 << 30)

static const struct {
	unsigned bit;
	const char *name;
} fields[] = {
    {SETTING_HAS_MODE, "mode"}, {SETTING_HAS_VIA, "via"},   {SETTING_HAS_MATCH, "match"},
    {SETTING_HAS_DANE, "dane"}, {SETTING_HAS_STS, "sts"},   {SETTING_HAS_PLAINTEXT, "plaintext"},
    {SETTING_HAS_FOR, "for"},   {SETTING_HAS_NOTE, "note"},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* ---- writing ---- */
static const char *value_text(const struct setting *v, unsigned bit)
{
	if (v->bad & bit)
		return "?";
	switch (bit) {
	case SETTING_HAS_MODE:
		return names_name(mode_names, (int)v->mode);
	case SETTING_HAS_VIA:
		return v->via;
	case SETTING_HAS_MATCH:
		return v->match;
	case SETTING_HAS_PLAINTEXT:
		return "allow";
	case SETTING_HAS_FOR:
		return v->for_all ? "all" : "opportunistic";
	case SETTING_HAS_NOTE:
		return "-";
	default:
		return "ignore";
	}
}

void snapshot_format_head(struct sbuf *out, const struct snapshot_info *info)
{
	sbuf_addf(out, MAGIC "%" PRId64 " %d\n", info->exact_at_ms, info->held);
}

void snapshot_format_line(struct sbuf *out, enum setting_kind kind, const char *name, const struct setting *value)
{
	sbuf_addf(out, "%s %s %" PRId64 " %u", names_name(setting_kind_names, (int)kind), name, value->ends_at_ms,
		  value->unknown);
	for (size_t i = 0; i < FIELDS; i++)
		if ((value->has | value->bad) & fields[i].bit)
			sbuf_addf(out, " %s=%s", fields[i].name, value_text(value, fields[i].bit));
	sbuf_addc(out, '\n');
}

void snapshot_format_end(struct sbuf *out, size_t lines, uint64_t hash)
{
	sbuf_addf(out, "end %zu %016" PRIx64 "\n", lines, hash);
}

uint64_t snapshot_hash(uint64_t hash, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ULL;
	return hash;
}

/* ---- reading ---- */
/* The next word of a line, or NULL; *LINE moves behind it. */
static char *word(char **line)
{
	char *at = *line;

	if (!at || *at == '\0')
		return NULL;
	*line = strchr(at, ' ');
	if (*line)
		*(*line)++ = '\0';
	return at;
}

static bool number(const char *text, int64_t *out)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* line = kind SP name SP ends SP unknown *(SP field "=" value) */
static const char *take_line(char *line, struct settings *into, int64_t now_ms)
{
	char *kind_word = word(&line), *raw = word(&line), *pair, *value;
	int kind = kind_word ? names_code(setting_kind_names, kind_word, strlen(kind_word)) : -1;
	char name[SETTING_NAME_SIZE], complaint[200];
	const char *why;
	struct setting s;
	int64_t unknown;

	setting_init(&s);
	if (kind < 0 || !raw || !number(word(&line), &s.ends_at_ms) || !number(word(&line), &unknown))
		return "a line is not of the form \"kind name ends unknown ...\"";
	if (!setting_name_canon(name, (enum setting_kind)kind, raw, strlen(raw), &why) || strcmp(name, raw) != 0)
		return "a name is not canonical";
	while ((pair = word(&line))) {
		if (!(value = strchr(pair, '=')))
			return "a field has no value";
		setting_field(&s, (enum setting_kind)kind, pair, (size_t)(value - pair), value + 1, strlen(value + 1),
			      complaint, sizeof(complaint));
	}
	s.unknown = (unsigned)unknown;
	if (s.ends_at_ms == 0 || s.ends_at_ms > now_ms)
		settings_put(into, (enum setting_kind)kind, name, &s);
	return NULL;
}

static const char *take_head(char *line, struct snapshot_info *info)
{
	int64_t held;

	if (strncmp(line, MAGIC, strlen(MAGIC)) != 0)
		return "not a snapshot of this format";
	line += strlen(MAGIC);
	if (!number(word(&line), &info->exact_at_ms) || !number(word(&line), &held))
		return "the first line is damaged";
	info->held = held != 0;
	return NULL;
}

/* Where the end line begins, if its hash is that of all before it. */
static char *checked_end(char *text, size_t len, size_t *lines)
{
	char *end, expect[64];
	struct sbuf b;

	if (len < 2 || text[len - 1] != '\n')
		return NULL;
	end = memrchr(text, '\n', len - 1);
	if (!end || sscanf(++end, "end %zu ", lines) != 1)
		return NULL;
	sbuf_init(&b, expect, sizeof(expect));
	snapshot_format_end(&b, *lines, snapshot_hash(SNAPSHOT_HASH_START, text, (size_t)(end - text)));
	return strcmp(expect, end) == 0 ? end : NULL;
}

static const char *take_all(char *text, size_t len, struct settings *into, struct snapshot_info *info, int64_t now_ms)
{
	const char *why = NULL;
	size_t lines, taken = 0;
	char *end = checked_end(text, len, &lines);
	char *eol = strchr(text, '\n');

	if (!end)
		return "its end is missing or does not fit the rest";
	*eol = '\0';
	why = take_head(text, info);
	for (char *line = eol + 1; !why && line < end; line = eol + 1, taken++) {
		eol = memchr(line, '\n', (size_t)(end - line));
		if (!eol)
			return "a line has a NUL"; /* cannot be: the end line's newline ends the last one */
		*eol = '\0';
		why = take_line(line, into, now_ms);
	}
	return !why && taken != lines ? "lines are missing" : why;
}

/* The whole file in heap storage with a NUL behind it; NULL: errno. */
static char *slurp(int fd, size_t *len)
{
	struct stat st;
	char *text;
	ssize_t got;

	if (fstat(fd, &st) != 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	text = xmalloc((size_t)st.st_size + 1);
	for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)got) {
		got = read(fd, text + *len, (size_t)st.st_size - *len);
		if (got <= 0)
			break;
	}
	text[*len] = '\0';
	return text;
}

/* Also a link to nowhere. */
static bool is_there(const char *file)
{
	struct stat st;

	return lstat(file, &st) == 0;
}

enum snapshot_status snapshot_read(const char *file, struct settings *into, struct snapshot_info *info, int64_t now_ms,
				   char *why, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), cause = errno;
	const char *error = NULL;
	char *text = NULL;
	size_t len = 0;

	*info = (struct snapshot_info){0, false};
	if (fd < 0 && cause == ENOENT && !is_there(file))
		return SNAPSHOT_NONE;
	if (fd < 0 || !(text = slurp(fd, &len)))
		error = strerror(fd < 0 ? cause : errno);
	else
		error = strlen(text) != len ? "it has a NUL octet" : take_all(text, len, into, info, now_ms);
	if (fd >= 0)
		close(fd);
	free(text);
	if (!error)
		return SNAPSHOT_OK;
	snprintf(why, size, "%s", error);
	return SNAPSHOT_DAMAGED;
}
