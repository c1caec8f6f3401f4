/*
 * cmd_explain.c - tlsmode explain: why Postfix gets the answer it gets, as a page for people.
 *
 * The page is made from the JSON line of the `explain` map (core/explain.h) alone; --json prints that line as it is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sbuf.h"
#include "base/xalloc.h"
#include "ctl/commands.h"
#include "ctl/duration.h"
#include "ctl/json_tree.h"

#define LABEL_WIDTH 10
#define LINE_SIZE 4096

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* One line of the page: a label, then the text; control characters cannot come in, the JSON has been made from checked
 * names. */
__attribute__((format(printf, 2, 3))) static void print_line(const char *label, const char *fmt, ...)
{
	va_list ap;

	printf("%-*s  ", LABEL_WIDTH, label);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* ", WORD SPAN" when OBJECT has a number of seconds NAME. */
static void add_span(struct sbuf *b, const json_t *object, const char *name, const char *before, const char *behind)
{
	const json_t *seconds = json_object_get(object, name);
	char span[40];

	if (json_is_integer(seconds))
		sbuf_addf(b, ", %s%s%s", before,
			  duration_format(span, sizeof(span), json_integer_value(seconds) * 1000), behind);
}

/* " (from KEY)" when the setting came from one. */
static void add_key(struct sbuf *b, const json_t *object, const char *name)
{
	const char *key = text_of(object, name);

	if (key[0] != '\0')
		sbuf_addf(b, " (from %s)", key);
}

/* What the daemons read strictly or not at all; `tlsmode domain list` has the words. */
static void add_not_understood(struct sbuf *b, const json_t *object)
{
	json_int_t other = json_integer_value(json_object_get(object, "not_understood"));

	if (json_is_true(json_object_get(object, "mode_misspelt")))
		sbuf_add(b, ", read strictly from a value that is no mode");
	if (other > 0)
		sbuf_addf(b, ", with %lld field%s that nobody understands (see domain list)", (long long)other,
			  other > 1 ? "s" : "");
}

static void print_sender(const json_t *sender, bool settings_known)
{
	char line[LINE_SIZE];
	struct sbuf b;

	if (!sender)
		return;
	sbuf_init(&b, line, sizeof(line));
	sbuf_addf(&b, "%s is %s", text_of(sender, "domain"), text_of(sender, "mode"));
	if (text_of(sender, "mode_key")[0] != '\0')
		add_key(&b, sender, "mode_key");
	else
		sbuf_add(&b, settings_known ? " (the default)" : " (settings.when_unknown)");
	add_not_understood(&b, sender);
	if (text_of(sender, "via")[0] != '\0') {
		sbuf_addf(&b, ", via %s", text_of(sender, "via"));
		add_key(&b, sender, "via_key");
	}
	add_span(&b, sender, "ends_in", "ends in ", "");
	print_line("Sender", "%s", line);
}

static void print_destination(const json_t *nexthop, const json_t *dest)
{
	static const char *const exceptions[] = {"dane", "sts", "plaintext", "for"};
	char line[LINE_SIZE];
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	sbuf_addf(&b, "%s", text_of(nexthop, "key"));
	if (text_of(dest, "mode_key")[0] != '\0') {
		sbuf_addf(&b, ", at least %s", text_of(dest, "mode"));
		add_key(&b, dest, "mode_key");
	}
	add_not_understood(&b, dest);
	if (text_of(dest, "match")[0] != '\0') {
		sbuf_addf(&b, ", match %s", text_of(dest, "match"));
		add_key(&b, dest, "match_key");
	}
	print_line("To", "%s", line);
	if (text_of(dest, "except_key")[0] == '\0')
		return;
	sbuf_reset(&b);
	for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (text_of(dest, exceptions[i])[0] != '\0')
			sbuf_addf(&b, "%s%s=%s", b.len > 0 ? " " : "", exceptions[i], text_of(dest, exceptions[i]));
	add_key(&b, dest, "except_key");
	add_span(&b, dest, "ends_in", "ends in ", "");
	print_line("Except", "%s", line);
}

static void print_mx(const json_t *mx)
{
	static const char *const kinds[][2] = {{"records", "MX records"},
					       {"implicit", "no MX record, the domain is its own host"},
					       {"null", "null MX: takes no mail"},
					       {"nxdomain", "the domain does not exist"},
					       {"none", "no MX is asked for"}};
	const char *kind = text_of(mx, "kind");
	const json_t *hosts = json_object_get(mx, "hosts"), *host;
	char line[LINE_SIZE];
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i][0], kind) == 0)
			kind = kinds[i][1];
	sbuf_addf(&b, "%s, %s", text_of(mx, "state"), kind);
	if (text_of(mx, "why")[0] != '\0')
		sbuf_addf(&b, ", %s", text_of(mx, "why"));
	add_span(&b, mx, "ends_in", "looked up again in ", "");
	print_line("MX", "%s", line);
	for (size_t i = 0; (host = json_array_get(hosts, i)); i++) {
		sbuf_reset(&b);
		sbuf_addf(&b, "%s  TLSA %s", text_of(host, "name"), text_of(host, "tlsa"));
		if (text_of(host, "expanded")[0] != '\0')
			sbuf_addf(&b, " at %s", text_of(host, "expanded"));
		if (text_of(host, "why")[0] != '\0')
			sbuf_addf(&b, " (%s)", text_of(host, "why"));
		print_line("", "%s", line);
	}
}

