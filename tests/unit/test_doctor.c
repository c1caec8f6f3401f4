/*
 * test_doctor.c - the doctor's rules that no small main.cf can break (what Postfix stands on), its bounds, and its
 * manual. tests/ctl/test_ctl_doctor.py breaks all others one by one.
 */
#include "unit/check.h"

#include <stdlib.h>

#include "base/xalloc.h"
#include "core/doctor/doctor.h"

#define MAP "socketmap:unix:tlsmode/map.sock:"

static const char main_text[] = "compatibility_level = 3.6\n"
				"mail_version = 3.7.11\n"
				"queue_directory = /var/spool/postfix\n"
				"default_transport = smtp\n"
				"relay_transport = smtp\n"
				"smtp_dns_support_level = dnssec\n"
				"smtp_host_lookup = dns\n"
				"soft_bounce = no\n"
				"smtp_tls_mandatory_ciphers = medium\n"
				"smtp_tls_security_level = may\n"
				"smtp_tls_dane_insecure_mx_policy = dane\n"
				"smtp_tls_policy_maps = " MAP "opportunistic\n"
				"sender_dependent_default_transport_maps = " MAP "transport\n"
				"smtp_tls_CAfile = /ca.pem\n"
				"smtpd_milters = unix:tlsmode/milter.sock\n"
				"non_smtpd_milters = unix:tlsmode/milter.sock\n"
				"milter_default_action = tempfail\n";
static const char master_text[] = "smtp inet n - y - - smtpd\ncleanup unix n - y - 0 cleanup\n"
				  "rewrite unix - - y - - trivial-rewrite\nsmtp unix - - y - - smtp\n"
				  "smtp-enforced unix - - y - - smtp\nsmtp-verified unix - - n - - smtp\n";
static const char override_text[] = "smtp-enforced/unix/smtp_connection_cache_on_demand = no\n"
				    "smtp-enforced/unix/smtp_tls_security_level = encrypt\n"
				    "smtp-enforced/unix/smtp_tls_policy_maps = " MAP "enforced\n"
				    "smtp-enforced/unix/smtp_delivery_status_filter = " MAP "refusal\n"
				    "smtp-verified/unix/smtp_connection_cache_on_demand = no\n"
				    "smtp-verified/unix/smtp_tls_security_level = verify\n"
				    "smtp-verified/unix/smtp_tls_policy_maps = " MAP "verified\n"
				    "smtp-verified/unix/smtp_delivery_status_filter = " MAP "refusal\n";

struct room {
	struct postconf *postfix;
	struct doctor_facts f;
	struct doctor_report report;
};

/* Facts of an installation that is right. */
static struct room *room_new(const char *more)
{
	struct room *r = xcalloc(1, sizeof(*r));

	r->postfix = postconf_new();
	postconf_take_main(r->postfix, main_text, sizeof(main_text) - 1);
	postconf_take_main(r->postfix, more, strlen(more));
	postconf_take_services(r->postfix, master_text, sizeof(master_text) - 1);
	postconf_take_overrides(r->postfix, override_text, sizeof(override_text) - 1);
	r->f.postfix = r->postfix;
	r->f.version = (struct postfix_version){3, 7, 11, false};
	r->f.conf = (struct doctor_conf){.enforced_transport = "smtp-enforced",
					 .verified_transport = "smtp-verified",
					 .dane = true,
					 .min_tls = "1.2",
					 .header = "X-TLS-Mode",
					 .map_listen = {"unix:/var/spool/postfix/tlsmode/map.sock"},
					 .map_listens = 1,
					 .milter_listen = "unix:/var/spool/postfix/tlsmode/milter.sock"};
	r->f.as_root = true;
	r->f.redis.known = true;
	strcpy(r->f.redis.policy, "noeviction");
	doctor_ask(&r->f);
	for (size_t i = 0; i < r->f.sockets; i++) {
		r->f.socket[i].state = SOCKET_ANSWERS;
		strcpy(r->f.socket[i].settings, "live");
	}
	for (size_t i = 0; i < r->f.trusts; i++)
		r->f.trust[i].file_ok = true;
	for (size_t i = 0; i < 2; i++) {
		strcpy(r->f.resolver[i].file, i == 0 ? "/etc/resolv.conf" : "/var/spool/postfix/etc/resolv.conf");
		r->f.resolver[i].servers = 1;
		r->f.resolver[i].server[0] = (struct doctor_server){"127.0.0.1", true, SERVER_AD};
	}
	return r;
}

