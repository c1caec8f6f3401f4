/*
 * fuzz_facts_text.c - hashes of a shared Redis: "KEY\n" then "name=value" lines. What is taken is written and taken
 * again the same, what is refused leaves nothing, and whatever was taken gives replies Postfix understands.
 */
#include "fuzz/fuzz.h"

#include "core/answer.h"
#include "core/explain.h"
#include "core/facts_text.h"
#include "lib/postfix_grammar.h"

#define NOW 1000000

static size_t read_fields(const char *p, size_t len, struct text_field out[FACTS_TEXT_FIELDS_MAX])
{
	size_t n = 0;

	while (len > 0 && n < FACTS_TEXT_FIELDS_MAX) {
		const char *end = memchr(p, '\n', len), *equal;
		size_t line = end ? (size_t)(end - p) : len;

		equal = memchr(p, '=', line);
		if (equal)
			out[n++] =
			    (struct text_field){p, (size_t)(equal - p), equal + 1, line - (size_t)(equal + 1 - p)};
		p += line + !!end;
		len -= line + !!end;
	}
	return n;
}

static void same_fields(const struct text_fields *a, const struct text_fields *b)
{
	must(a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		must(strcmp(a->field[i].name, b->field[i].name) == 0);
		must(a->field[i].value_len == b->field[i].value_len);
		must(memcmp(a->field[i].value, b->field[i].value, a->field[i].value_len) == 0);
	}
}

typedef bool format_fn(const struct facts *f, int64_t now, struct text_fields *out);
typedef bool take_fn(struct facts *f, const struct text_field *field, size_t count, int64_t now, const char **reason);

/* What F would tell others comes back as what it was. */
static void round_trip(const struct facts *f, format_fn *format, take_fn *take)
{
	static struct facts again;
	struct text_fields first, second;
	const char *reason;

	if (!format(f, NOW, &first))
		return;
	facts_init(&again, &f->nexthop);
	must(take(&again, first.field, first.count, NOW, &reason) && !reason);
	must(format(&again, NOW, &second));
	same_fields(&first, &second);
	facts_text_fini(&first);
	facts_text_fini(&second);
	facts_fini(&again);
}

static void check_replies(const struct facts *f)
{
	static char text[SOCKMAP_REPLY_MAX + 1], reply[SOCKMAP_REPLY_MAX + 1];
	const struct answer_options o = {.min_tls = "1.2", .tlsrpt = true, .report_failures = true};
	struct dest_setting dest = {.has_match = false};
	struct explain_input in = {
	    .facts = f, .now = NOW, .dest = &dest, .all_modes = true, .dane = true, .options = o};
	char *json;

	for (int mode = 0; mode < MODE_COUNT; mode++) {
		struct sbuf t, r;
		struct verdict v;

		sbuf_init(&t, text, sizeof(text));
		sbuf_init(&r, reply, sizeof(reply));
		decide(f, NOW, (enum mode)mode, &dest, true, &v);
		sockmap_reply(&r, answer_format(&t, &v, f, NOW, &dest, &o), text);
		must(!postfix_grammar(reply, r.len, POSTFIX_3_10));
		must(!postfix_grammar_wise(reply, r.len));
	}
	json = explain_json(&in);
	must(json && !strchr(json, '\n'));
	free(json);
}

static void nothing_taken(const struct facts *f, const char *reason)
{
	must(reason);
	must(!f->sts.have_policy && f->sts.failure == FETCH_OK);
	must(f->nexthop.kind != NEXTHOP_DOMAIN || (f->mx == MX_UNKNOWN && f->sts.txt == TXT_UNKNOWN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct facts f;
	struct text_field field[FACTS_TEXT_FIELDS_MAX];
	const char *text = (const char *)data, *line = memchr(data, '\n', size), *reason;
	struct nexthop nexthop;
	size_t key_len = line ? (size_t)(line - text) : size, count;
	bool ok;

	nexthop_parse(&nexthop, text, key_len);
	count = line ? read_fields(line + 1, size - key_len - 1, field) : 0;
	facts_init(&f, &nexthop);
	ok = facts_text_take_sts(&f, field, count, NOW, &reason);
	if (!ok)
		nothing_taken(&f, reason);
	round_trip(&f, facts_text_sts, facts_text_take_sts);
	facts_text_take_dane(&f, field, count, NOW, &reason);
	round_trip(&f, facts_text_dane, facts_text_take_dane);
	check_replies(&f);
	must(facts_until(&f, NOW) > NOW);
	facts_begin(&f, NOW + 100);
	facts_timeout(&f, NOW + 100);
	must(facts_ready(&f, NOW + 100));
	facts_fini(&f);
	return 0;
}
