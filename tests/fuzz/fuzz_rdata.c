/* fuzz_rdata.c - one RDATA as the resolver hands it over, read as every type we know. */
#include "fuzz/fuzz.h"

#include "core/dane.h"
#include "core/rr.h"

static void check_name(const char *name)
{
	char again[DOMAIN_SIZE];

	must(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(name));
	must(domain_canon(again, name, strlen(name)) == DOMAIN_OK && strcmp(again, name) == 0);
}

static void check_names(const struct rr_rdata *rd)
{
	char name[DOMAIN_SIZE], text[64];
	uint16_t pref;

	if (rr_mx(rd, &pref, name) && name[0] != '\0')
		check_name(name);
	if (rr_name(rd, name) && name[0] != '\0')
		check_name(name);
	must(rr_address(rd, RR_A, text, sizeof(text)) == (rd->len == 4));
	must(rr_address(rd, RR_AAAA, text, sizeof(text)) == (rd->len == 16));
}

static void check_txt(const struct rr_rdata *rd)
{
	static char text[65536];
	char small[16];
	int len = rr_txt(rd, text, sizeof(text));
	int small_len = rr_txt(rd, small, sizeof(small));

	must(len < (int)rd->len || rd->len == 0);
	must(len < 0 || text[len] == '\0');
	must(small_len == (len < (int)sizeof(small) ? len : -1));
	must(small_len < 0 || memcmp(small, text, (size_t)small_len + 1) == 0);
}

/* A record is usable in one way only: by its three numbers and the length or shape of its data. */
static void check_tlsa(const struct rr_rdata *rd)
{
	struct rr_answer a = {.status = RR_OK, .secure = true, .count = 1, .rdata = rd};
	bool usable = dane_usable(rd);

	must(dane_state(&a) == (usable ? TLSA_USABLE : TLSA_UNUSABLE));
	a.secure = false;
	must(dane_state(&a) == TLSA_NONE);
	if (!usable)
		return;
	must((rd->bytes[0] == 2 || rd->bytes[0] == 3) && rd->bytes[1] <= 1 && rd->bytes[2] <= 2);
	must(rd->bytes[2] != 1 || rd->len == 35);
	must(rd->bytes[2] != 2 || rd->len == 67);
	must(rd->bytes[2] != 0 || rd->bytes[3] == 0x30);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rr_rdata rd = {data, size};

	if (size > 65535)
		return 0;
	check_names(&rd);
	check_txt(&rd);
	check_tlsa(&rd);
	return 0;
}
