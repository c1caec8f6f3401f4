/* fuzz_sts_record.c - MTA-STS TXT records: an id is 1 to 32 letters and digits, and one record of many counts. */
#include "fuzz/fuzz.h"

#include "core/sts_record.h"

#define RECORDS_MAX 8

static void check_id(const char *id)
{
	char text[STS_ID_SIZE + 20], again[STS_ID_SIZE];
	const char *reason;

	must(id[0] != '\0' && strlen(id) <= STS_ID_MAX);
	must(strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(id));
	snprintf(text, sizeof(text), "v=STSv1; id=%s;", id);
	must(sts_record_parse(again, text, strlen(text), &reason) && strcmp(id, again) == 0);
}

/* The input cut into RDATA of TXT records: an octet of length, that many octets, and again. */
static size_t cut(struct rr_rdata *out, const uint8_t *data, size_t size)
{
	size_t count = 0;

	while (size > 0 && count < RECORDS_MAX) {
		size_t len = data[0] < size ? data[0] : size - 1;
		out[count++] = (struct rr_rdata){data + 1, len};
		data += len + 1;
		size -= len + 1;
	}
	return count;
}

static void check_find(const uint8_t *data, size_t size)
{
	struct rr_rdata rdata[RECORDS_MAX];
	struct rr_answer a = {.status = RR_OK, .count = cut(rdata, data, size), .rdata = rdata};
	char id[STS_ID_SIZE], one[STS_ID_SIZE], text[300];
	const char *reason;
	size_t valid = 0;

	must(sts_record_find(id, &a, &reason) == (!reason));
	must((id[0] != '\0') == (!reason));
	if (reason)
		return;
	check_id(id);
	for (size_t i = 0; i < a.count; i++) {
		int len = rr_txt(&rdata[i], text, sizeof(text));
		if (len >= 0 && sts_record_parse(one, text, (size_t)len, &reason)) {
			must(strcmp(one, id) == 0);
			valid++;
		}
	}
	must(valid == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[STS_ID_SIZE];
	const char *reason;
	bool ok = sts_record_parse(id, (const char *)data, size, &reason);

	must(ok == (!reason));
	if (ok)
		check_id(id);
	else
		must(id[0] == '\0');
	check_find(data, size);
	return 0;
}
