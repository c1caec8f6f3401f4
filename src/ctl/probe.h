/*
 * probe.h - looks at the installation for the doctor: fills struct doctor_facts (core/doctor/doctor_facts.h).
 *
 * Each part looks and judges nothing. Only tlsmode doctor calls it.
 */
#ifndef TLSMODE_CTL_PROBE_H
#define TLSMODE_CTL_PROBE_H

#include "core/doctor/doctor.h"
#include "ctl/ctl.h"

struct sbuf;

/* Reads the configuration of the Postfix instance. False: printed why; *CODE is the exit code. */
bool probe_postfix(struct doctor_facts *f, struct postconf *p, int *code);
/* Reads Redis: its memory policy and all settings. */
void probe_settings(struct doctor_facts *f, const struct conf *conf);

/* What doctor_ask() has asked for. */
void probe_sockets(struct doctor_facts *f);
void probe_tables(struct doctor_facts *f);
void probe_files(struct doctor_facts *f);
void probe_resolvers(struct doctor_facts *f);

/* The value of a parameter of main.cf in OUT. */
const char *probe_main_value(const struct doctor_facts *f, const char *parameter, char *out, size_t size);

/* Runs FN in a child process that is the postfix user in the queue directory, CHROOTED in it or not, and copies the
 * SIZE octets that FN made to OUT. False: the child could not become so; WHY. */
bool probe_as_postfix(const struct doctor_facts *f, bool chrooted, void (*fn)(const void *arg, void *out),
		      const void *arg, void *out, size_t size, char *why, size_t why_size);

/* What -V says of OpenSSL, which knows where Postfix looks for certificates by default (io/proc.h). */
void probe_files_library(struct sbuf *out);

#endif
