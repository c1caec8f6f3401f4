/*
 * fuzz_settings.c - a settings key with its fields: read strictly, kept whole by the table.
 *
 * Input: an octet for the kind, then lines: the key's name, and field TAB value for each field.
 */
#include "fuzz/fuzz.h"

#include "core/settings.h"

#define ALL_BITS 0xffu
#define WEAKENING (SETTING_HAS_DANE | SETTING_HAS_STS | SETTING_HAS_PLAINTEXT | SETTING_HAS_FOR)

static void check_complaint(const char *complaint, bool ok)
{
	must(strlen(complaint) < 160);
	must((complaint[0] == '\0') == ok);
	for (; *complaint; complaint++)
		must(*complaint >= ' ' && *complaint <= '~');
}

static void check_match(const struct setting *s)
{
	char complaint[160];
	struct setting again;

	setting_init(&again);
	if (s->match[0] == '\0')
		return;
	must(setting_field(&again, SETTING_RCPT, "match", 5, s->match, strlen(s->match), complaint, sizeof(complaint)));
	must(strcmp(again.match, s->match) == 0);
	must(strspn(s->match, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") == strlen(s->match));
}

static void check_setting(const struct setting *s, enum setting_kind kind)
{
	must((s->has & ~ALL_BITS) == 0 && (s->bad & ~ALL_BITS) == 0);
	must(!(s->bad & SETTING_HAS_MODE) || s->mode == MODE_ENFORCED);
	must(!(s->bad & SETTING_HAS_MATCH) || s->match[0] == '\0');
	must(!(s->bad & SETTING_HAS_VIA) || (s->via[0] == '\0' && !(s->has & SETTING_HAS_VIA)));
	must(!(s->bad & SETTING_HAS_DANE) || !s->dane_ignore);
	must(!(s->bad & SETTING_HAS_STS) || !s->sts_ignore);
	must(!(s->bad & SETTING_HAS_PLAINTEXT) || !s->plaintext_allow);
	must(!(s->bad & SETTING_HAS_FOR) || !s->for_all);
	must(kind == SETTING_EXCEPT || !(s->dane_ignore || s->sts_ignore || s->plaintext_allow || s->for_all));
	must(kind == SETTING_EXCEPT || !((s->has | s->bad) & WEAKENING));
	must(strspn(s->via, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(s->via));
	check_match(s);
}

static void check_table(enum setting_kind kind, const char *name, const struct setting *s)
{
	struct settings *table = settings_new();
	struct sender_setting sender;
	struct dest_setting dest;
	struct setting got;
	struct nexthop n;

	settings_put(table, kind, name, s);
	must(settings_get(table, kind, name, &got) && settings_count(table) == 1);
	must(got.has == s->has && got.bad == s->bad && got.mode == s->mode);
	must(strcmp(got.via, s->via) == 0 && strcmp(got.match, s->match) == 0);
	must(got.dane_ignore == s->dane_ignore && got.sts_ignore == s->sts_ignore);
	must(got.plaintext_allow == s->plaintext_allow && got.for_all == s->for_all);
	nexthop_parse(&n, name, strlen(name));
	settings_dest(table, &n, 0, &dest);
	settings_sender(table, strchr(name, '*') ? "" : name, 0, &sender);
	must(dest.valid_until_ms == INT64_MAX && sender.valid_until_ms == INT64_MAX);
	if (kind == SETTING_SENDER) {
		must(sender.mode == s->mode && strcmp(sender.via, s->via) == 0);
		must(!dest.has_match && !dest.named && dest.mode == MODE_OPPORTUNISTIC);
	}
	if (kind == SETTING_RCPT) {
		must(dest.has_match == ((s->has & SETTING_HAS_MATCH) != 0) && strcmp(dest.match, s->match) == 0);
		must(dest.mode == (dest.has_match ? MODE_VERIFIED : s->mode));
	}
	if (kind == SETTING_EXCEPT)
		must(dest.dane_ignore == s->dane_ignore && dest.for_all == s->for_all);
	must(settings_remove(table, kind, name) && settings_count(table) == 0);
	settings_free(&table);
}

/* The end of the line that begins at DATA. */
static size_t line_length(const uint8_t *data, size_t size)
{
	const uint8_t *lf = size > 0 ? memchr(data, '\n', size) : NULL;

	return lf ? (size_t)(lf - data) : size;
}

static void read_field(struct setting *s, enum setting_kind kind, const char *line, size_t len)
{
	const char *tab = len > 0 ? memchr(line, '\t', len) : NULL;
	size_t field_len = tab ? (size_t)(tab - line) : len;
	char complaint[160];
	bool ok;

	ok = setting_field(s, kind, line, field_len, tab ? tab + 1 : line, tab ? len - field_len - 1 : 0, complaint,
			   sizeof(complaint));
	check_complaint(complaint, ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[SETTING_NAME_SIZE], again[SETTING_NAME_SIZE];
	enum setting_kind kind;
	struct setting s;
	const char *reason;
	size_t len;
	bool named;

	if (size == 0)
		return 0;
	kind = (enum setting_kind)(data[0] % SETTING_KINDS);
	data++, size--;
	len = line_length(data, size);
	named = setting_name_canon(name, kind, (const char *)data, len, &reason);
	must(named == (!reason) && named == (name[0] != '\0'));
	if (named)
		must(setting_name_canon(again, kind, name, strlen(name), &reason) && strcmp(again, name) == 0);
	setting_init(&s);
	while (len < size) {
		data += len + 1;
		size -= len + 1;
		len = line_length(data, size);
		read_field(&s, kind, (const char *)data, len);
		check_setting(&s, kind);
	}
	if (named)
		check_table(kind, name, &s);
	return 0;
}