static void room_free(struct room **r)
{
	doctor_facts_fini(&(*r)->f);
	postconf_free(&(*r)->postfix);
	free(*r);
	*r = NULL;
}

/* The findings but for notes, as "severity rule parameter|...". */
static const char *judged(struct room *r, char out[1000])
{
	struct sbuf b;

	sbuf_init(&b, out, 1000);
	doctor_judge(&r->f, &r->report);
	for (size_t i = 0; i < r->report.findings; i++) {
		const struct doctor_finding *f = &r->report.finding[i];

		if (f->severity != DOCTOR_NOTE)
			sbuf_addf(&b, "%s %s %s|", names_name(doctor_severity_names, (int)f->severity),
				  doctor_rule_id(f->rule), f->parameter);
		assert_true(f->found[0] != '\0' && f->mend[0] != '\0');
	}
	return out;
}

static void what_is_right_has_no_finding(void **state)
{
	struct room *r = room_new("");
	char out[1000];

	(void)state;
	assert_string_equal(judged(r, out), "");
	assert_int_equal(r->report.count[DOCTOR_ERROR], 0);
	assert_int_equal(r->f.sockets, 3); /* the map from inside and outside of the chroot, the milter */
	assert_true(r->f.resolver[0].wanted && r->f.resolver[1].wanted);
	room_free(&r);
}

static void sockets(void **state)
{
	static const struct {
		enum socket_state state;
		const char *finding;
	} rows[] = {
	    {SOCKET_MISSING, "error socket-away unix:tlsmode/map.sock|"},
	    {SOCKET_REFUSED, "error socket-away unix:tlsmode/map.sock|"},
	    {SOCKET_SILENT, "error socket-away unix:tlsmode/map.sock|"},
	    {SOCKET_STRANGER, "error socket-away unix:tlsmode/map.sock|"},
	    {SOCKET_DENIED, "error socket-permission unix:tlsmode/map.sock|"},
	    {SOCKET_UNKNOWN, "unknown socket-unknown unix:tlsmode/map.sock|"},
	    {SOCKET_ANSWERS, ""},
	};
	char out[1000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct room *r = room_new("");

		assert_false(r->f.socket[0].milter);
		r->f.socket[0].state = rows[i].state;
		check_row_text(rows[i].finding, judged(r, out), rows[i].finding);
		room_free(&r);
	}
}

static void settings_that_are_not_live_are_told(void **state)
{
	struct room *r = room_new("");
	char out[1000];

	(void)state;
	strcpy(r->f.socket[0].settings, "snapshot");
	assert_string_equal(judged(r, out), "warning settings-state mapd settings|");
	room_free(&r);
}

