/*
 * from.c - the author domain of a message (RFC 5322 s3.6.2; groups in From: RFC 6854).
 *
 * Not here: that there is only one From: field (the milter counts them) and what the domain's mode is. The whole field
 * must be read by the grammar, with the obsolete forms of s4.4 that can mean one thing only; what a lenient reader
 * would guess at ("a@x <b@y>", "Last, First <a@x>", text after ">") is no author domain here, for another reader may
 * guess otherwise.
 */
#include "core/from.h"

#include "core/hdr.h"

#define DOMAIN_RAW_SIZE 1024 /* of a domain as written, longer than any that has a canonical form */

struct from_reader {
	struct cur c;
	char domain[DOMAIN_RAW_SIZE]; /* of the one mailbox, as written, without comments */
	struct sbuf out;
	bool literal;
	size_t mailboxes;
	const char *reason; /* the first */
};

static bool fail(struct from_reader *r, const char *reason)
{
	if (!r->reason)
		r->reason = reason;
	return false;
}

static bool skip_cfws(struct from_reader *r)
{
	return hdr_skip_cfws(&r->c) || fail(r, "a comment does not end");
}

/* word = atom / quoted-string; dots between atoms are taken along */
static bool eat_word(struct cur *c)
{
	return hdr_quoted_string(c, NULL) || hdr_dot_atom(c, NULL);
}

/* obs-local-part = word *("." word) */
static bool eat_local_part(struct cur *c)
{
	do {
		if (!hdr_skip_cfws(c) || !eat_word(c) || !hdr_skip_cfws(c))
			return false;
	} while (cur_char(c, '.'));
	return true;
}

/* phrase = 1*(word / "." / CFWS), beginning with a word */
static bool eat_phrase(struct cur *c)
{
	if (!eat_word(c))
		return false;
	while (hdr_skip_cfws(c) && (cur_char(c, '.') || eat_word(c)))
		;
	return true;
}

/* domain = dot-atom / domain-literal / obs-domain */
static bool eat_domain(struct from_reader *r, struct sbuf *out, bool *literal)
{
	if (!skip_cfws(r))
		return false;
	*literal = hdr_domain_literal(&r->c, out);
	if (!*literal && !hdr_dot_atom(&r->c, out))
		return fail(r, "no domain after the @");
	return skip_cfws(r);
}

/* addr-spec = local-part "@" domain */
static bool eat_addr_spec(struct from_reader *r)
{
	if (!eat_local_part(&r->c))
		return fail(r, "an address has no local part");
	if (!cur_char(&r->c, '@'))
		return fail(r, "an address has no domain");
	if (++r->mailboxes > 1)
		return fail(r, "more than one mailbox");
	return eat_domain(r, &r->out, &r->literal);
}

/* obs-route = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":" */
static bool eat_route(struct from_reader *r)
{
	bool literal, hops = false;

	for (;;) {
		if (!skip_cfws(r))
			return false;
		if (cur_char(&r->c, ','))
			continue;
		if (hops && cur_char(&r->c, ':'))
			return true;
		if (!cur_char(&r->c, '@'))
			return fail(r, "a source route is malformed");
		if (!eat_domain(r, NULL, &literal))
			return false;
		if (cur_peek(&r->c) != ',' && cur_peek(&r->c) != ':')
			return fail(r, "a source route is malformed");
		hops = true;
	}
}

/* angle-addr = "<" [obs-route] addr-spec ">" */
static bool eat_angle_addr(struct from_reader *r)
{
	if (!cur_char(&r->c, '<'))
		return fail(r, "a name without an address");
	if (!skip_cfws(r))
		return false;
	if ((cur_peek(&r->c) == '@' || cur_peek(&r->c) == ',') && !eat_route(r))
		return false;
	if (!eat_addr_spec(r))
		return false;
	if (!cur_char(&r->c, '>'))
		return fail(r, "an address in angle brackets does not end");
	return skip_cfws(r);
}

/* Whether an addr-spec without angle brackets begins here: a local part, and "@" after it. */
static bool at_addr_spec(const struct from_reader *r)
{
	struct cur c = r->c;

	return eat_local_part(&c) && cur_peek(&c) == '@';
}

static bool eat_mailboxes(struct from_reader *r, int end);

/* address = addr-spec / [phrase] angle-addr / phrase ":" [mailboxes] ";" (a group, not within a group) */
static bool eat_address(struct from_reader *r, bool in_group)
{
	if (at_addr_spec(r))
		return eat_addr_spec(r);
	if (cur_peek(&r->c) == '<')
		return eat_angle_addr(r);
	if (!eat_phrase(&r->c))
		return fail(r, "neither a name nor an address");
	if (!skip_cfws(r))
		return false;
	if (in_group || !cur_char(&r->c, ':'))
		return eat_angle_addr(r);
	return eat_mailboxes(r, ';') && skip_cfws(r);
}

/* obs-addr-list = *([CFWS] ",") address *("," [address / CFWS]), up to and with END (-1: of the field) */
static bool eat_mailboxes(struct from_reader *r, int end)
{
	bool need_comma = false;

	for (;;) {
		if (!skip_cfws(r))
			return false;
		if (end == -1 ? cur_left(&r->c) == 0 : cur_char(&r->c, end))
			return true;
		if (cur_char(&r->c, ',')) {
			need_comma = false;
		} else {
			if (need_comma)
				return fail(r, "text after an address");
			if (!eat_address(r, end != -1))
				return false;
			need_comma = true;
		}
	}
}

bool from_domain(char out[DOMAIN_SIZE], const char *field, size_t len, const char **reason)
{
	struct from_reader r = {.mailboxes = 0};
	enum domain_status status;

	out[0] = '\0';
	cur_init(&r.c, field, len);
	sbuf_init(&r.out, r.domain, sizeof(r.domain));
	if (!eat_mailboxes(&r, -1)) {
		*reason = r.reason;
		return false;
	}
	if (r.mailboxes == 0 || r.literal || !sbuf_ok(&r.out)) {
		*reason = r.mailboxes == 0 ? "no mailbox" : r.literal ? "an address literal" : "the domain is too long";
		return false;
	}
	status = domain_canon(out, r.domain, r.out.len);
	if (status == DOMAIN_OK && !domain_is_numeric(out)) {
		*reason = NULL;
		return true;
	}
	out[0] = '\0';
	*reason = status == DOMAIN_OK ? "an address literal" : domain_status_text(status);
	return false;
}
