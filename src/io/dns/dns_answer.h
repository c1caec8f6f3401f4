/*
 * dns_answer.h - libunbound's result as the core knows answers. For dns_ub.c only.
 */
#ifndef TLSMODE_IO_DNS_ANSWER_H
#define TLSMODE_IO_DNS_ANSWER_H

#include <unbound.h>

#include "io/dns/dns_ub.h"

/* Calls FN with what R says. Bogus answers carry data: the flag decides. */
void dns_answer_hand_over(dns_answer_fn *fn, void *arg, const struct ub_result *r);
/* RR_ERROR and why. */
void dns_answer_set_error(struct rr_answer *a, const char *why);

#endif
