/*
 * plan_host.h - the planner's part for MX hosts: the MX RRset into hosts, and each host step by step to its TLSA state.
 *
 * Only plan.c calls it. RFC 5321 s5.1, RFC 7505, RFC 7672 s2.2.1 and s2.2.2.
 */
#ifndef TLSMODE_CORE_PLAN_HOST_H
#define TLSMODE_CORE_PLAN_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/facts.h"
#include "core/rr.h"

/* Seconds an answer is believed from NOW: its TTL in our bounds, FACTS_ERROR_TTL for errors. As a time. */
int64_t plan_answer_until(const struct rr_answer *answer, int64_t now);

/* The MX answer for the next hop's domain: the column of the table and the hosts, each at its first step. */
void plan_take_mx(struct facts *f, const struct rr_answer *answer, int64_t now);

/* The question of H's step: true with its NAME and TYPE. A step whose question cannot be asked (the TLSA name is too
 * long, the host is an address) is answered here; false: H is done. */
bool plan_host_question(struct host_fact *h, uint16_t port, char name[DOMAIN_SIZE], enum rr_type *type);

/* The answer to that question; moves H to its next step. */
void plan_host_take(struct host_fact *h, const struct rr_answer *answer, int64_t now);

#endif
