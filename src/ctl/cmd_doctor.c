/*
 * cmd_doctor.c - tlsmode doctor: looks at the installation, lets core/doctor judge it, prints what was found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "ctl/commands.h"
#include "ctl/probe.h"

#define WIDTH 100

static void take_conf(struct doctor_conf *out, const struct conf *conf)
{
	const struct conf_milter *milter = &conf->milter;

	out->enforced_transport = conf->mapd.enforced_transport;
	out->verified_transport = conf->mapd.verified_transport;
	out->dane = conf->mapd.dane;
	out->min_tls = conf->mapd.min_tls;
	out->header = milter->header;
	out->milter_listen = milter->listen;
	out->routes_by_header = milter->identity != IDENTITY_ENVELOPE;
	out->guards = milter->on_escape != ACTION_ACCEPT || milter->on_mismatch != ACTION_ACCEPT ||
		      milter->tls_required_no != ACTION_ACCEPT;
	for (size_t i = 0; i < conf->mapd.listen.count && i < sizeof(out->map_listen) / sizeof(out->map_listen[0]); i++)
		out->map_listen[out->map_listens++] = conf->mapd.listen.item[i];
}

/* ---- the page for people ---- */
static const char *colour(enum doctor_severity severity, bool coloured)
{
	static const char *const codes[] = {[DOCTOR_ERROR] = "\033[1;31m",
					    [DOCTOR_UNKNOWN] = "\033[1;35m",
					    [DOCTOR_WARNING] = "\033[1;33m",
					    [DOCTOR_NOTE] = "\033[1m"};

	return coloured ? codes[severity] : "";
}

/* Prints TEXT broken at blanks, INDENT deep; control characters do not reach the terminal. */
static void print_text(const char *text, int indent)
{
	int column = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " \n");

		if (column > 0 && column + 1 + len > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += printf("%*s", column == 0 ? indent : 1, "");
		for (int i = 0; i < len; i++, column++)
			putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i]);
		text += len;
		text += *text != '\0';
	}
	putchar('\n');
}

/* Command lines stay whole: they are to be copied. */
static void print_mend(const char *mend, int indent)
{
	while (*mend != '\0') {
		size_t len = strcspn(mend, "\n");

		printf("%*s", indent, "");
		for (size_t i = 0; i < len; i++)
			putchar((unsigned char)mend[i] < 0x20 || mend[i] == 0x7f ? '?' : mend[i]);
		putchar('\n');
		mend += len;
		mend += *mend != '\0';
	}
}

static void print_finding(const struct doctor_finding *finding, bool coloured)
{
	printf("%s%s%s %s: %s\n", colour(finding->severity, coloured),
	       names_name(doctor_severity_names, (int)finding->severity), coloured ? "\033[0m" : "",
	       doctor_rule_id(finding->rule), finding->parameter);
	print_text(finding->found, 4);
	print_text(doctor_rule_why(finding->rule), 4);
	print_mend(finding->mend, 6);
	putchar('\n');
}

static const char *verdict(const struct doctor_report *report)
{
	if (report->count[DOCTOR_ERROR] > 0)
		return "The promise does not hold.";
	if (report->count[DOCTOR_UNKNOWN] > 0 || report->left_out > 0)
		return "Whether the promise holds could not be found out.";
	return "The promise holds.";
}

static void cmd_doctor_print_page(const struct doctor_report *report, const char *version)
{
	bool coloured = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

	for (size_t i = 0; i < report->findings; i++)
		print_finding(&report->finding[i], coloured);
	if (report->left_out > 0)
		printf("%zu more findings are not shown.\n", report->left_out);
	if (report->count[DOCTOR_ERROR] + report->count[DOCTOR_WARNING] > 0)
		puts("After a change to main.cf or master.cf: postfix reload");
	printf("Postfix %s: %zu errors, %zu unknown, %zu warnings, %zu notes. %s\n", version,
	       report->count[DOCTOR_ERROR], report->count[DOCTOR_UNKNOWN], report->count[DOCTOR_WARNING],
	       report->count[DOCTOR_NOTE], verdict(report));
}

/* ---- JSON ---- */
static json_t *text_json(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : json_string("(not UTF-8)");
}

static json_t *lines_json(const char *text)
{
	json_t *array = json_array();

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		json_t *line = json_stringn(text, len);

		json_array_append_new(array, line ? line : json_string("(not UTF-8)"));
		text += len;
		text += *text != '\0';
	}
	return array;
}

static json_t *finding_json(const struct doctor_finding *finding)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o}", "rule", doctor_rule_id(finding->rule), "severity",
			 names_name(doctor_severity_names, (int)finding->severity), "parameter",
			 text_json(finding->parameter), "found", text_json(finding->found), "why",
			 doctor_rule_why(finding->rule), "mend", lines_json(finding->mend));
}

static void print_json(const struct doctor_report *report, const char *version, const char *redis)
{
	json_t *findings = json_array();
	json_t *counts = json_object();
	bool known = report->count[DOCTOR_UNKNOWN] == 0 && report->left_out == 0;

	for (size_t i = 0; i < report->findings; i++)
		json_array_append_new(findings, finding_json(&report->finding[i]));
	for (int i = 0; i < DOCTOR_SEVERITIES; i++)
		json_object_set_new(counts, names_name(doctor_severity_names, i),
				    json_integer((json_int_t)report->count[i]));
	ctl_print_json(json_pack("{s:s, s:s, s:o, s:o, s:i, s:o}", "postfix", version, "redis", redis, "promise",
				 report->count[DOCTOR_ERROR] > 0 ? json_false()
				 : known                         ? json_true()
								 : json_null(),
				 "counts", counts, "left_out", (int)report->left_out, "findings", findings));
}

static int exit_code(const struct doctor_report *report)
{
	if (report->count[DOCTOR_ERROR] > 0)
		return EX_NOTFOUND;
	return report->count[DOCTOR_UNKNOWN] > 0 || report->left_out > 0 ? EX_TEMPFAIL : EX_OK;
}

static int judge(struct ctl *ctl, struct doctor_facts *f)
{
	struct doctor_report *report = xcalloc(1, sizeof(*report));
	char version[64];
	int code;

	doctor_judge(f, report);
	probe_main_value(f, "mail_version", version, sizeof(version));
	if (ctl->json)
		print_json(report, version, f->redis.address);
	else
		cmd_doctor_print_page(report, version);
	code = exit_code(report);
	free(report);
	return code;
}

int cmd_doctor(struct ctl *ctl, int argc, char **args)
{
	struct doctor_facts *f = xcalloc(1, sizeof(*f));
	struct postconf *postfix = postconf_new();
	int code = EX_OSERR;

	(void)argc;
	(void)args;
	f->config_dir = ctl->postfix_dir;
	take_conf(&f->conf, ctl->conf);
	if (probe_postfix(f, postfix, &code)) {
		probe_settings(f, ctl->conf);
		doctor_ask(f);
		probe_sockets(f);
		probe_tables(f);
		probe_files(f);
		probe_resolvers(f);
		code = judge(ctl, f);
	}
	doctor_facts_fini(f);
	postconf_free(&postfix);
	free(f);
	return code;
}