static void print_policy(const json_t *policy)
{
	const json_t *mx = json_object_get(policy, "mx");
	char line[LINE_SIZE];
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	sbuf_addf(&b, "policy %s: mode %s",
		  json_is_true(json_object_get(policy, "in_force")) ? "in force" : "past its end",
		  text_of(policy, "mode"));
	if (text_of(policy, "id")[0] != '\0')
		sbuf_addf(&b, ", id %s", text_of(policy, "id"));
	add_span(&b, policy, "age", "fetched ", " ago");
	add_span(&b, policy, "expires_in", "expires in ", "");
	print_line("", "%s", line);
	sbuf_reset(&b);
	for (size_t i = 0; i < json_array_size(mx); i++)
		sbuf_addf(&b, " %s", json_string_value(json_array_get(mx, i)));
	if (b.len > 0)
		print_line("", "for%s", line);
}

static void print_sts(const json_t *sts)
{
	const json_t *policy = json_object_get(sts, "policy"), *failure = json_object_get(sts, "failure");
	char line[LINE_SIZE];
	struct sbuf b;

	sbuf_init(&b, line, sizeof(line));
	if (text_of(sts, "txt_id")[0] != '\0')
		sbuf_addf(&b, "record with id %s", text_of(sts, "txt_id"));
	else
		sbuf_addf(&b, "%s",
			  strcmp(text_of(sts, "txt"), "none") == 0 ? "no record" : "the record could not be looked up");
	add_span(&b, sts, "txt_ends_in", "looked up again in ", "");
	print_line("MTA-STS", "%s", line);
	if (policy)
		print_policy(policy);
	if (!failure)
		return;
	sbuf_reset(&b);
	sbuf_addf(&b, "the last fetch failed: %s", text_of(failure, "why"));
	add_span(&b, failure, "age", "", " ago");
	add_span(&b, failure, "again_in", "tried again in ", "");
	print_line("", "%s", line);
}

static void print_verdict(const json_t *verdict)
{
	const json_t *reasons = json_object_get(verdict, "reasons"), *reason;

	putchar('\n');
	print_line("Mode", "%s", text_of(verdict, "mode"));
	print_line("Answer", "%s", text_of(verdict, "answer"));
	print_line("Postfix", "%s", text_of(verdict, "postfix"));
	for (size_t i = 0; (reason = json_array_get(reasons, i)); i++)
		print_line(i == 0 ? "Why" : "", "%s", text_of(reason, "text"));
}

static void cmd_explain_print_page(const json_t *root)
{
	const json_t *verdicts = json_object_get(root, "verdicts"), *verdict;
	bool settings_known = json_is_true(json_object_get(root, "settings_known"));

	print_sender(json_object_get(root, "sender"), settings_known);
	print_destination(json_object_get(root, "nexthop"), json_object_get(root, "destination"));
	if (!settings_known)
		print_line("Settings", "not known: neither Redis nor a snapshot that can be read has them");
	if (strcmp(text_of(json_object_get(root, "nexthop"), "domain"), "") != 0) {
		print_mx(json_object_get(root, "mx"));
		print_sts(json_object_get(root, "sts"));
	}
	for (size_t i = 0; (verdict = json_array_get(verdicts, i)); i++)
		print_verdict(verdict);
}

int cmd_explain(struct ctl *ctl, int argc, char **args)
{
	int code;
	char *key;
	json_t *root;

	if (argc == 2 && ctl->has_as)
		return ctl_error(EX_USAGE, "--as goes with a domain; a sender has a mode of its own");
	if (argc == 2)
		key = xasprintf("%s %s", args[0], args[1]);
	else if (ctl->has_as)
		key = xasprintf("%s %s", names_name(mode_names, (int)ctl->as), args[0]);
	else
		key = xstrdup(args[0]);
	root = json_tree_ask(ctl, "explain", key, &code);
	free(key);
	if (!root)
		return code;
	if (ctl->json) {
		ctl_print_json(root);
		return EX_OK;
	}
	cmd_explain_print_page(root);
	json_decref(root);
	return EX_OK;
}
