/*
 * doctor_probe.h - looks at the installation for the doctor: fills struct doctor_facts (core/doctor_facts.h).
 *
 * Each part looks and judges nothing. Only tlsmode doctor calls it.
 */
#ifndef TLSMODE_CTL_DOCTOR_PROBE_H
#define TLSMODE_CTL_DOCTOR_PROBE_H

#include "core/doctor.h"
#include "ctl/ctl.h"

/* Reads the configuration of the Postfix instance. False: printed why; *CODE is the exit code. */
bool doctor_read_postfix(struct doctor_facts *f, struct postconf *p, int *code);
/* Reads Redis: its memory policy and all settings. */
void doctor_read_settings(struct doctor_facts *f, const struct conf *conf);

/* What doctor_ask() has asked for. */
void doctor_try_sockets(struct doctor_facts *f);
void doctor_list_tables(struct doctor_facts *f);
void doctor_look_at_files(struct doctor_facts *f);
void doctor_try_resolvers(struct doctor_facts *f);

/* The value of a parameter of main.cf in OUT. */
const char *doctor_main_value(const struct doctor_facts *f, const char *parameter, char *out, size_t size);

/* Runs FN in a child process that is the postfix user in the queue directory, CHROOTED in it or not, and copies the
 * SIZE octets that FN made to OUT. False: the child could not become so; WHY. */
bool doctor_as_postfix(const struct doctor_facts *f, bool chrooted, void (*fn)(const void *arg, void *out),
		       const void *arg, void *out, size_t size, char *why, size_t why_size);

#endif
