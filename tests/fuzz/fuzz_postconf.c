/* fuzz_postconf.c - any text in place of postconf(1)'s and of a table's: read within bounds, and judged to the end. */
#include "fuzz/fuzz.h"

#include "core/doctor/doctor.h"

#define PARTS 4

/* The input's parts, parted by NUL: main.cf, services, their values, a table. */
static void split(const uint8_t *data, size_t size, const char *part[PARTS], size_t len[PARTS])
{
	for (int i = 0; i < PARTS; i++) {
		const uint8_t *end = memchr(data, 0, size);
		size_t n = end && i < PARTS - 1 ? (size_t)(end - data) : size;

		part[i] = (const char *)data;
		len[i] = n;
		data += n + (end && i < PARTS - 1);
		size -= n + (end && i < PARTS - 1);
	}
}

static void read_table(struct doctor_table *t, const char *type, const char *text, size_t len)
{
	struct lookup_reader r;
	struct lookup_entry e;

	lookup_reader_init(&r, type, text, len);
	while (lookup_reader_next(&r, &e)) {
		must(e.value_len > 0 && e.value >= text && e.value + e.value_len <= text + len);
		must(r.values || (e.key >= text && e.key + e.key_len <= e.value));
		doctor_table_add(t, e.key, e.key_len, e.value, e.value_len);
	}
	t->state = TABLE_LISTED;
}

static void judge(const struct postconf *p, const char *table, size_t len)
{
	static const char *const types[] = {"", "regexp", "cidr", "static", "randmap"};
	static struct doctor_report report;
	struct doctor_facts *f = calloc(1, sizeof(*f));
	size_t total = 0;

	f->postfix = p;
	postfix_version_parse(&f->version,
			      postconf_raw(p, NULL, "mail_version") ? postconf_raw(p, NULL, "mail_version") : "3.7.11");
	f->conf = (struct doctor_conf){.enforced_transport = "e",
				       .verified_transport = "v",
				       .dane = true,
				       .min_tls = "1.2",
				       .header = "X-TLS-Mode",
				       .map_listen = {"unix:/q/map"},
				       .map_listens = 1,
				       .milter_listen = "unix:/q/milter"};
	doctor_ask(f);
	for (size_t i = 0; i < f->tables; i++)
		read_table(&f->table[i], types[i % 5], table, len);
	doctor_judge(f, &report);
	must(report.findings <= DOCTOR_FINDINGS_MAX);
	for (int i = 0; i < DOCTOR_SEVERITIES; i++)
		total += report.count[i];
	must(total == report.findings);
	for (size_t i = 0; i < report.findings; i++) {
		must(report.finding[i].found[0] != '\0' && report.finding[i].mend[0] != '\0');
		must(i == 0 || report.finding[i].severity >= report.finding[i - 1].severity);
	}
	doctor_facts_fini(f);
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct postconf *p = postconf_new();
	const char *part[PARTS];
	size_t len[PARTS];

	split(data, size, part, len);
	postconf_take_main(p, part[0], len[0]);
	postconf_take_services(p, part[1], len[1]);
	postconf_take_overrides(p, part[2], len[2]);
	judge(p, part[3], len[3]);
	postconf_free(&p);
	return 0;
}