/* One server of the chroot's, two of the machine's. */
static void resolvers(void **state)
{
	static const struct {
		const char *name;
		enum server_state first, second;
		bool loopback;
		const char *finding;
	} rows[] = {
	    {"both validate", SERVER_AD, SERVER_AD, true, ""},
	    {"one is silent", SERVER_SILENT, SERVER_AD, true, ""},
	    {"one fails", SERVER_FAILED, SERVER_AD, true, ""},
	    {"one does not validate", SERVER_NO_AD, SERVER_AD, true, "error resolver-no-ad /etc/resolv.conf|"},
	    {"none answers", SERVER_SILENT, SERVER_SILENT, true, "error resolver-no-ad /etc/resolv.conf|"},
	    {"another machine", SERVER_AD, SERVER_AD, false, "error resolver-remote /etc/resolv.conf|"},
	};
	char out[1000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct room *r = room_new("");
		struct doctor_resolver *machine = &r->f.resolver[0];

		machine->servers = 2;
		machine->server[0] = (struct doctor_server){"192.0.2.1", rows[i].loopback, rows[i].first};
		machine->server[1] = (struct doctor_server){"127.0.0.2", true, rows[i].second};
		check_row_text(rows[i].name, judged(r, out), rows[i].finding);
		r->f.conf.dane = false;
		check_row_text(rows[i].name, judged(r, out), "");
		room_free(&r);
	}
}

static void trust_ad_matters_before_3_5_1(void **state)
{
	struct room *r = room_new("");
	char out[1000];

	(void)state;
	r->f.conf.min_tls = "";
	r->f.version = (struct postfix_version){3, 5, 0, false};
	assert_string_equal(judged(r, out), "error resolver-trust-ad /etc/resolv.conf|"
					    "error resolver-trust-ad /var/spool/postfix/etc/resolv.conf|");
	r->f.resolver[0].trust_ad = r->f.resolver[1].trust_ad = true;
	assert_string_equal(judged(r, out), "");
	r->f.resolver[0].trust_ad = r->f.resolver[1].trust_ad = false;
	r->f.version.patch = 1;
	assert_string_equal(judged(r, out), "");
	room_free(&r);
}

static void copies(void **state)
{
	struct room *r = room_new("");
	char out[1000];

	(void)state;
	assert_int_equal(r->f.copies, 4);
	r->f.copy[0].differs = true;
	r->f.copy[1].missing = true;
	assert_string_equal(judged(r, out), "warning chroot-stale /var/spool/postfix/etc/resolv.conf|"
					    "warning chroot-stale /var/spool/postfix/etc/services|");
	room_free(&r);
}

static void what_is_not_known_is_no_promise(void **state)
{
	struct room *r = room_new("");
	char out[1000];

	(void)state;
	r->f.redis.known = false;
	strcpy(r->f.redis.why, "connection refused");
	assert_string_equal(judged(r, out), "unknown redis-away redis|");
	r->f.redis.known = true;
	r->f.redis.policy[0] = '\0'; /* an account that may not ask for INFO */
	assert_string_equal(judged(r, out), "unknown redis-eviction redis maxmemory-policy|");
	strcpy(r->f.redis.policy, "volatile-ttl");
	doctor_names_add(&r->f.redis.deaf, "10.0.0.1:26379: Connection refused");
	assert_string_equal(judged(r, out), "warning sentinel-away redis.sentinels|");
	memset(&r->f.redis.deaf, 0, sizeof(r->f.redis.deaf));
	r->f.cut = true;
	assert_string_equal(judged(r, out), "unknown too-much tlsmode doctor|");
	room_free(&r);
}

/* A CAfile that cannot be read turns TLS off, whatever CApath holds. */
static void trust(void **state)
{
	static const struct {
		const char *name, *more;
		bool file_ok, path_ok, default_ok;
		const char *finding;
	} rows[] = {
	    {"file", "", true, false, false, ""},
	    {"no file", "smtp_tls_CAfile =\n", false, false, false, "error ca-missing smtp_tls_CAfile|"},
	    {"path", "smtp_tls_CAfile =\nsmtp_tls_CApath = /p\n", false, true, false, ""},
	    {"path and a file that is not there", "smtp_tls_CApath = /p\n", false, true, false,
	     "error ca-missing smtp_tls_CAfile|"},
	    {"default", "smtp_tls_CAfile =\ntls_append_default_CA = yes\n", false, false, true, ""},
	    {"default not asked for", "smtp_tls_CAfile =\n", false, false, true, "error ca-missing smtp_tls_CAfile|"},
	};
	char out[1000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct room *r = room_new(rows[i].more);

		for (size_t j = 0; j < r->f.trusts; j++) {
			r->f.trust[j].file_ok = rows[i].file_ok;
			r->f.trust[j].path_ok = rows[i].path_ok;
			r->f.trust[j].default_ok = rows[i].default_ok;
		}
		check_row_text(rows[i].name, judged(r, out), rows[i].finding);
		room_free(&r);
	}
}

