/*
 * bench_milter_null - the least a milter can be: the limit that tlsmode-milter is measured against.
 *
 *     bench_milter_null [-t | -e] PLACE
 *
 * Negotiates the steps and macros that tlsmode-milter asks for by default (bench/rows/milter.py sees to it that they
 * are the same) and only returns. With -t it adds the header field, as tlsmode-milter does for an opportunistic sender,
 * with -e it changes the envelope, too, as for an enforced one: what the edits themselves cost.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#define BACKLOG 1024

static bool tags, changes_from;

/* libmilter takes its strings without const and does not change them. */
static char *unconst(const char *s)
{
	return (char *)(uintptr_t)s;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused2,
			     unsigned long unused3, unsigned long *want_actions, unsigned long *want_steps,
			     unsigned long *want2, unsigned long *want3)
{
	(void)unused2;
	(void)unused3;
	*want2 = *want3 = 0;
	*want_actions = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGFROM | SMFIF_SETSYMLIST);
	*want_steps = steps & (SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOBODY |
			       SMFIP_NOUNKNOWN | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_RCPT);
	smfi_setsymlist(ctx, SMFIM_ENVFROM, unconst("{auth_authen} {mail_addr}"));
	smfi_setsymlist(ctx, SMFIM_ENVRCPT, unconst("i {rcpt_addr} {rcpt_mailer}"));
	smfi_setsymlist(ctx, SMFIM_EOM, unconst("i"));
	return SMFIS_CONTINUE;
}

static sfsistat on_address(SMFICTX *ctx, char **argv)
{
	(void)ctx;
	(void)argv;
	return SMFIS_NOREPLY;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat on_end(SMFICTX *ctx)
{
	if (tags && smfi_insheader(ctx, 1, unconst("X-TLS-Mode"),
				   unconst("enforced; domain=s0000000.bench.test; by=envelope")) != MI_SUCCESS)
		return SMFIS_TEMPFAIL;
	if (changes_from &&
	    smfi_chgfrom(ctx, unconst("<someone@s0000000.bench.test>"), unconst("RET=HDRS")) != MI_SUCCESS)
		return SMFIS_TEMPFAIL;
	return SMFIS_CONTINUE;
}

static sfsistat on_other(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	char place[200];
	struct smfiDesc desc = {
	    .xxfi_name = unconst("bench_milter_null"),
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGFROM | SMFIF_SETSYMLIST,
	    .xxfi_envfrom = on_address,
	    .xxfi_envrcpt = on_address,
	    .xxfi_header = on_header,
	    .xxfi_eom = on_end,
	    .xxfi_abort = on_other,
	    .xxfi_close = on_other,
	    .xxfi_negotiate = on_negotiate,
	};

	changes_from = argc == 3 && strcmp(argv[1], "-e") == 0;
	tags = changes_from || (argc == 3 && strcmp(argv[1], "-t") == 0);
	if (argc != (tags ? 3 : 2)) {
		fputs("usage: bench_milter_null [-t | -e] PLACE\n", stderr);
		return 64;
	}
	unlink(argv[argc - 1]);
	snprintf(place, sizeof(place), "unix:%s", argv[argc - 1]);
	if (smfi_register(desc) != MI_SUCCESS || smfi_setconn(place) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
