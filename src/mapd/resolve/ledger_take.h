/*
 * ledger_take.h - the facts' way into a finding: from memory and from Redis.
 *
 * The way out is ledger.h's. Called by job.c and resolve.c.
 */
#ifndef TLSMODE_MAPD_LEDGER_TAKE_H
#define TLSMODE_MAPD_LEDGER_TAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/facts_text.h"
#include "mapd/resolve/ledger.h"

/* What is known goes into FOUND's fresh facts, parts past their end left out; marks are taken over. */
void ledger_begin(struct ledger *l, struct finding *found);
/* Before another round: what was marked meanwhile is read again. */
void ledger_again(struct ledger *l, struct finding *found);
/* Redis was read for FOUND, or could not be (HOW; fact_store.h): then it must be before what is kept is used again. */
void ledger_shared(struct ledger *l, struct finding *found, enum facts_shared how, const struct text_field *sts,
		   size_t sts_count, const struct text_field *dane, size_t dane_count);
/* The sts hash changed while another node's fetch is waited for. True: that fetch is over. */
bool ledger_other_fetch(struct finding *found, const struct text_field *sts, size_t count);

#endif