static void the_worst_comes_first(void **state)
{
	struct room *r = room_new("smtp_use_tls = yes\nsmtp_tls_security_level = none\n");
	char out[1000];

	(void)state;
	r->f.redis.known = false;
	assert_string_equal(judged(r, out), "error level-none smtp_tls_security_level|unknown redis-away redis|"
					    "warning legacy-parameters smtp_use_tls|");
	assert_string_equal(doctor_rule_id(r->report.finding[r->report.findings - 1].rule), "resolver-delay");
	room_free(&r);
}

/* More families than findings fit: what is left out is counted, and nothing is written beyond. */
static void findings_are_bounded(void **state)
{
	struct room *r = room_new("");

	(void)state;
	for (size_t i = 0; i < DOCTOR_VIAS_MAX; i++) {
		snprintf(r->f.redis.via[i].name, sizeof(r->f.redis.via[i].name), "pool%zu", i);
		r->f.redis.via[i].used[MODE_ENFORCED] = true;
	}
	r->f.redis.vias = DOCTOR_VIAS_MAX;
	doctor_judge(&r->f, &r->report);
	assert_int_equal(r->report.count[DOCTOR_ERROR], DOCTOR_VIAS_MAX);
	assert_true(r->report.findings <= DOCTOR_FINDINGS_MAX);
	room_free(&r);
}

static void names_are_bounded(void **state)
{
	struct doctor_names names = {0};
	char name[40];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "domain%d.example", i);
		doctor_names_add(&names, name);
	}
	assert_int_equal(names.count, 1000);
	assert_true(strlen(names.text) < DOCTOR_NAMES_SIZE);
	assert_int_equal(strncmp(names.text, "domain0.example, domain1.example, ", 34), 0);
	assert_string_equal(names.text + strlen(names.text) - 4, " ...");
}

static char *manual(void)
{
	const char *dir = getenv("srcdir");
	char path[500];
	char *text = xcalloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof(path), "%s/doc/tlsmode.1", dir ? dir : ".");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* tlsmode(1) explains every rule, and none that is not there. */
static void every_rule_is_in_the_manual(void **state)
{
	char *text = manual();
	char item[80];
	size_t rules = 0, items = 0;

	(void)state;
	for (const struct doctor_rule *rule; (rule = doctor_rule_at(rules)); rules++) {
		snprintf(item, sizeof(item), "\n.It Sy %s Pq ", doctor_rule_id(rule));
		if (!strstr(text, item))
			fail_msg("tlsmode(1) does not explain %s", doctor_rule_id(rule));
		for (size_t i = 0; i < rules; i++)
			check_row(doctor_rule_id(rule),
				  strcmp(doctor_rule_id(doctor_rule_at(i)), doctor_rule_id(rule)) != 0);
	}
	for (const char *p = text; (p = strstr(p, "\n.It Sy ")); p++)
		items++;
	assert_int_equal(items, rules);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_right_has_no_finding),
	    cmocka_unit_test(sockets),
	    cmocka_unit_test(settings_that_are_not_live_are_told),
	    cmocka_unit_test(resolvers),
	    cmocka_unit_test(trust_ad_matters_before_3_5_1),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(what_is_not_known_is_no_promise),
	    cmocka_unit_test(trust),
	    cmocka_unit_test(the_worst_comes_first),
	    cmocka_unit_test(findings_are_bounded),
	    cmocka_unit_test(names_are_bounded),
	    cmocka_unit_test(every_rule_is_in_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
