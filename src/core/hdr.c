/*
 * hdr.c - RFC 5322 tokens (s3.2, with the obsolete white space of s4.2 and the UTF-8 of RFC 6532).
 *
 * Not here: addresses (from.c) and what a field means. Strict in what readers disagree about: control characters and
 * line ends that are no folding end a token, whether quoted or not.
 */
#include "core/hdr.h"

#include <string.h>

static bool hdr_is_wsp(int ch)
{
	return ch == ' ' || ch == '\t';
}

/* Neither a control character nor the end of the text. */
static bool is_text(int ch)
{
	return ch >= ' ' && ch != 0x7f;
}

/* atext, and every octet of UTF-8 above ASCII (RFC 6532 s3.2) */
static bool is_atext(int ch)
{
	if (ch >= 0x80 || (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z'))
		return true;
	return ch > 0 && strchr("!#$%&'*+-/=?^_`{|}~", ch);
}

/* FWS = WSP / [CR] LF that a WSP or the end of the field follows; one octet of WSP or one line end is taken */
static bool eat_fws(struct cur *c)
{
	struct cur start = *c;

	if (hdr_is_wsp(cur_peek(c))) {
		cur_next(c);
		return true;
	}
	cur_char(c, '\r');
	if (cur_char(c, '\n') && (cur_left(c) == 0 || hdr_is_wsp(cur_peek(c))))
		return true;
	*c = start;
	return false;
}

static void hdr_put(struct sbuf *out, int ch)
{
	if (out)
		sbuf_addc(out, (char)ch);
}

/* quoted-pair = "\" (VCHAR / WSP) */
static bool eat_quoted_pair(struct cur *c, struct sbuf *out)
{
	struct cur start = *c;

	if (cur_char(c, '\\') && (is_text(cur_peek(c)) || cur_peek(c) == '\t')) {
		hdr_put(out, cur_next(c));
		return true;
	}
	*c = start;
	return false;
}

/* comment = "(" *([FWS] (ctext / quoted-pair / comment)) [FWS] ")"; depth is counted, not recursed into */
static bool eat_comment(struct cur *c)
{
	size_t depth = 0;

	do {
		int ch = cur_peek(c);
		if (ch == '\\') {
			if (!eat_quoted_pair(c, NULL))
				return false;
		} else if (is_text(ch)) {
			depth += ch == '(';
			depth -= ch == ')';
			cur_next(c);
		} else if (!eat_fws(c)) {
			return false;
		}
	} while (depth > 0);
	return true;
}

bool hdr_skip_cfws(struct cur *c)
{
	struct cur start = *c;

	for (;;) {
		if (eat_fws(c))
			continue;
		if (cur_peek(c) != '(')
			return true;
		if (!eat_comment(c)) {
			*c = start;
			return false;
		}
	}
}

/* qtext / FWS, of which the blanks count */
static bool eat_qtext(struct cur *c, struct sbuf *out)
{
	int ch = cur_peek(c);

	if (is_text(ch))
		cur_next(c);
	else if (!eat_fws(c))
		return false;
	if (ch != '\r' && ch != '\n')
		hdr_put(out, ch);
	return true;
}

/* quoted-string = DQUOTE *(qtext / quoted-pair / FWS) DQUOTE */
bool hdr_quoted_string(struct cur *c, struct sbuf *out)
{
	struct cur start = *c;

	if (!cur_char(c, '"'))
		return false;
	while (!cur_char(c, '"')) {
		int ch = cur_peek(c);
		if (ch == '\\' ? eat_quoted_pair(c, out) : eat_qtext(c, out))
			continue;
		*c = start;
		return false;
	}
	return true;
}

/* atom = 1*atext */
static bool eat_atom(struct cur *c, struct sbuf *out)
{
	const char *start;
	size_t len = cur_span(c, is_atext, &start);

	if (out)
		sbuf_addn(out, start, len);
	return len > 0;
}

/* obs-domain = [CFWS] atom [CFWS] *("." [CFWS] atom [CFWS]) */
bool hdr_dot_atom(struct cur *c, struct sbuf *out)
{
	struct cur start = *c, end;

	if (!hdr_skip_cfws(c) || !eat_atom(c, out)) {
		*c = start;
		return false;
	}
	for (;;) {
		end = *c;
		if (!hdr_skip_cfws(c) || !cur_char(c, '.') || !hdr_skip_cfws(c) || !is_atext(cur_peek(c)))
			break;
		hdr_put(out, '.');
		eat_atom(c, out);
	}
	*c = end;
	hdr_skip_cfws(c);
	return true;
}

/* domain-literal = "[" *([FWS] dtext) [FWS] "]" */
bool hdr_domain_literal(struct cur *c, struct sbuf *out)
{
	struct cur start = *c;

	if (!cur_char(c, '['))
		return false;
	while (!cur_char(c, ']')) {
		int ch = cur_peek(c);
		if (is_text(ch) && ch != ' ' && ch != '[' && ch != '\\') {
			hdr_put(out, cur_next(c));
		} else if (!eat_fws(c)) {
			*c = start;
			return false;
		}
	}
	return true;
}
